// Draws from N(0, I): decoded, classified, counted.

const N_SHOWN = 24,
  N_COUNTED = 300;

// The same latent points for both models, from the seed.
function drawPoints(page) {
  return normals(N_COUNTED * page.data.vae.network.latent_dim, normalFrom(uniformFrom(page.state.seed)));
}

// Images with the classes read in them, and how many of each class were recognised with confidence.
function readImages(images, x, n) {
  if (!images.classify) return { x, n };
  const { classes, sure } = images.classify(x, n),
    counts = Array(images.classes.length).fill(0);
  classes.forEach((k, i) => (counts[k] += sure[i]));
  return { x, n, classes, sure, counts };
}

const sumOf = (counts) => counts.reduce((a, b) => a + b, 0);

// exp(entropy) of shares: the number of equally frequent classes that would vary as much.
function effectiveNumber(counts) {
  const total = sumOf(counts);
  return Math.exp(-counts.reduce((sum, c) => sum + (c > 0 ? (c / total) * Math.log(c / total) : 0), 0));
}

function decodeDraws(model, images, z) {
  const n = z.length / model.network.latent_dim;
  return readImages(images, decode(model, z, n), n);
}

// "57 % recognised; 86 % of these are 0 or 6": the two most frequent classes.
function describeCounts(images, { counts, n }) {
  const total = sumOf(counts);
  const order = counts
    .map((_, k) => k)
    .filter((k) => counts[k] > 0)
    .sort((a, b) => counts[b] - counts[a])
    .slice(0, 2);
  const recognised = `${formatShare(total / n)} recognised`;
  if (total < n / 100) return recognised;
  const share = sumOf(order.map((k) => counts[k])) / total;
  return `${recognised}; ${formatShare(share)} of these are ${order.map((k) => images.classes[k]).join(" or ")}`;
}

function paintBars(page, svg, images, { counts, n }) {
  const width = svg.clientWidth,
    C = counts.length,
    step = width / C,
    height = 42;
  const most = Math.max(...counts, (2.2 * n) / C);
  svg.setAttribute("viewBox", `0 0 ${width} 62`);
  svg.setAttribute("role", "img");
  const listed = images.classes.map((name, k) => `${name}: ${counts[k]}`).join(", ");
  svg.setAttribute("aria-label", `Of ${n} draws, how many show each ${images.noun} clearly: ${listed}`);
  const colours = classColours(page),
    level = height - (height * n) / C / most;
  const bars = counts.map((count, k) => {
    const tall = (height * count) / most;
    return makeSvg("rect", {
      x: k * step + step * 0.15,
      y: height - tall,
      width: step * 0.7,
      height: tall,
      fill: colours[k % colours.length],
    });
  });
  const names = images.classes.map((name, k) => makeSvg("text", { x: (k + 0.5) * step, y: 57 }, name));
  svg.replaceChildren(...bars, makeSvg("line", { x1: 0, x2: width, y1: level, y2: level }), ...names);
}

// Makes, in the panel, a labelled row with a canvas.
function addStrip(parent, label, kind = "") {
  const canvas = make("canvas");
  parent.append(make("div", { className: `strip ${kind}` }, make("span", {}, label), canvas));
  return canvas;
}

const columnsFor = (element, wide, narrow) => (element.clientWidth > 300 ? wide : narrow);

// What was invented: 24 draws, what the classifier reads, and the counts over more draws.
function showInvented(page, below, images, draws) {
  const columns = columnsFor(below, 12, 6),
    canvas = make("canvas"),
    found = make("p", { className: "found" }, "invented");
  const shown = draws.classes?.slice(0, N_SHOWN);
  below.append(found, canvas);
  const name = (k, i) => images.classes[k] + (draws.sure[i] ? "" : "?"),
    list = shown ? `: ${shown.map(name).join(", ")}` : "";
  paintImages(page, canvas, draws.x, N_SHOWN, columns, `${N_SHOWN} decoded draws from N(0, I)${list}`, {
    images,
    classes: shown,
    sure: draws.sure,
  });
  if (!shown) return;
  found.append(": ", make("strong", {}, describeCounts(images, draws)));
  const bars = makeSvg("svg", { class: "bars" });
  below.append(
    bars,
    make(
      "p",
      { className: "note" },
      `${draws.n} draws; “?”: at most 95 % confidence. Dashed: equal shares.`,
    ),
  );
  paintBars(page, bars, images, draws);
}

// Test images, one of each class first.
function imagesToRedraw(images, n) {
  const all = Array.from({ length: images.n_test }, (_, i) => i);
  if (!images.labels) return all.slice(0, n);
  const firsts = images.classes.map((_, k) => images.labels.indexOf(k)).filter((i) => i >= 0);
  return [...firsts, ...all.filter((i) => !firsts.includes(i))].slice(0, n);
}

function showRedrawn(page, panel) {
  const { images } = page.data,
    { below, model } = panel,
    columns = columnsFor(below, 12, 6);
  const rows = imagesToRedraw(images, columns),
    x = new Float64Array(rows.length * images.D);
  rows.forEach((row, i) => x.set(images.row(row), i * images.D));
  const redrawn = decode(model, encode(model, x, rows.length).mu, rows.length);
  const real = addStrip(below, "real", "redraw"),
    again = addStrip(below, "redrawn", "redraw");
  paintImages(page, real, x, rows.length, columns, `${rows.length} test images`);
  paintImages(
    page,
    again,
    redrawn,
    rows.length,
    columns,
    `the same images, encoded and decoded by the ${panel.name}`,
  );
}

// The heading is a claim, and it depends on what was recognised, or else on where the codes lie.
function claimFor(page) {
  const { images, prior_radius } = page.data,
    start = `Both networks redraw these ${images.things}. `,
    both = (measure) => ["ae", "vae"].map(measure);
  if (images.classify) {
    const shares = both((kind) => sumOf(page.draws[kind].counts) / N_COUNTED),
      varieties = both((kind) => effectiveNumber(page.draws[kind].counts));
    if (shares[1] >= 0.1 && varieties[1] >= images.classes.length / 2) {
      if (shares[1] >= 2 * shares[0]) return start + "Only one can invent new ones.";
      if (varieties[1] >= 1.5 * varieties[0]) return start + "Only one invents a variety.";
    }
  }
  const inside = ({ codes, network }) => shareInPrior(codes, network.latent_dim, prior_radius);
  const [ae, vae] = both((kind) => inside(page.data[kind]));
  const onlyOne = vae >= 1.5 * ae;
  return start + (onlyOne ? "Only one has its codes where N(0, I) draws." : "Which can invent new ones?");
}

// A share of codes: those within the radius that holds 99 % of N(0, I).
function shareInPrior(codes, Z, radius) {
  const n = codes.length / Z;
  let inside = 0;
  for (let i = 0; i < n; i++) inside += Math.hypot(...codes.subarray(i * Z, (i + 1) * Z)) <= radius;
  return inside / n;
}
