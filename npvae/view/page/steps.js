// What each step of the tour lays over the planes (`overlays`), and what it shows below them (`below`).

const N_GRID = 10;

// Quantiles of N(0, 1) at (i + 1/2) / n, by bisection of its distribution function.
function normalQuantiles(n) {
  return Array.from({ length: n }, (_, i) => {
    let [low, high] = [-8, 8];
    for (let k = 0; k < 60; k++) {
      const middle = (low + high) / 2;
      if (normalBelow(middle) < (i + 0.5) / n) low = middle;
      else high = middle;
    }
    return (low + high) / 2;
  });
}

// P(Z <= x) for Z ~ N(0, 1): Simpson's rule from 0.
function normalBelow(x) {
  const steps = 100,
    h = x / steps,
    density = (t) => Math.exp((-t * t) / 2) / Math.sqrt(2 * Math.PI);
  let sum = 0;
  for (let i = 0; i < steps; i++) sum += density(i * h) + 4 * density((i + 0.5) * h) + density((i + 1) * h);
  return 0.5 + (sum * h) / 6;
}

// Points (100, Z) on the plane at the quantiles of N(0, I); the first row is the top.
function priorGrid(plane) {
  const q = normalQuantiles(N_GRID),
    Z = plane.Z,
    points = new Float64Array(N_GRID * N_GRID * Z),
    origin = Array(Z).fill(0);
  for (let i = 0; i < N_GRID * N_GRID; i++) {
    points.set(plane.moved(origin, q[i % N_GRID], q[N_GRID - 1 - Math.floor(i / N_GRID)]), i * Z);
  }
  return points;
}

function showGrid(page, panel) {
  const { images } = page.data,
    points = priorGrid(panel.plane),
    n = N_GRID * N_GRID;
  const canvas = make("canvas"),
    x = decode(panel.model, points, n);
  panel.below.append(canvas);
  paintImages(
    page,
    canvas,
    x,
    n,
    N_GRID,
    `${n} points at the quantiles of N(0, I), decoded by the ${panel.name}`,
    { gap: 1 },
  );
  if (!images.classify) return;
  const found = describeCounts(images, readImages(images, x, n));
  panel.below.append(make("p", { className: "found" }, "The grid: ", make("strong", {}, found), "."));
}

// The decoded cursor beside the image whose code is nearest.
function showPoint(page, panel) {
  const { images } = page.data,
    { z } = page.state,
    { index, distance } = panel.plane.nearest(z);
  const decoded = makeFigure("decoded"),
    near = makeFigure("nearest code");
  const words = make("span", {}, `${formatPoint(z)} is ${formatNumber(distance)} from the nearest code`);
  if (images.labels) words.append(`, ${nameOf(images, images.labels[index])}`);
  words.append(`, and ${Math.hypot(...z) > page.data.prior_radius ? "outside" : "inside"} 99 % of N(0, I)`);
  panel.below.append(make("div", { className: "pair" }, decoded.figure, near.figure, words));
  paintPicture(
    decoded.canvas,
    decode(panel.model, Float64Array.from(z), 1),
    images,
    `the ${panel.name} at this point`,
  );
  paintPicture(near.canvas, images.row(index), images, `test image ${index}`);
}

// What the decoder was trained on: around an AE's code, the distance within which 99 % of the codes have a
// neighbour; around a VAE's, the ellipsoid of 99 % of its noise. Outside all of these is a gap.
function gapsOf(page, panel) {
  const { codes, count, Z } = panel.plane,
    { images, prior_radius } = page.data,
    z = page.drawPoints;
  const row = (rows, i) => rows.subarray(i * Z, (i + 1) * Z);
  const isVae = panel.kind === "vae",
    indices = Array.from({ length: count }, (_, i) => i);
  const x = images.pixels.subarray(0, count * images.D),
    stds = isVae
      ? mapArray(encode(panel.model, x, count).logVar, stdOfLogVariance)
      : new Float64Array(codes.length).fill(1);
  const between = () => indices.map((i) => nearestOf(codes, count, row(codes, i), i).distance),
    limit = isVae ? prior_radius : between().sort((a, b) => a - b)[Math.floor(0.99 * (count - 1))];
  // The distance from code i, for a VAE in standard deviations of its noise.
  const from = (i, point) => {
    let square = 0;
    for (let k = 0, j = i * Z; k < Z; k++, j++) square += ((codes[j] - point[k]) / stds[j]) ** 2;
    return Math.sqrt(square);
  };
  const distance = (point) => {
    let least = Infinity;
    for (let i = 0; i < count; i++) least = Math.min(least, from(i, point));
    return least;
  };
  const points = Array.from({ length: N_COUNTED }, (_, i) => row(z, i));
  return {
    limit,
    distance,
    near: points.filter((point) => distance(point) <= limit).length / N_COUNTED,
    reached: indices.filter((i) => points.some((point) => from(i, point) <= limit)).length / count,
  };
}

function showGaps(page, panel) {
  const { near, reached, limit, distance } = panel.gaps,
    isVae = panel.kind === "vae",
    here = distance(page.state.z);
  const where = isVae ? "inside the noise of a code" : "near a code",
    words = `${formatShare(near)} of ${N_COUNTED} draws fall ${where}. They reach `,
    found = make("p", { className: "found" }, words);
  found.append(make("strong", {}, `${formatShare(reached)} of the codes`), ".");
  const far = `The + is ${formatNumber(here)}${isVae ? " std" : ""} from the nearest code: `,
    [verdict, sign] = here <= limit ? ["not a gap", "≤"] : ["a gap", ">"];
  panel.below.append(
    found,
    make("p", { className: "gap" }, far, make("b", {}, verdict), ` (${sign} ${formatNumber(limit)}).`),
  );
  showPoint(page, panel);
}

// Shades the plane in the gaps; in two dimensions only.
const gapOverlay = (panel) => (context, plane) => {
  if (plane.Z !== 2) return;
  if (panel.gapCells?.base !== plane.base) panel.gapCells = findGapCells(plane, panel.gaps);
  context.fillStyle = colourOf("mark");
  context.globalAlpha = 0.16;
  for (const [x, y, size] of panel.gapCells.cells) context.fillRect(x, y, size, size);
};

function findGapCells(plane, { limit, distance }) {
  const size = 4,
    cells = [];
  for (let x = 0; x < plane.width; x += size) {
    for (let y = 0; y < plane.height; y += size) {
      const u = plane.toU(x + size / 2),
        v = plane.toV(y + size / 2);
      if (distance([u, v]) > limit) cells.push([x, y, size]);
    }
  }
  return { base: plane.base, cells };
}

function nearestOverlay(page, panel) {
  const { z } = page.state,
    { index, distance } = panel.plane.nearest(z),
    { codes, Z } = panel.plane;
  return lineOverlay(z, codes.subarray(index * Z, (index + 1) * Z), formatNumber(distance));
}

function codeOverlay(page, panel) {
  return ringOverlay(encode(panel.model, currentImage(page), 1).mu);
}

// `depends` names what `below` is computed from, so that it is not computed again for every movement.
const STEP_VIEWS = {
  draw: {
    overlays: (page) => [crossesOverlay(page.drawPoints, N_SHOWN)],
    depends: (page) => [page.state.seed],
    below: (page, panel) => {
      showRedrawn(page, panel);
      showInvented(page, panel.below, page.data.images, page.draws[panel.kind]);
    },
    hasNoPoint: true,
  },
  codes: {
    overlays: (page, panel) => [codeOverlay(page, panel)],
    depends: (page) => [page.state.image, page.ownVersion],
    below: showReconstruction,
    picks: true,
  },
  point: {
    overlays: (page, panel) => [nearestOverlay(page, panel), cursorOverlay(page.state.z)],
    depends: (page) => [page.state.z],
    below: showPoint,
  },
  gaps: {
    overlays: (page, panel) => [gapOverlay(panel), nearestOverlay(page, panel), cursorOverlay(page.state.z)],
    depends: (page) => [page.state.z, page.state.seed],
    below: showGaps,
  },
  "prior-ae": {
    overlays: (page, panel) => [
      crossesOverlay(priorGrid(panel.plane), N_GRID ** 2, 2),
      cursorOverlay(page.state.z),
    ],
    depends: () => [],
    below: showGrid,
    focus: "ae",
  },
  "prior-vae": {
    overlays: (page, panel) => [
      crossesOverlay(priorGrid(panel.plane), N_GRID ** 2, 2),
      cursorOverlay(page.state.z),
    ],
    depends: () => [],
    below: showGrid,
    focus: "vae",
  },
  posterior: {
    overlays: (page, panel) => (panel.kind === "vae" ? posteriorOverlays(page) : [codeOverlay(page, panel)]),
    depends: (page) => [page.state.image, page.ownVersion, page.state.eps, page.state.seed],
    below: (page, panel) => (panel.kind === "vae" ? showPosterior : showReconstruction)(page, panel),
    picks: true,
  },
  "log-variance": {
    overlays: (page) => logVarianceOverlays(page),
    depends: (page) => [page.state.image, page.ownVersion, page.state.logVar, page.state.rawVar],
    below: showVariances,
    picks: true,
  },
};
