// Training a 64-64-2 network on scikit-learn's digits, live.

const NETWORK = {
  kind: "vae",
  n_features: 64,
  latent_dim: 2,
  hidden: [64],
  activation: "relu",
  negative_slope: 0.01,
  likelihood: "bernoulli",
  noise_variance: 1,
  beta: 1,
};
const BATCH = 32,
  LEARNING_RATE = 1e-3,
  ENOUGH_STEPS = 5000,
  WORK = 9; // milliseconds of training in a frame
const CORNERS = [
  [false, false],
  [true, false],
  [false, true],
  [true, true],
];

// What each pair of switches leads to, shown once the network has had the time to get there.
const LESSON_AFTER = 1000; // steps
const LESSONS = {
  "false-false": "An AE: nothing says where the codes should lie, so draws from N(0, I) show few digits.",
  "true-false":
    "Noise alone: the network outruns it. It spreads the codes and shrinks std until the noise hardly matters.",
  "false-true": "KL alone: without noise, even tiny codes tell images apart, so they shrink.",
  "true-true": "A VAE: the noise keeps the codes from shrinking, and the KL keeps them from spreading.",
  collapse: "Posterior collapse: the KL has won. Every image has the same code, and all draws look alike.",
};

// The milliseconds that f takes.
function timeOf(f) {
  const begin = performance.now();
  f();
  return performance.now() - begin;
}

class Trainer {
  constructor(page, panel) {
    Object.assign(this, { page, panel, images: page.data.training, isRunning: false, found: new Map() });
    this.restart();
  }

  // The same first weights and the same order of images each time.
  restart() {
    const uniform = uniformFrom(7);
    this.model = {
      ...initialParameters(NETWORK, uniform),
      axes: [
        [1, 0],
        [0, 1],
      ],
    };
    Object.assign(this, {
      uniform,
      normal: normalFrom(uniform),
      adam: makeAdam(this.model.flat.length),
      steps: 0,
      order: [],
    });
    this.panel.model = this.model;
    Object.assign(this, {
      frames: 0,
      speed: null,
      codesShownAt: 0,
      allShownAt: 0,
      costOfCodes: 0,
      costOfAll: 0,
    });
    this.goal = ENOUGH_STEPS;
  }

  // Both switches: without noise z = mu, which eps = 0 gives; without the KL its weight is 0.
  get settings() {
    const { noise, kl, beta } = this.page.state;
    return { noise, beta: kl ? 2 ** beta : 0 };
  }

  nextBatch() {
    if (this.order.length < BATCH)
      this.order = shuffled(this.images.count - this.images.n_test, this.uniform);
    const x = new Float64Array(BATCH * this.images.D);
    for (let i = 0; i < BATCH; i++)
      x.set(this.images.row(this.images.n_test + this.order.pop()), i * this.images.D);
    return x;
  }

  step() {
    const { noise, beta } = this.settings,
      count = BATCH * NETWORK.latent_dim;
    const eps = noise ? normals(count, this.normal) : new Float64Array(count);
    trainStep(this.model, this.adam, this.nextBatch(), eps, BATCH, beta, LEARNING_RATE);
    this.steps += 1;
  }

  toggle() {
    this.isRunning = !this.isRunning;
    if (this.isRunning && this.steps >= this.goal) this.goal = this.steps + ENOUGH_STEPS;
    if (this.isRunning) requestAnimationFrame((now) => this.frame(now));
    this.begun = { time: performance.now(), steps: this.steps };
    this.show();
  }

  // One frame: some milliseconds of training, then the codes and, less often, the rest. What takes long to draw
  // is drawn less often, so that drawing takes about a third of the time; with reduced motion, twice a second.
  frame(now) {
    if (!this.isRunning) return;
    const begin = performance.now(),
      pause = matchMedia("(prefers-reduced-motion: reduce)").matches ? 500 : 0;
    while (performance.now() - begin < WORK && this.steps < this.goal) this.step();
    this.frames += 1;
    if (now - this.allShownAt > Math.max(pause, 250, 8 * this.costOfAll)) {
      this.costOfAll = timeOf(() => this.show());
      this.allShownAt = this.codesShownAt = now;
    } else if (now - this.codesShownAt > Math.max(pause, 3 * this.costOfCodes)) {
      this.costOfCodes = timeOf(() => this.showCodes());
      this.codesShownAt = now;
    }
    if (this.steps >= this.goal || this.page.state.step !== "train") this.toggle();
    else requestAnimationFrame((next) => this.frame(next));
  }

  showCodes() {
    const { images, panel } = this,
      n = images.n_test;
    this.codes = encode(this.model, images.pixels.subarray(0, n * images.D), n);
    panel.plane.setCodes(this.codes.mu);
    panel.plane.draw([cursorOverlay(this.page.state.z.slice(0, 2))]);
    paintPicture(
      panel.decoded,
      decode(this.model, Float64Array.from(this.page.state.z.slice(0, 2)), 1),
      images,
      "the network's image at the cursor",
    );
  }

  // The means over the test images, with the noise that the network is trained with.
  testLoss() {
    const { images } = this,
      n = images.n_test,
      mean = (a) => a.reduce((sum, v) => sum + v, 0) / n;
    const eps = this.settings.noise ? normals(2 * n, normalFrom(uniformFrom(11))) : new Float64Array(2 * n);
    const { reconstruction, kl } = forward(this.model, images.pixels.subarray(0, n * images.D), eps, n);
    return { reconstruction: mean(reconstruction), kl: mean(kl) };
  }

  show() {
    this.showCodes();
    const { panel, images, page } = this,
      z = normals(2 * N_COUNTED, normalFrom(uniformFrom(page.state.seed)));
    const draws = decodeDraws(this.model, images, z),
      { reconstruction, kl } = this.testLoss();
    panel.below.replaceChildren();
    // The classifier is confident of the grey images of an untrained network, too.
    showInvented(page, panel.below, images, this.steps > 0 ? draws : { x: draws.x });
    const seconds = this.begun ? (performance.now() - this.begun.time) / 1000 : 0;
    if (this.isRunning && seconds > 0.3) this.speed = (this.steps - this.begun.steps) / seconds;
    const speed = this.speed ? `, ${Math.round(this.speed).toLocaleString("en")} steps a second` : "";
    const words = `Step ${this.steps.toLocaleString("en")}${speed}. Test images: reconstruction ${formatNumber(reconstruction, 1)}, KL ${formatNumber(kl, 1)} nats.`;
    document.getElementById("progress").textContent = words;
    const button = document.querySelector('[data-action="train"]');
    button.textContent = this.isRunning ? "Pause" : this.steps === 0 ? "Train" : "Train on";
    if (this.steps > 0) this.remember(draws.counts, reconstruction);
    document.getElementById("lesson").textContent = this.steps >= LESSON_AFTER ? this.lesson : "";
    this.showCorners();
  }

  remember(counts, reconstruction) {
    const { noise, kl } = this.page.state,
      { mu, logVar } = this.codes,
      n = mu.length / 2;
    const sds = [0, 1].map((k) => {
      const values = mu.filter((_, i) => i % 2 === k),
        mean = values.reduce((a, b) => a + b) / n;
      return Math.sqrt(values.reduce((sum, v) => sum + (v - mean) ** 2, 0) / n);
    });
    const std = logVar.reduce((sum, v) => sum + Math.exp(v / 2), 0) / logVar.length;
    this.lesson = Math.max(...sds) < 0.1 ? LESSONS.collapse : LESSONS[`${noise}-${kl}`];
    this.found.set(`${noise}-${kl}`, { sds, std, digits: effectiveNumber(counts), reconstruction });
  }

  // The four corners, with a dash where nothing has been trained yet.
  showCorners() {
    const { noise, kl } = this.page.state,
      word = (flag) => (flag ? "on" : "off");
    const rows = CORNERS.map(([withNoise, withKl]) => {
      const found = this.found.get(`${withNoise}-${withKl}`);
      const cells = found
        ? [
            found.sds.map((sd) => formatNumber(sd, 1)).join(", "),
            withNoise || withKl ? formatNumber(found.std) : "unused",
            formatNumber(found.digits, 1),
            formatNumber(found.reconstruction, 1),
          ]
        : ["–", "–", "–", "–"];
      const row = make(
        "tr",
        {},
        make("th", { scope: "row" }, word(withNoise)),
        ...[word(withKl), ...cells].map((text) => make("td", {}, text)),
      );
      if (withNoise === noise && withKl === kl) row.setAttribute("aria-current", "true");
      return row;
    });
    document.querySelector("#corners tbody").replaceChildren(...rows);
  }
}

function showTrainSide(page) {
  const { noise, kl, beta } = page.state;
  document.getElementById("noise").checked = noise;
  document.getElementById("kl").checked = kl;
  document.getElementById("beta").value = beta;
  document.getElementById("beta").disabled = !kl;
  document.getElementById("beta-value").textContent = kl ? String(round3(2 ** beta)) : "0";
}
