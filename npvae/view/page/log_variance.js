// Two ways to read the encoder's second output as a standard deviation.

const stdOfLogVariance = (value) => Math.exp(value / 2);
const stdOfVariance = (value) => Math.sqrt(value); // NaN below 0

function logVarianceOverlays(page) {
  const { mu } = encode(page.data.vae, currentImage(page), 1),
    { logVar, rawVar } = page.state;
  const overlays = [
    ellipseOverlay(
      mu,
      Array.from(mu, () => stdOfLogVariance(logVar)),
      "kl",
    ),
  ];
  if (rawVar >= 0)
    overlays.push(
      ellipseOverlay(
        mu,
        Array.from(mu, () => stdOfVariance(rawVar)),
        "rec",
      ),
    );
  return overlays;
}

// Decoded draws around the current image's mean with each of the two standard deviations.
function showVariances(page, panel) {
  const { mu } = encode(panel.model, currentImage(page), 1),
    { logVar, rawVar } = page.state;
  const eps = normals(12 * mu.length, normalFrom(uniformFrom(page.state.seed)));
  for (const [label, std] of [
    ["log_var", stdOfLogVariance(logVar)],
    ["variance", stdOfVariance(rawVar)],
  ]) {
    if (Number.isNaN(std)) {
      panel.below.append(
        make(
          "p",
          { className: "found" },
          "A negative variance has no standard deviation: there is nothing to draw.",
        ),
      );
      continue;
    }
    const canvas = addStrip(panel.below, label),
      z = eps.map((e, k) => mu[k % mu.length] + std * e);
    paintImages(
      page,
      canvas,
      decode(panel.model, z, 12),
      12,
      columnsFor(panel.below, 12, 6),
      `draws with the standard deviation of the ${label} slider`,
    );
  }
}

function showLogVarianceSide(page) {
  const { logVar, rawVar } = page.state,
    std = stdOfLogVariance(logVar),
    raw = stdOfVariance(rawVar);
  const put = (id, text) => (document.getElementById(id).textContent = text);
  document.getElementById("log-var").value = logVar;
  document.getElementById("raw-var").value = rawVar;
  put("log-var-value", formatNumber(logVar));
  put("raw-var-value", formatNumber(rawVar));
  put("log-var-std", `std = ${formatNumber(std, 3)}; slope of std: std / 2 = ${formatNumber(std / 2, 3)}`);
  const slope = rawVar === 0 ? "infinite" : formatNumber(1 / (2 * raw), 3);
  put(
    "raw-var-std",
    rawVar < 0
      ? "std = √(negative) is not a number: training would stop here"
      : `std = ${formatNumber(raw, 3)}; slope of std: 1 / (2 std) = ${slope}`,
  );
  paintCurves(document.getElementById("curves"), logVar, rawVar);
}

// std over the network's output, for both readings, with the sliders' points.
function paintCurves(canvas, logVar, rawVar) {
  const { context, width, height } = fitCanvas(canvas),
    left = -8,
    right = 4,
    top = 3;
  const toX = (value) => 8 + ((value - left) / (right - left)) * (width - 16);
  const toY = (std) => height - 24 - (std / top) * (height - 34);
  context.font = "12px system-ui, sans-serif";
  context.strokeStyle = colourOf("quiet");
  context.fillStyle = colourOf("quiet");
  context.beginPath();
  context.moveTo(toX(left), toY(0));
  context.lineTo(toX(right), toY(0));
  context.moveTo(toX(0), toY(0));
  context.lineTo(toX(0), toY(top));
  context.stroke();
  context.textAlign = "center";
  for (const value of [-8, -4, 0, 4])
    context.fillText(formatNumber(value, 0), Math.min(Math.max(toX(value), 10), width - 10), height - 8);
  context.textAlign = "right";
  context.fillText("std", toX(0) - 6, toY(top) + 12);
  for (const [curve, name, value, label, labelAt] of [
    [stdOfLogVariance, "kl", logVar, "exp(log_var / 2)", -6.5],
    [stdOfVariance, "rec", rawVar, "√variance", 2.2],
  ]) {
    context.strokeStyle = colourOf(name);
    context.fillStyle = colourOf(name);
    context.lineWidth = 2.5;
    context.beginPath();
    for (
      let x = curve === stdOfVariance ? 0 : left, first = true;
      x <= right && curve(x) <= top;
      x += 0.01, first = false
    ) {
      context[first ? "moveTo" : "lineTo"](toX(x), toY(curve(x)));
    }
    context.stroke();
    context.textAlign = "left";
    context.fillText(label, toX(labelAt), toY(curve(labelAt)) + (name === "kl" ? -10 : 18));
    if (Number.isNaN(curve(value))) continue;
    context.beginPath();
    context.arc(toX(value), toY(Math.min(curve(value), top)), 6, 0, 2 * Math.PI);
    context.fill();
  }
  canvas.setAttribute(
    "aria-label",
    "Standard deviation over the network's output: exponential for the log-variance, a square root that ends at 0 for the variance",
  );
}
