// The VAE's posterior q(z | x): its ellipse, and z = mu + std * eps.

// mu, log_var, std and z of the current image with the current eps.
function currentPosterior(page) {
  const { mu, logVar } = encode(page.data.vae, currentImage(page), 1);
  return { mu, logVar, ...reparameterize(mu, logVar, page.state.eps) };
}

function showPosterior(page, panel) {
  const { images } = page.data,
    { mu, std, z } = currentPosterior(page),
    { eps } = page.state;
  const figures = [
    ["image", currentImage(page)],
    ["decoded mu", decode(panel.model, mu, 1)],
    ["decoded z", decode(panel.model, z, 1)],
  ];
  const made = figures.map(([caption, x]) => ({ ...makeFigure(caption), x, caption }));
  panel.below.append(make("div", { className: "pair" }, ...made.map(({ figure }) => figure)));
  for (const { canvas, x, caption } of made) paintPicture(canvas, x, images, caption);
  const dims = Array.from(mu, (_, i) => i).slice(0, 4);
  const lines = dims.map((i) => {
    const [m, s, e, result] = [mu[i], std[i], eps[i], z[i]].map((value) => formatNumber(value));
    return make("div", {}, `z[${i}] = ${m} + ${s} · ${e} = ${result}`);
  });
  panel.below.append(make("div", { className: "found numbers" }, ...lines));
  const strip = addStrip(panel.below, "12 other eps"),
    normal = normalFrom(uniformFrom(page.state.seed));
  const draws = Float64Array.from(
    { length: 12 * mu.length },
    (_, k) => mu[k % mu.length] + std[k % mu.length] * normal(),
  );
  paintImages(
    page,
    strip,
    decode(panel.model, draws, 12),
    12,
    columnsFor(panel.below, 12, 6),
    "twelve other draws from the ellipse, decoded",
  );
}

// What a draw of z looks like on the plane.
const posteriorOverlays = (page) => {
  const { mu, std, z } = currentPosterior(page);
  return [ellipseOverlay(mu, std), crossesOverlay(Float64Array.from(z), 1)];
};

function drawEps(page) {
  page.epsDraws += 1;
  const normal = normalFrom(uniformFrom(1000 * page.state.seed + page.epsDraws));
  page.set({ eps: Array.from(page.state.eps, () => round3(normal())) });
}
