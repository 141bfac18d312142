// The page: panels, tour, controls, and what is drawn again when something changes.

class Page {
  constructor(data) {
    this.data = data;
    this.fields = stateFields(data.vae.network.latent_dim, data.images.n_test, firstRecognised(data));
    this.state = stateFromFragment(location.hash, this.fields);
    Object.assign(this, { own: null, ownVersion: 0, epsDraws: 0, shown: new Map(), panels: {} });
    for (const kind of ["ae", "vae"])
      this.addPanel(
        kind,
        data[kind],
        data.images,
        ...(kind === "ae" ? ["AE", "Autoencoder (AE)"] : ["VAE", "Variational AE (VAE)"]),
      );
    const net = {
      axes: [
        [1, 0],
        [0, 1],
      ],
      codes: new Float64Array(0),
    };
    this.addPanel("net", net, data.training, "network", "Your network");
    this.pad = new Pad(this, document.getElementById("pad"));
    this.path = new PathView(this);
    this.redraw();
  }

  addPanel(kind, model, images, name, title) {
    const root = document.getElementById(kind);
    root.append(document.getElementById("panel").content.cloneNode(true));
    const find = (name) => root.querySelector(`.${name}`);
    find("name").textContent = title;
    const panel = {
      kind,
      model,
      root,
      name,
      decoded: find("decoded"),
      readout: find("readout"),
      below: find("below"),
      tagline: find("tagline"),
    };
    panel.plane = new Plane(this, find("plane"), images, model.axes, (u, v) => this.point(panel, u, v));
    panel.plane.setCodes(model.codes);
    panel.sliders = [0, 1].map((k) => {
      const names = panel.plane.Z === 2 ? ["z[0]", "z[1]"] : ["principal component 1", "principal component 2"];
      const input = make("input", { type: "range", step: "0.01" });
      input.setAttribute("aria-label", `${names[k]} in the plane of ${title}`);
      input.addEventListener("input", () => {
        const place = panel.plane.project(this.fullPoint(panel));
        place[k] = Number(input.value);
        this.movePoint(panel, ...place);
      });
      find("sliders").append(make("label", {}, names[k].replace("principal component", "PC"), input));
      return input;
    });
    this.panels[kind] = panel;
  }

  // The chosen point, of as many dimensions as the panel's model has.
  fullPoint(panel) {
    return this.state.z.slice(0, panel.plane.Z);
  }

  movePoint(panel, u, v) {
    const moved = panel.plane.moved(this.fullPoint(panel), u, v).map(round3);
    this.set({ z: [...moved, ...this.state.z.slice(moved.length)] });
  }

  // The pointer is at (u, v): it picks the nearest image in some steps, and a point in the others.
  point(panel, u, v) {
    const view = STEP_VIEWS[this.state.step];
    if (view && view.picks) this.chooseImage(panel.plane.nearestSeen(u, v));
    else if (!view?.hasNoPoint) this.movePoint(panel, u, v);
  }

  chooseImage(image) {
    if (image === this.state.image && !this.own) return;
    this.own = null;
    this.ownVersion += 1;
    this.set({ image });
    if (!this.state.pin) drawEps(this);
  }

  // Called after the reader's own drawing has changed.
  update() {
    this.ownVersion += 1;
    this.set({});
  }

  set(changes, isNewEntry = false) {
    Object.assign(this.state, changes);
    if ("seed" in changes) this.redraw();
    if (isNewEntry) writeFragment(fragmentFromState(this.state, this.fields), true);
    else if (!this.writing) {
      this.writing = setTimeout(() => {
        this.writing = null;
        writeFragment(fragmentFromState(this.state, this.fields), false);
      }, 200);
    }
    this.schedule();
  }

  schedule() {
    if (this.frame) return;
    this.frame = requestAnimationFrame(() => {
      this.frame = null;
      this.render();
    });
  }

  // Draws from N(0, I) again, from the seed.
  redraw() {
    const { images, ae, vae } = this.data;
    this.drawPoints = drawPoints(this);
    this.draws = {
      ae: decodeDraws(ae, images, this.drawPoints),
      vae: decodeDraws(vae, images, this.drawPoints),
    };
    for (const kind of ["ae", "vae"]) this.panels[kind].gaps = null;
  }

  goTo(step) {
    clearTimeout(this.writing);
    this.writing = null;
    const z = step === "point" ? this.fields.z.initial.slice() : this.state.z;
    this.set({ step, z }, true);
    scrollTo(0, 0);
    document.getElementById("words").focus({ preventScroll: true });
  }

  follow() {
    const state = stateFromFragment(location.hash, this.fields),
      isNewSeed = state.seed !== this.state.seed;
    this.state = state;
    if (isNewSeed) this.redraw();
    this.schedule();
  }

  // Everything is drawn again: after a change of size or theme.
  forget() {
    readTheme();
    this.shown.clear();
    for (const panel of Object.values(this.panels)) panel.plane.base = null;
    this.schedule();
  }

  render() {
    const { step } = this.state,
      view = STEP_VIEWS[step];
    document.body.dataset.step = step;
    for (const element of document.querySelectorAll("[data-steps]")) {
      element.hidden = !element.dataset.steps.split(" ").includes(step);
    }
    document.getElementById("claim").textContent = claimFor(this);
    document.getElementById("image").value = this.own ? "" : this.state.image;
    document.getElementById("pin").checked = this.state.pin;
    this.renderTour();
    if (view)
      for (const kind of ["ae", "vae"])
        if (!this.panels[kind].root.hidden) this.renderPanel(this.panels[kind], view);
    if (step === "codes") this.pad.draw();
    document.getElementById("direct-note").hidden = true;
    if (step === "path") this.path.show();
    if (step === "log-variance") showLogVarianceSide(this);
    if (step === "train") this.renderTraining();
    this.renderDimensions();
    this.announce();
  }

  renderPanel(panel, view) {
    const { kind, plane } = panel;
    panel.root.classList.toggle("focus", view.focus === kind);
    if (this.state.step === "gaps" && !panel.gaps) panel.gaps = gapsOf(this, panel);
    plane.draw(view.overlays(this, panel));
    const inside = shareInPrior(plane.codes, plane.Z, this.data.prior_radius);
    panel.tagline.textContent = `${formatShare(inside)} of the codes lie where N(0, I) draws`;
    if (!view.hasNoPoint) {
      const z = this.pointToDecode(panel, view);
      this.renderReadout(panel, view, z);
      this.renderSliders(panel, z);
    }
    this.once(`below-${kind}`, [this.state.step, panel.below.clientWidth, ...view.depends(this)], () => {
      panel.below.replaceChildren();
      view.below(this, panel);
    });
  }

  // The cursor; or the image's code, with its noise where the step is about that.
  pointToDecode(panel, view) {
    if (!view.picks) return Float64Array.from(this.state.z);
    if (panel.kind === "vae" && this.state.step !== "codes") return currentPosterior(this).z;
    return encode(panel.model, currentImage(this), 1).mu;
  }

  renderReadout(panel, view, z) {
    const { images } = this.data,
      x = decode(panel.model, z, 1),
      said = [];
    if (images.classify) {
      const { classes, sure } = images.classify(x, 1);
      said.push(`${sure[0] ? "looks like" : "unclear, perhaps"} ${nameOf(images, classes[0])}`);
    }
    if (!view.picks) {
      const { index, distance } = panel.plane.nearest(z);
      const near = images.labels ? ` (${nameOf(images, images.labels[index])})` : "";
      said.push(`nearest code ${formatNumber(distance)} away${near}`);
    }
    panel.says = said.join("; ");
    paintPicture(panel.decoded, x, images, `decoded by the ${panel.name}: ${panel.says}`);
    panel.readout.replaceChildren(make("b", {}, view.picks ? "decoded" : "at the +"), panel.says);
  }

  renderSliders({ plane, sliders, root }, z) {
    root.querySelector(".sliders").hidden = Boolean(STEP_VIEWS[this.state.step]?.picks);
    plane.project(z).forEach((value, k) => {
      const [low, high] = plane.limits[k];
      Object.assign(sliders[k], { min: Math.ceil(low * 100) / 100, max: Math.floor(high * 100) / 100 });
      sliders[k].value = value;
    });
  }

  renderTraining() {
    const panel = this.panels.net;
    this.trainer ??= new Trainer(this, panel);
    showTrainSide(this);
    panel.tagline.textContent = "64-64-2, on scikit-learn's digits";
    panel.readout.replaceChildren(make("b", {}, "at the +"), "what the network draws there");
    if (!this.trainer.isRunning) this.trainer.show();
    this.renderSliders(panel, this.fullPoint(panel));
  }

  renderTour() {
    const index = STEPS.findIndex(([id]) => id === this.state.step),
      list = document.getElementById("steps"),
      jump = document.getElementById("jump");
    if (list.childElementCount === 0) {
      list.append(
        ...STEPS.map(([id, title], i) =>
          make(
            "li",
            {},
            make("a", { href: `#step=${id}` }, make("b", {}, `${i + 1}`), make("span", {}, ` ${title}`)),
          ),
        ),
      );
      jump.append(...STEPS.map(([, title], i) => make("option", {}, `${i + 1} ${title}`)));
      jump.addEventListener("change", () => this.goTo(STEPS[jump.selectedIndex][0]));
      list.addEventListener("click", (event) => {
        const link = event.target.closest("a");
        if (!link) return;
        event.preventDefault();
        this.goTo(STEPS[[...list.children].indexOf(link.parentElement)][0]);
      });
    }
    jump.selectedIndex = index;
    [...list.children].forEach((item, i) => {
      const link = item.firstChild;
      if (i === index) link.setAttribute("aria-current", "step");
      else link.removeAttribute("aria-current");
    });
    document.querySelector('[data-action="back"]').disabled = index === 0;
    document.querySelector('[data-action="next"]').disabled = index === STEPS.length - 1;
  }

  // One slider for each latent dimension, where there are more than the plane shows.
  renderDimensions() {
    const { latent_dim: Z } = this.data.vae.network,
      section = document.getElementById("dimensions");
    const view = STEP_VIEWS[this.state.step];
    section.hidden = Z === 2 || !view || Boolean(view.picks || view.hasNoPoint);
    if (section.hidden) return;
    const parent = document.getElementById("dimension-sliders");
    if (parent.childElementCount === 0) {
      parent.append(
        ...Array.from({ length: Z }, (_, i) => {
          const input = make("input", { type: "range", min: "-8", max: "8", step: "0.01" });
          input.addEventListener("input", () =>
            this.set({ z: this.state.z.map((v, k) => (k === i ? Number(input.value) : v)) }),
          );
          return make("label", {}, `z[${i}]`, input);
        }),
      );
    }
    parent.querySelectorAll("input").forEach((input, i) => (input.value = this.state.z[i]));
  }

  // Tells a screen reader where the point is, at most twice a second.
  announce() {
    const views = STEP_VIEWS[this.state.step];
    if (this.announcing || !views || views.hasNoPoint) return;
    this.announcing = setTimeout(() => {
      this.announcing = null;
      const said = ["ae", "vae"]
        .filter((kind) => !this.panels[kind].root.hidden)
        .map((kind) => `${this.panels[kind].name}: ${this.panels[kind].says}`);
      const where = STEP_VIEWS[this.state.step]?.picks
        ? describeImage(this)
        : `z = ${formatPoint(this.state.z)}`;
      document.getElementById("live").textContent = `${where}. ${said.join(". ")}`;
    }, 500);
  }

  // Runs f when its inputs are not those of the last time.
  once(key, inputs, f) {
    const text = JSON.stringify(inputs);
    if (this.shown.get(key) === text) return;
    this.shown.set(key, text);
    f();
  }
}

function listen(page) {
  const index = () => STEPS.findIndex(([id]) => id === page.state.step);
  const actions = {
    back: () => page.goTo(STEPS[index() - 1][0]),
    next: () => page.goTo(STEPS[index() + 1][0]),
    "draw-again": () => page.set({ seed: (page.state.seed % 999999) + 1 }),
    "lecture-point": () => page.set({ z: page.fields.z.initial.slice() }),
    "next-image": () => page.chooseImage((page.state.image + 1) % page.data.images.n_test),
    "draw-eps": () => drawEps(page),
    average: () => page.path.average(),
    "clear-pad": () => page.pad.clear(),
    train: () => page.trainer.toggle(),
    restart: () => {
      page.trainer.restart();
      page.trainer.show();
    },
  };
  document.addEventListener("click", (event) => {
    const button = event.target.closest("[data-action]");
    if (button && !button.disabled) actions[button.dataset.action]();
  });
  const on = (id, event, f) => document.getElementById(id).addEventListener(event, (e) => f(e.target));
  on("image", "change", (input) => {
    const image = Number(input.value);
    if (Number.isInteger(image) && image >= 0 && image < page.data.images.n_test) page.chooseImage(image);
  });
  on("pin", "change", (input) => page.set({ pin: input.checked }));
  on("direct", "change", (input) => page.set({ direct: input.checked }));
  on("log-var", "input", (input) => page.set({ logVar: Number(input.value) }));
  on("raw-var", "input", (input) => page.set({ rawVar: Number(input.value) }));
  on("beta", "input", (input) => page.set({ beta: Number(input.value) }));
  for (const name of ["noise", "kl"]) {
    on(name, "change", (input) => {
      page.trainer.restart();
      page.set({ [name]: input.checked });
    });
  }
  addEventListener("hashchange", () => page.follow());
  addEventListener("popstate", () => page.follow());
  addEventListener("resize", () => page.forget());
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => page.forget());
}

// The page's words for its data: "digits" where the classes are 0 to 9.
function fillWords({ images, ae, vae, version }) {
  const Z = vae.network.latent_dim;
  const words = {
    a_thing: `${images.thing.match(/^[aeiou]/) ? "an" : "a"} ${images.thing}`,
    things: images.things,
    nouns: images.nouns,
    numbers: Z === 2 ? "two numbers" : `${Z} numbers`,
  };
  for (const span of document.querySelectorAll("[data-word]")) span.textContent = words[span.dataset.word];
  document.querySelector(".shaded").hidden = Z !== 2;
  const sizes = ({ network }) => [network.n_features, ...network.hidden, Z].join("-");
  const sentences = [
    `Autoencoder ${sizes(ae)} and VAE ${sizes(vae)}, trained for ${ae.epochs} and ${vae.epochs} epochs`,
    ` on ${images.name} by npvae ${version}; ${images.n_test} test images are shown.`,
    " Weights are rounded to 16 bits.",
    images.classify ? ` A small classifier reads the ${images.nouns}; it errs now and then.` : "",
  ];
  document.getElementById("about").textContent = sentences.join("");
}

async function start() {
  readTheme();
  const data = await unpackPage();
  fillWords(data);
  const page = new Page(data);
  listen(page);
  page.render();
  // For the console, and for the tests: everything the page computes with.
  globalThis.npvae = {
    page,
    engine: { makeModel, makeAdam, encode, decode, forward, backward, trainStep, tracePath, wiggle },
  };
}

start().catch((error) => {
  document.getElementById("claim").textContent =
    `This page could not start: ${error.message}. Try a current browser.`;
  throw error;
});
