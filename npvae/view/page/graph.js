// The gradient path as cards with arrows between them.

const NODES = {
  x: { title: "image" },
  mu: { title: "mu", formula: "the mean", vector: true },
  log_var: { title: "log_var", formula: "ln std²", vector: true },
  std: { title: "std", formula: "exp(log_var / 2)", vector: true },
  eps: { title: "eps", formula: "from N(0, 1)", vector: true },
  z: { title: "z", formula: "mu + std · eps", vector: true },
  rec: { title: "reconstruction", formula: "−ln p(x | z)", name: "reconstruction" },
  kl: { title: "KL", formula: "of N(mu, std²)" },
  loss: { title: "loss", formula: "rec. + beta · KL" },
};

// Gradients flow from the first node to the second. Sides are those of the wide and of the narrow layout.
const EDGES = [
  ["loss", "rec", "left right", "top bottom"],
  ["loss", "kl", "bottom right", "left bottom"],
  ["rec", "z", "left right", "top bottom"],
  ["z", "mu", "left right", "left right"],
  ["z", "std", "top-left bottom", "right right"],
  ["z", "eps", "top bottom", "top bottom"],
  ["std", "log_var", "left right", "left right"],
  ["kl", "mu", "top bottom", "top bottom"],
  ["kl", "log_var", "left left", "left left"],
];
const CUT_BY_DIRECT_DRAW = ["z-mu", "z-std", "z-eps", "std-log_var"];

const at = (value, dim) => (typeof value === "number" ? value : value[dim]);

// What reaches the edge's end, and, as lines of text, the local factor by which it was multiplied.
function flowOf(edge, trace, dim, beta) {
  const part = (name, which) => at(trace[name][which], dim),
    value = (name) => at(trace[name].value, dim);
  const equals = (number) => `= ${formatNumber(number)}`;
  return {
    "loss-rec": () => ({ rec: 1, factor: ["× 1"] }),
    "loss-kl": () => ({ kl: beta, factor: ["× beta", equals(beta)] }),
    "rec-z": () => ({ rec: part("z", "rec"), factor: ["through the", "decoder"] }),
    "z-mu": () => ({ rec: part("mu", "rec"), factor: ["× 1"] }),
    "z-std": () => ({ rec: part("std", "rec"), factor: ["× eps", equals(value("eps"))] }),
    "z-eps": () => ({ rec: part("eps", "rec"), factor: ["× std", equals(value("std"))] }),
    "std-log_var": () => ({ rec: part("log_var", "rec"), factor: ["× std / 2", equals(value("std") / 2)] }),
    "kl-mu": () => ({ kl: part("mu", "kl"), factor: ["× mu", equals(value("mu"))] }),
    "kl-log_var": () => ({
      kl: part("log_var", "kl"),
      factor: ["× (e^log_var", "− 1) / 2", equals(Math.expm1(value("log_var")) / 2)],
    }),
  }[edge]();
}

// Builds the cards once; `onWiggle(name, id)` is called by their buttons, `onLook(id)` when one is pointed at.
function buildGraph(graph, onWiggle, onLook) {
  const cards = {};
  for (const [id, { title, formula, name = id }] of Object.entries(NODES)) {
    const card = make("div", { className: "node" }, make("h4", {}, title));
    card.style.gridArea = id;
    if (id === "x") {
      card.append(make("canvas"), make("div", { className: "note" }, "encoder"));
    } else {
      const button = make("button", { type: "button" }, "wiggle"),
        status = make("p", { className: "wiggled" });
      button.setAttribute("aria-label", `wiggle ${title}`);
      button.addEventListener("click", () => onWiggle(name, id));
      status.setAttribute("role", "status");
      card.append(
        make("div", { className: "note" }, formula),
        make("div", { className: "value" }, make("span"), button),
        make("dl"),
        status,
      );
    }
    for (const event of ["pointerenter", "focusin"]) card.addEventListener(event, () => onLook(id));
    cards[id] = card;
  }
  const average = make("div", { id: "average" });
  average.setAttribute("aria-live", "polite");
  const svg = (name) => makeSvg("svg", { class: name, "aria-hidden": "true" });
  graph.replaceChildren(
    svg("arrows"),
    ...Object.values(cards),
    average,
    make("div", { id: "lines" }),
    svg("labels"),
  );
  return cards;
}

// Writes values and gradients on the cards; gradients have a label, not only a colour.
function fillGraph(cards, trace, dim, Z, isDirect) {
  cards.z.querySelector(".note").textContent = isDirect ? "drawn from N(mu, std²)" : NODES.z.formula;
  for (const [id, { title, vector, name = id }] of Object.entries(NODES)) {
    if (id === "x") continue;
    const card = cards[id],
      node = trace[name],
      index = vector && Z > 1 ? `[${dim}]` : "";
    card.querySelector("h4").textContent = title + index;
    card.querySelector(".value span").textContent = formatNumber(at(node.value, dim), 3);
    card.querySelector(".wiggled").textContent = "";
    const lines = [
      ["reconstr.", "rec"],
      ["KL", "kl"],
    ].flatMap(([label, which]) => [
      make("dt", { className: which }, label),
      make("dd", { className: which }, formatNumber(at(node[which], dim), 3)),
    ]);
    card.querySelector("dl").replaceChildren(...lines);
  }
}

function anchor(card, frame, side) {
  const box = card.getBoundingClientRect(),
    x = box.left - frame.left,
    y = box.top - frame.top;
  return {
    left: [x, y + box.height / 2, -1, 0],
    right: [x + box.width, y + box.height / 2, 1, 0],
    top: [x + box.width / 2, y, 0, -1],
    "top-left": [x + box.width / 5, y, 0, -1],
    bottom: [x + box.width / 2, y + box.height, 0, 1],
  }[side];
}

// Arrows from the loss back to mu and log_var, as wide as the gradient that arrives.
function drawArrows(graph, cards, trace, dim, beta, isDirect) {
  const frame = graph.getBoundingClientRect(),
    shapes = [],
    labels = [];
  const isWide = cards.x.clientWidth > 0; // narrow screens do not show it
  const flows = EDGES.map(([from, to]) => flowOf(`${from}-${to}`, trace, dim, beta));
  const largest = Math.max(...flows.map(({ rec = 0, kl = 0 }) => Math.abs(rec || kl)));
  EDGES.forEach(([from, to, wide, narrow], i) => {
    const [start, end] = (isWide ? wide : narrow).split(" ");
    const [x1, y1, dx1, dy1] = anchor(cards[from], frame, start),
      [x2, y2, dx2, dy2] = anchor(cards[to], frame, end);
    const isCut = isDirect && CUT_BY_DIRECT_DRAW.includes(`${from}-${to}`);
    const size = Math.abs(flows[i].rec || flows[i].kl || 0),
      width = isCut ? 0 : 1.5 + (14 * size) / largest;
    const head = Math.max(8, 0.9 * width),
      [ex, ey] = [x2 + head * dx2, y2 + head * dy2];
    const bend = start === end ? 34 : Math.max(14, Math.hypot(ex - x1, ey - y1) / 2.5);
    const [cx1, cy1, cx2, cy2] = [x1 + bend * dx1, y1 + bend * dy1, ex + bend * dx2, ey + bend * dy2];
    const d = `M${x1} ${y1} C${cx1} ${cy1} ${cx2} ${cy2} ${ex} ${ey}`,
      kind = flows[i].kl === undefined ? "rec" : "kl";
    if (isCut) {
      shapes.push(makeSvg("path", { d, class: "cut" }));
    } else {
      const [px, py] = [dy2 * head * 0.8, dx2 * head * 0.8];
      shapes.push(makeSvg("path", { d, class: `flow ${kind}`, "stroke-width": width }));
      shapes.push(
        makeSvg("path", {
          d: `M${x2} ${y2} L${ex + px} ${ey + py} L${ex - px} ${ey - py} Z`,
          class: `head ${kind}`,
        }),
      );
    }
    const middle = (a, b, c, e) => (a + 3 * b + 3 * c + e) / 8;
    const lines = isCut ? ["cut"] : flows[i].factor,
      isAround = !isWide && start === end; // along the screen's edge
    const isShort = !isWide && y1 === y2; // no room between two cards
    const x = isAround ? Math.min(Math.max(x2, 44), frame.width - 44) : middle(x1, cx1, cx2, ex);
    const y =
      isAround || isShort
        ? anchor(cards[to], frame, "bottom")[1] + 14
        : middle(y1, cy1, cy2, ey) + 4 - 7 * (lines.length - 1);
    lines.forEach((line, k) => labels.push(makeSvg("text", { x, y: y + 14 * k }, line)));
  });
  const [ix, iy] = anchor(cards.x, frame, "right");
  for (const id of isWide ? ["mu", "log_var"] : []) {
    const [x, y] = anchor(cards[id], frame, "left");
    shapes.unshift(
      makeSvg("path", { d: `M${ix} ${iy} C${ix + 24} ${iy} ${x - 24} ${y} ${x} ${y}`, class: "forward" }),
    );
  }
  graph.querySelector(".arrows").replaceChildren(...shapes);
  graph.querySelector(".labels").replaceChildren(...labels);
}

class PathView {
  constructor(page) {
    this.page = page;
    this.graph = document.getElementById("graph");
    this.cards = buildGraph(
      this.graph,
      (name, id) => this.wiggle(name, id),
      (id) => this.look(id),
    );
    this.fillSource();
    this.look("z");
  }

  get beta() {
    return this.page.data.vae.network.beta;
  }

  show() {
    const { page, cards } = this,
      { eps, dim, direct } = page.state,
      model = page.data.vae;
    const { images } = page.data,
      x = currentImage(page);
    this.trace = tracePath(model, x, eps, this.beta, direct);
    fillGraph(cards, this.trace, dim, model.network.latent_dim, direct);
    paintPicture(cards.x.querySelector("canvas"), x, images, describeImage(page));
    drawArrows(this.graph, cards, this.trace, dim, this.beta, direct);
    document.getElementById("direct").checked = direct;
    document.getElementById("direct-note").hidden = !direct;
    document.querySelector('[data-action="average"]').disabled = direct;
    this.fillDims();
    this.clearAverage();
  }

  fillDims() {
    const { page } = this,
      Z = page.data.vae.network.latent_dim,
      parent = document.getElementById("path-dims");
    if (parent.childElementCount !== Z) {
      parent.replaceChildren(
        ...Array.from({ length: Z }, (_, i) => {
          const button = make("button", { type: "button" }, `dim ${i}`);
          button.addEventListener("click", () => page.set({ dim: i }));
          return button;
        }),
      );
    }
    [...parent.children].forEach((button, i) =>
      button.setAttribute("aria-pressed", String(i === page.state.dim)),
    );
  }

  gradientOf(name) {
    const { rec, kl } = this.trace[name],
      { dim } = this.page.state;
    return at(rec, dim) + at(kl, dim);
  }

  wiggle(name, id) {
    const { page } = this,
      { dim, direct } = page.state;
    const numeric = wiggle(page.data.vae, currentImage(page), this.trace, name, dim, this.beta, direct);
    const error = Math.abs(numeric - this.gradientOf(name)).toExponential(0);
    const text = `loss changes by ${formatNumber(numeric, 4)} a unit; backward pass ${formatNumber(this.gradientOf(name), 4)}; difference ${error}`;
    this.cards[id].querySelector(".wiggled").textContent = text;
    drawArrows(this.graph, this.cards, this.trace, dim, this.beta, direct);
  }

  clearAverage() {
    this.run = (this.run || 0) + 1;
    document.getElementById("average").replaceChildren();
  }

  async average(draws = 1000) {
    this.clearAverage();
    const { page, run } = this,
      { dim } = page.state,
      out = document.getElementById("average");
    const normal = normalFrom(uniformFrom(page.state.seed)),
      isStale = () => run !== this.run;
    const report = (n) => (out.textContent = `${n} of ${draws}`);
    const found = await averageOverEps(page.data.vae, currentImage(page), draws, normal, report, isStale);
    if (found === null) return;
    const row = (name) => {
      const { mean, sd } = found[name][dim],
        once = at(this.trace[name].rec, dim);
      return make(
        "tr",
        {},
        ...[name, once, mean, sd].map((cell, i) =>
          make(i ? "td" : "th", {}, i ? formatNumber(cell, 3) : cell),
        ),
      );
    };
    const heads = ["from reconstr.", "this eps", "mean", "sd"].map((text) =>
      make("th", { scope: "col" }, text),
    );
    const table = make(
      "table",
      {},
      make("caption", {}, `Gradients over ${draws.toLocaleString("en")} draws of eps`),
      make("thead", {}, make("tr", {}, ...heads)),
      make("tbody", {}, row("mu"), row("log_var")),
    );
    out.replaceChildren(table);
  }

  // Lights up a node with its lines of npvae, forward and backward.
  look(id) {
    const lines = SOURCE_OF[id];
    for (const [other, card] of Object.entries(this.cards)) card.classList.toggle("lit", other === id);
    for (const row of document.querySelectorAll("#source tbody tr"))
      row.classList.toggle("lit", lines.includes(row.dataset.line));
    const shown = lines.map((line) => {
      const { where, code } = this.page.data.source[line];
      return make("div", {}, make("code", {}, code), make("span", { className: "note" }, ` ${where}`));
    });
    document.getElementById("lines").replaceChildren(make("b", {}, `${NODES[id].title} in npvae`), ...shown);
  }

  fillSource() {
    const rows = Object.entries(SOURCE_TITLES).map(([node, title]) => {
      const { where, code } = this.page.data.source[node];
      return make(
        "tr",
        { "data-line": node },
        make("th", { scope: "row" }, title),
        make("td", {}, make("code", {}, code)),
        make("td", {}, where),
      );
    });
    const heads = ["node", "line of npvae", "where"].map((text) => make("th", { scope: "col" }, text));
    const table = make(
      "table",
      {},
      make("caption", {}, "The same path in npvae's source"),
      make("thead", {}, make("tr", {}, ...heads)),
      make("tbody", {}, ...rows),
    );
    const source = document.getElementById("source");
    source.replaceChildren(table);
    source.tabIndex = 0; // it scrolls sideways on narrow screens
    source.setAttribute("role", "region");
    source.setAttribute("aria-label", "npvae's source");
  }
}

const SOURCE_OF = {
  x: ["mu", "log_var"],
  mu: ["mu", "z_backward", "kl_backward"],
  log_var: ["log_var", "z_backward", "kl_backward"],
  std: ["std", "z_backward"],
  eps: ["z"],
  z: ["z", "decoder_backward"],
  rec: ["reconstruction", "decoder_backward"],
  kl: ["kl", "kl_backward"],
  loss: ["loss"],
};

const SOURCE_TITLES = {
  mu: "mu",
  log_var: "log_var",
  std: "std",
  z: "z",
  reconstruction: "reconstruction",
  kl: "KL",
  loss: "loss",
  decoder_backward: "z, backward",
  z_backward: "mu and log_var, backward",
  kl_backward: "KL, backward",
  joined: "where both paths join",
};
