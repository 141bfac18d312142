// One image in both networks: the chosen test image, or one that the reader draws.

// The first test image that the classifier recognises in both reconstructions: a good one to begin with.
function firstRecognised({ images, ae, vae }) {
  if (!images.classify) return 0;
  const isRecognised = (model, i) => {
    const x = decode(model, encode(model, images.row(i), 1).mu, 1);
    const { classes, sure } = images.classify(x, 1);
    return sure[0] && classes[0] === images.labels[i];
  };
  for (let i = 0; i < Math.min(images.n_test, 50); i++)
    if (isRecognised(ae, i) && isRecognised(vae, i)) return i;
  return 0;
}

function currentImage(page) {
  return page.own || page.data.images.row(page.state.image);
}

function describeImage(page) {
  const { images } = page.data,
    { image } = page.state;
  if (page.own) return "your drawing";
  return images.labels
    ? `test image ${image}, ${nameOf(images, images.labels[image])}`
    : `test image ${image}`;
}

// Image, code and reconstruction.
function showReconstruction(page, panel) {
  const { images } = page.data,
    x = currentImage(page),
    { mu } = encode(panel.model, x, 1);
  const before = makeFigure("image"),
    after = makeFigure("reconstruction");
  const code = make("span", { className: "numbers" }, `→ ${formatPoint(mu)} →`);
  panel.below.append(make("div", { className: "pair" }, before.figure, code, after.figure));
  paintPicture(before.canvas, x, images, describeImage(page));
  paintPicture(after.canvas, decode(panel.model, mu, 1), images, `what the ${panel.name} makes of it`);
}

// The pad paints pixels of the networks' own size, with a soft round brush.
class Pad {
  constructor(page, canvas) {
    const { images } = page.data;
    Object.assign(this, { page, canvas, images, x: new Float64Array(images.D).fill(images.range[0]) });
    this.at = [images.shape[1] / 2, images.shape[0] / 2];
    this.usesKeys = false;
    canvas.addEventListener("pointerdown", (event) => {
      canvas.setPointerCapture(event.pointerId);
      this.last = null;
      this.follow(event);
    });
    canvas.addEventListener("pointermove", (event) => {
      if (canvas.hasPointerCapture(event.pointerId)) this.follow(event);
    });
    canvas.addEventListener("keydown", (event) => this.press(event));
  }

  follow(event) {
    this.usesKeys = false;
    const box = this.canvas.getBoundingClientRect(),
      [height, width] = this.images.shape;
    const to = [
      ((event.clientX - box.left) / box.width) * width,
      ((event.clientY - box.top) / box.height) * height,
    ];
    const from = this.last || to,
      steps = Math.ceil(4 * Math.hypot(to[0] - from[0], to[1] - from[1])) || 1;
    for (let s = 1; s <= steps; s++)
      this.paint(...[0, 1].map((k) => from[k] + ((to[k] - from[k]) * s) / steps));
    this.last = to;
    this.publish();
  }

  press(event) {
    const moves = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
    const move = moves[event.key],
      [height, width] = this.images.shape;
    if (!move && event.key !== " ") return;
    event.preventDefault();
    this.usesKeys = true;
    if (move) {
      this.at = [0, 1].map((k) => Math.min(Math.max(this.at[k] + move[k], 0.5), [width, height][k] - 0.5));
      this.draw();
    } else {
      this.paint(...this.at);
      this.publish();
    }
  }

  paint(x, y) {
    const [height, width] = this.images.shape,
      [low, high] = this.images.range,
      radius = 0.065 * height + 0.3;
    for (let row = 0; row < height; row++) {
      for (let column = 0; column < width; column++) {
        const distance = Math.hypot(column + 0.5 - x, row + 0.5 - y);
        const ink = low + (high - low) * Math.min(1, Math.max(0, radius + 0.5 - distance));
        const i = row * width + column;
        this.x[i] = Math.max(this.x[i], ink);
      }
    }
  }

  clear() {
    this.x.fill(this.images.range[0]);
    this.page.own = null;
    this.page.update();
  }

  publish() {
    this.page.own = this.x.slice();
    this.page.update();
  }

  draw() {
    const label = this.canvas.getAttribute("aria-label"),
      size = this.canvas.clientWidth;
    paintPicture(this.canvas, this.x, this.images, label);
    this.canvas.setAttribute("role", "application");
    if (!this.usesKeys) return;
    const context = this.canvas.getContext("2d"),
      unit = size / this.images.shape[1];
    context.strokeStyle = colourOf("mark");
    context.lineWidth = 2;
    context.strokeRect((this.at[0] - 0.5) * unit, (this.at[1] - 0.5) * unit, unit, unit);
  }
}
