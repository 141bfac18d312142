// Draws from N(0, I): decoded, classified, counted.

const N_SHOWN = 24,
  N_COUNTED = 300;

// The same latent points for both models, from the seed.
function drawPoints(page) {
  return normals(N_COUNTED * page.data.vae.network.latent_dim, normalFrom(uniformFrom(page.state.seed)));
}

// How many of n images each class has.
function countClasses(images, classes) {
  const counts = Array(images.classes.length).fill(0);
  for (const index of classes) counts[index] += 1;
  return counts;
}

// exp(entropy) of shares: the number of equally frequent classes that would vary as much.
function effectiveNumber(counts) {
  const total = counts.reduce((a, b) => a + b, 0);
  return Math.exp(-counts.reduce((sum, c) => sum + (c > 0 ? (c / total) * Math.log(c / total) : 0), 0));
}

function decodeDraws(model, images, z) {
  const n = z.length / model.network.latent_dim,
    x = decode(model, z, n);
  const classes = images.classify ? images.classify(x, n) : null;
  return { x, classes, counts: classes && countClasses(images, classes) };
}

// "0 and 6 make up 71 %": the two most frequent classes.
function describeCounts(images, counts) {
  const total = counts.reduce((a, b) => a + b, 0);
  const order = counts
    .map((_, k) => k)
    .filter((k) => counts[k] > 0)
    .sort((a, b) => counts[b] - counts[a])
    .slice(0, 2);
  const share = order.reduce((sum, k) => sum + counts[k], 0) / total;
  const names = order.map((k) => images.classes[k]).join(" and ");
  return `${names} ${order.length === 1 ? "makes" : "make"} up ${formatShare(share)}`;
}

function paintBars(page, svg, images, counts) {
  const width = svg.clientWidth,
    C = counts.length,
    step = width / C,
    height = 42;
  const total = counts.reduce((a, b) => a + b, 0),
    most = Math.max(...counts, (2.2 * total) / C);
  svg.setAttribute("viewBox", `0 0 ${width} 62`);
  svg.setAttribute("role", "img");
  const listed = images.classes.map((name, k) => `${name}: ${counts[k]}`).join(", ");
  svg.setAttribute("aria-label", `Of ${total} draws, how many show each ${images.noun}: ${listed}`);
  const colours = classColours(page),
    level = height - (height * total) / C / most;
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
    n = draws.x.length / images.D;
  const shown = draws.classes && draws.classes.slice(0, N_SHOWN),
    found = make("p", { className: "found" }, "invented");
  below.append(found, canvas);
  const list = shown ? `: ${shown.map((k) => images.classes[k]).join(", ")}` : "";
  paintImages(page, canvas, draws.x, N_SHOWN, columns, `${N_SHOWN} decoded draws from N(0, I)${list}`, {
    images,
    classes: shown,
  });
  if (!shown) return;
  found.append(
    `: ${N_SHOWN} draws show `,
    make("strong", {}, `${new Set(shown).size} of ${images.classes.length} ${images.nouns}`),
  );
  const bars = makeSvg("svg", { class: "bars" });
  below.append(
    bars,
    make(
      "p",
      { className: "note" },
      `In ${n} draws, ${describeCounts(images, draws.counts)}. Dashed: equal shares.`,
    ),
  );
  paintBars(page, bars, images, draws.counts);
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

// The heading is a claim, and it depends on what was counted; without classes, on where the codes lie.
function claimFor(page) {
  const { images, prior_radius } = page.data,
    start = `Both networks redraw these ${images.things}. `;
  const variety = (kind) => effectiveNumber(page.draws[kind].counts);
  const share = (kind) =>
    shareInPrior(page.data[kind].codes, page.data[kind].network.latent_dim, prior_radius);
  const [measure, margin] = images.classify ? [variety, 0.5] : [share, 0];
  const shown = measure("vae") > measure("ae") + margin;
  return start + (shown ? "Only one can invent new ones." : "Which of them can invent new ones?");
}

// A share of codes: those within the radius that holds 99 % of N(0, I).
function shareInPrior(codes, Z, radius) {
  const n = codes.length / Z;
  let inside = 0;
  for (let i = 0; i < n; i++) inside += Math.hypot(...codes.subarray(i * Z, (i + 1) * Z)) <= radius;
  return inside / n;
}
