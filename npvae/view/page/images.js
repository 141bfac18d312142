// Drawing images on canvases, and numbers and names as text.

const formatNumber = (value, digits = 2) => value.toFixed(digits).replace("-", "−");
const formatPoint = (values) =>
  `(${Array.from(values, (v) => formatNumber(v))
    .slice(0, 4)
    .join(", ")}${values.length > 4 ? ", …" : ""})`;
const formatShare = (share) => `${Math.round(100 * share)} %`;

// "a 3", "an 8", or the class's own name
function nameOf(images, index) {
  const name = images.classes[index];
  return images.noun === "digit" ? `${name === "8" ? "an" : "a"} ${name}` : name;
}

// The style sheet's colours, read once for each theme.
const theme = { isDark: false, colours: new Map() };

function readTheme() {
  theme.isDark = matchMedia("(prefers-color-scheme: dark)").matches;
  theme.colours.clear();
}

function colourOf(name) {
  if (!theme.colours.has(name)) {
    theme.colours.set(name, getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim());
  }
  return theme.colours.get(name);
}

// The classes' colours; on a dark page they are mixed with white.
function classColours(page) {
  return page.data.colours.map((hex) => {
    const parts = [1, 3, 5].map((at) => parseInt(hex.slice(at, at + 2), 16));
    return `rgb(${parts.map((part) => (theme.isDark ? Math.round(part + 0.4 * (255 - part)) : part)).join(" ")})`;
  });
}

// Gives a canvas as many pixels as the screen has in its place; returns a context that draws in CSS pixels.
function fitCanvas(canvas, height = canvas.clientHeight) {
  const width = canvas.clientWidth;
  return { context: scaleCanvas(canvas, width, height), width, height };
}

function scaleCanvas(canvas, width, height) {
  const scale = devicePixelRatio || 1;
  canvas.width = Math.max(1, Math.round(width * scale));
  canvas.height = Math.max(1, Math.round(height * scale));
  const context = canvas.getContext("2d");
  context.scale(scale, scale);
  return context;
}

// One image as a canvas of its own pixels.
function pictureOf(x, images) {
  const [height, width] = images.shape,
    [low, high] = images.range;
  const canvas = document.createElement("canvas");
  [canvas.width, canvas.height] = [width, height];
  const pixels = new ImageData(width, height);
  for (let i = 0; i < x.length; i++) {
    pixels.data.fill((255 * (x[i] - low)) / (high - low), 4 * i, 4 * i + 3);
    pixels.data[4 * i + 3] = 255;
  }
  canvas.getContext("2d").putImageData(pixels, 0, 0);
  return canvas;
}

function paintPicture(canvas, x, images, label) {
  const { context, width, height } = fitCanvas(canvas),
    [rows, columns] = images.shape;
  const scale = Math.min(width / columns, height / rows);
  context.imageSmoothingEnabled = false;
  context.drawImage(
    pictureOf(x, images),
    (width - scale * columns) / 2,
    (height - scale * rows) / 2,
    scale * columns,
    scale * rows,
  );
  canvas.setAttribute("role", "img");
  canvas.setAttribute("aria-label", label);
}

// Images (n, D) in rows of `columns`; with `classes`, what the classifier reads below each of them, grey where it is not `sure`.
function paintImages(
  page,
  canvas,
  x,
  n,
  columns,
  label,
  { images = page.data.images, classes = null, sure = null, gap = 3 } = {},
) {
  const [rows, cols] = images.shape,
    D = images.D,
    caption = classes ? 15 : 0;
  const tile = (canvas.clientWidth - gap * (columns - 1)) / columns,
    tileHeight = (tile * rows) / cols;
  const height = Math.ceil(n / columns) * (tileHeight + caption + gap) - gap;
  canvas.style.height = `${height}px`;
  const { context } = fitCanvas(canvas, height);
  context.imageSmoothingEnabled = false;
  context.textAlign = "center";
  for (let i = 0; i < n; i++) {
    const left = (i % columns) * (tile + gap),
      top = Math.floor(i / columns) * (tileHeight + caption + gap);
    context.drawImage(pictureOf(x.subarray(i * D, (i + 1) * D), images), left, top, tile, tileHeight);
    if (!classes) continue;
    context.fillStyle = colourOf(sure[i] ? "ink" : "quiet");
    context.font = `${sure[i] ? "bold " : ""}12px system-ui, sans-serif`;
    context.fillText(images.classes[classes[i]] + (sure[i] ? "" : "?"), left + tile / 2, top + tileHeight + 12, tile);
  }
  canvas.setAttribute("role", "img");
  canvas.setAttribute("aria-label", label);
}

// Builds elements: make("p", { className: "found" }, "text", child, ...)
function make(tag, properties = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (name in element) element[name] = value;
    else element.setAttribute(name, value);
  }
  element.append(...children);
  return element;
}

function makeSvg(tag, attributes, text = "") {
  const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.textContent = text;
  return element;
}

// A picture with a line below it; paint it after it is part of the page.
function makeFigure(caption) {
  const canvas = make("canvas", { className: "picture" });
  return { figure: make("figure", {}, canvas, make("figcaption", {}, caption)), canvas };
}
