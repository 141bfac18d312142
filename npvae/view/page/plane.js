// The latent plane of one model: codes, the circles of N(0, I), a cursor, and what a step lays over them.

const CIRCLES = [1, 2, 3];

class Plane {
  // `axes` are two orthonormal directions of latent space; `onPoint(u, v, isPress)` hears of the pointer.
  constructor(page, canvas, images, axes, onPoint) {
    Object.assign(this, { page, canvas, images, axes, codes: new Float64Array(0), base: null });
    const report = (event, isPress) => {
      const box = canvas.getBoundingClientRect();
      onPoint(this.toU(event.clientX - box.left), this.toV(event.clientY - box.top), isPress);
    };
    new ResizeObserver(() => page.schedule()).observe(canvas); // steps, and scroll bars, change its size
    canvas.addEventListener("pointerdown", (event) => {
      canvas.setPointerCapture(event.pointerId);
      report(event, true);
    });
    canvas.addEventListener("pointermove", (event) => {
      if (canvas.hasPointerCapture(event.pointerId)) report(event, false);
    });
  }

  get Z() {
    return this.axes[0].length;
  }

  get count() {
    return Math.min(this.codes.length / this.Z, this.images.n_test);
  }

  // Codes (n, Z) of the test images.
  setCodes(codes) {
    this.codes = codes;
    this.points = Array.from({ length: this.count }, (_, i) =>
      this.project(codes.subarray(i * this.Z, (i + 1) * this.Z)),
    );
    this.base = null;
  }

  // The coordinates (u, v) of a latent point in this plane.
  project(z) {
    return this.axes.map((axis) => axis.reduce((sum, a, i) => sum + a * z[i], 0));
  }

  // The latent point nearest to z whose coordinates are (u, v).
  moved(z, u, v) {
    const [u0, v0] = this.project(z);
    return Array.from(z, (value, i) => value + (u - u0) * this.axes[0][i] + (v - v0) * this.axes[1][i]);
  }

  // What the plane shows: all codes and all circles, the same length in both directions.
  look() {
    const us = [-3.2, 3.2, ...this.points.map((p) => p[0])],
      vs = [-3.2, 3.2, ...this.points.map((p) => p[1])];
    const [left, right, bottom, top] = [Math.min(...us), Math.max(...us), Math.min(...vs), Math.max(...vs)];
    const { clientWidth: width, clientHeight: height } = this.canvas;
    this.scale = 0.95 * Math.min(width / (right - left), height / (top - bottom));
    this.middle = [(left + right) / 2, (bottom + top) / 2];
    [this.width, this.height] = [width, height];
    this.limits = [width / 2 / this.scale, height / 2 / this.scale].map((half, k) => [
      this.middle[k] - half,
      this.middle[k] + half,
    ]);
  }

  toX(u) {
    return this.width / 2 + (u - this.middle[0]) * this.scale;
  }

  toY(v) {
    return this.height / 2 - (v - this.middle[1]) * this.scale;
  }

  toU(x) {
    return (x - this.width / 2) / this.scale + this.middle[0];
  }

  toV(y) {
    return (this.height / 2 - y) / this.scale + this.middle[1];
  }

  // Circles and codes do not change while the cursor moves, so they are kept as a picture.
  drawBase() {
    this.look();
    this.base = document.createElement("canvas");
    const context = scaleCanvas(this.base, this.width, this.height);
    context.strokeStyle = colourOf("quiet");
    context.fillStyle = colourOf("quiet");
    context.font = "12px system-ui, sans-serif";
    for (const radius of CIRCLES) {
      context.globalAlpha = 1 - 0.22 * radius;
      context.beginPath();
      context.arc(this.toX(0), this.toY(0), radius * this.scale, 0, 2 * Math.PI);
      context.stroke();
    }
    context.globalAlpha = 1;
    context.font = "11px system-ui, sans-serif";
    this.drawAxes(context);
    this.drawCodes(context);
    this.namePlaces = null;
  }

  drawCodes(context) {
    const { labels } = this.images,
      colours = labels ? classColours(this.page) : [colourOf("accent")];
    const size = this.width < 260 ? 1.6 : 2.2;
    context.globalAlpha = 0.75;
    for (const [k, colour] of colours.entries()) {
      context.fillStyle = colour;
      context.beginPath(); // one for all dots of a colour: drawing them one by one takes three times as long
      for (const [i, [u, v]] of this.points.entries()) {
        if (labels && labels[i] % colours.length !== k) continue;
        context.moveTo(this.toX(u) + size, this.toY(v));
        context.arc(this.toX(u), this.toY(v), size, 0, 2 * Math.PI);
      }
      context.fill();
    }
    context.globalAlpha = 1;
  }

  // The classes' names where their codes are, above everything else.
  drawNames(context) {
    const { labels, classes } = this.images;
    if (!labels) return;
    context.textAlign = "center";
    context.textBaseline = "middle";
    context.font = `bold ${this.width < 260 ? 13 : 15}px system-ui, sans-serif`;
    this.namePlaces ??= moveApart(
      classes.map((_, k) => this.medianOf(k)).map((p) => p && [this.toX(p[0]), this.toY(p[1])]),
      19,
    );
    for (const [k, place] of this.namePlaces.entries())
      if (place) drawHaloText(context, classes[k], ...place);
  }

  // Numbers along two sides, at steps of 1, 2 or 5.
  drawAxes(context) {
    const least = 48 / this.scale,
      power = 10 ** Math.floor(Math.log10(least));
    const step = [1, 2, 5, 10].map((k) => k * power).find((size) => size >= least);
    const numbersIn = ([low, high]) => {
      const first = Math.ceil(low / step),
        count = Math.floor(high / step) - first + 1;
      return Array.from({ length: count }, (_, i) => (first + i) * step);
    };
    const digits = step < 1 ? 1 : 0;
    context.textAlign = "center";
    for (const u of numbersIn(this.limits[0])) {
      const x = this.toX(u);
      if (x > 14 && x < this.width - 14) context.fillText(formatNumber(u, digits), x, this.height - 5);
    }
    context.textAlign = "left";
    for (const v of numbersIn(this.limits[1])) {
      const y = this.toY(v);
      if (y < this.height - 22 && y > 8) context.fillText(formatNumber(v, digits), 3, y + 4);
    }
  }

  medianOf(k) {
    const members = this.points.filter((_, i) => this.images.labels[i] === k);
    if (members.length === 0) return null;
    const middle = (values) => values.sort((a, b) => a - b)[values.length >> 1];
    return [middle(members.map((p) => p[0])), middle(members.map((p) => p[1]))];
  }

  draw(overlays) {
    this.canvas.setAttribute("aria-label", `The latent plane with the codes of ${this.count} test images`);
    const { clientWidth, clientHeight } = this.canvas;
    if (!this.base || this.width !== clientWidth || this.height !== clientHeight) this.drawBase();
    const { context } = fitCanvas(this.canvas);
    context.drawImage(this.base, 0, 0, this.width, this.height);
    for (const overlay of overlays) {
      context.save();
      overlay(context, this);
      context.restore();
    }
    this.drawNames(context);
  }

  // The code nearest to a latent point, in all dimensions.
  nearest(z) {
    return nearestOf(this.codes, this.count, z);
  }

  // The code that is seen nearest to (u, v).
  nearestSeen(u, v) {
    const squares = this.points.map((p) => (p[0] - u) ** 2 + (p[1] - v) ** 2);
    return squares.indexOf(Math.min(...squares));
  }
}

// Of n rows, other than row `except`, the one nearest to z.
function nearestOf(rows, n, z, except = -1) {
  const Z = z.length;
  let index = -1,
    least = Infinity;
  for (let i = 0; i < n; i++) {
    let square = 0;
    for (let k = 0; k < Z; k++) square += (rows[i * Z + k] - z[k]) ** 2;
    if (square < least && i !== except) [index, least] = [i, square];
  }
  return { index, distance: Math.sqrt(least) };
}

function drawHaloText(context, text, x, y) {
  context.lineWidth = 4;
  context.lineJoin = "round";
  context.strokeStyle = colourOf("paper");
  context.strokeText(text, x, y);
  context.fillStyle = colourOf("ink");
  context.fillText(text, x, y);
}

// Returns places (x, y), or null, moved until they are `least` apart or some rounds have passed.
function moveApart(given, least) {
  const places = given.slice();
  for (let round = 0; round < 30; round++) {
    for (let i = 0; i < places.length; i++) {
      for (let j = 0; j < i; j++) {
        if (!places[i] || !places[j]) continue;
        const [dx, dy] = [places[i][0] - places[j][0], places[i][1] - places[j][1]],
          distance = Math.hypot(dx, dy);
        if (distance >= least) continue;
        const [ux, uy] = distance > 0 ? [dx / distance, dy / distance] : [1, 0],
          push = (least - distance) / 2;
        places[i] = [places[i][0] + push * ux, places[i][1] + push * uy];
        places[j] = [places[j][0] - push * ux, places[j][1] - push * uy];
      }
    }
  }
  return places;
}

// Overlays: functions of a context and a plane.

const cursorOverlay = (z) => (context, plane) => {
  const [u, v] = plane.project(z),
    [x, y] = [plane.toX(u), plane.toY(v)];
  for (const [colour, width] of [
    [colourOf("paper"), 6],
    [colourOf("mark"), 3],
  ]) {
    context.strokeStyle = colour;
    context.lineWidth = width;
    context.beginPath();
    context.moveTo(x - 9, y);
    context.lineTo(x + 9, y);
    context.moveTo(x, y - 9);
    context.lineTo(x, y + 9);
    context.stroke();
  }
};

const crossesOverlay =
  (z, n, size = 4) =>
  (context, plane) => {
    const Z = plane.Z;
    for (const [colour, width] of [
      [colourOf("paper"), size],
      [colourOf("ink"), size > 2 ? 1.8 : 1],
    ]) {
      context.strokeStyle = colour;
      context.lineWidth = width;
      context.beginPath();
      for (let i = 0; i < n; i++) {
        const [u, v] = plane.project(z.subarray(i * Z, (i + 1) * Z)),
          [x, y] = [plane.toX(u), plane.toY(v)];
        context.moveTo(x - size, y - size);
        context.lineTo(x + size, y + size);
        context.moveTo(x - size, y + size);
        context.lineTo(x + size, y - size);
      }
      context.stroke();
    }
  };

const ringOverlay = (z) => (context, plane) => {
  const [u, v] = plane.project(z);
  for (const [colour, width] of [
    [colourOf("paper"), 5],
    [colourOf("mark"), 2.5],
  ]) {
    context.strokeStyle = colour;
    context.lineWidth = width;
    context.beginPath();
    context.arc(plane.toX(u), plane.toY(v), 7, 0, 2 * Math.PI);
    context.stroke();
  }
};

const lineOverlay = (from, to, text) => (context, plane) => {
  const [a, b] = [from, to].map((z) => plane.project(z)).map(([u, v]) => [plane.toX(u), plane.toY(v)]);
  context.strokeStyle = colourOf("mark");
  context.lineWidth = 2;
  context.setLineDash([4, 3]);
  context.beginPath();
  context.moveTo(...a);
  context.lineTo(...b);
  context.stroke();
  context.font = "bold 13px system-ui, sans-serif";
  context.textAlign = "center";
  const x = Math.min(Math.max((a[0] + b[0]) / 2, 24), plane.width - 24);
  drawHaloText(context, text, x, Math.max((a[1] + b[1]) / 2 - 8, 14));
};

// The outline of mu + k std, seen in the plane; in a plane of principal components, of the projected normal.
const ellipseOverlay =
  (mu, std, colourName = "mark") =>
  (context, plane) => {
    const [p, q] = plane.axes,
      [u, v] = plane.project(mu);
    const covariance = (a, b) => a.reduce((sum, _, i) => sum + a[i] * b[i] * std[i] ** 2, 0);
    const [uu, uv, vv] = [covariance(p, p), covariance(p, q), covariance(q, q)];
    const half = Math.hypot((uu - vv) / 2, uv),
      mean = (uu + vv) / 2,
      angle = Math.atan2(2 * uv, uu - vv) / 2;
    const radii = [mean + half, mean - half].map(
      (variance) => Math.sqrt(Math.max(variance, 0)) * plane.scale,
    );
    context.strokeStyle = colourOf(colourName);
    context.fillStyle = colourOf(colourName);
    context.lineWidth = 2;
    for (const [k, alpha] of [
      [2, 0.1],
      [1, 0.15],
    ]) {
      context.beginPath();
      context.ellipse(plane.toX(u), plane.toY(v), k * radii[0], k * radii[1], -angle, 0, 2 * Math.PI);
      context.globalAlpha = alpha;
      context.fill();
      context.globalAlpha = 1;
      context.stroke();
    }
  };
