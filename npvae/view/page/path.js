// The path of the gradient through z = mu + exp(log_var / 2) * eps, node by node, for one latent dimension.

const WIGGLE = 1e-5;

// The nodes from the encoder's output on, all (Z) or single numbers; what `given` holds is not computed again.
// With `isDirect`, z was drawn from N(mu, std^2) by itself, so it is given and does not follow mu and std.
function nodesFrom(model, x, given, beta) {
  const nodes = { ...given };
  if (!nodes.std) nodes.std = mapArray(nodes.log_var, stdOfLogVariance);
  if (!nodes.z) nodes.z = nodes.mu.map((m, i) => m + nodes.std[i] * nodes.eps[i]);
  if (nodes.reconstruction === undefined) {
    nodes.reconstruction = reconstructionForward(model, x, decoderForward(model, nodes.z, 1).output, 1)[0];
  }
  if (nodes.kl === undefined) nodes.kl = klForward(nodes.mu, nodes.log_var, 1)[0];
  nodes.loss = nodes.reconstruction + beta * nodes.kl;
  return nodes;
}

// dL/dz (Z), through the decoder.
function gradientOfZ(model, x, z) {
  const decoder = decoderForward(model, z, 1);
  return decoderBackward(
    model,
    reconstructionBackward(model, x, decoder.output, 1, null),
    1,
    decoder.hidden,
    null,
  );
}

// Every node's value and the two parts of its gradient: { mu: { value, rec, kl }, ... }, (Z) or numbers.
function tracePath(model, x, eps, beta, isDirect) {
  const { mu, logVar } = encode(model, x, 1);
  const values = nodesFrom(model, x, { mu, log_var: logVar, eps: Float64Array.from(eps) }, beta),
    { std, z } = values;
  const dz = gradientOfZ(model, x, z),
    zero = new Float64Array(z.length),
    through = isDirect ? zero : dz;
  const rec = {
    mu: through,
    std: through.map((d, i) => d * eps[i]),
    eps: through.map((d, i) => d * std[i]),
    z: dz,
    log_var: through.map((d, i) => (d * eps[i] * std[i]) / 2),
    reconstruction: 1,
    kl: 0,
    loss: 1,
  };
  const kl = {
    mu: mu.map((m) => beta * m),
    log_var: logVar.map((v) => (beta * Math.expm1(v)) / 2),
    std: zero,
    eps: zero,
    z: zero,
    reconstruction: 0,
    kl: beta,
    loss: 0,
  };
  return Object.fromEntries(
    Object.keys(rec).map((name) => [name, { value: values[name], rec: rec[name], kl: kl[name] }]),
  );
}

// dL/d(node) by central differences of everything after the node.
function wiggle(model, x, trace, name, dim, beta, isDirect) {
  const order = ["mu", "log_var", "eps", "std", "z", "reconstruction", "kl", "loss"];
  const before = order
    .slice(0, order.indexOf(name))
    .filter((other) => ["mu", "log_var", "eps", "std", "z"].includes(other));
  const given = Object.fromEntries(
    [...before, "mu", "log_var", "eps"].map((other) => [other, trace[other].value]),
  );
  if (isDirect) given.z = trace.z.value;
  const lossAt = (step) => {
    const value = trace[name].value,
      moved = typeof value === "number" ? value + step : value.slice();
    if (typeof value !== "number") moved[dim] += step;
    const loss = nodesFrom(model, x, { ...given, [name]: moved }, beta).loss;
    return name === "loss" ? moved : loss;
  };
  return (lossAt(WIGGLE) - lossAt(-WIGGLE)) / (2 * WIGGLE);
}

// Means and standard deviations of the reconstruction's gradient over draws of eps, in pieces that leave the
// page responsive; `report(n)` hears how many are done, and null is returned once `isStale()`.
async function averageOverEps(model, x, draws, normal, report, isStale) {
  const { mu, logVar } = encode(model, x, 1),
    std = mapArray(logVar, stdOfLogVariance),
    Z = mu.length;
  const sums = { mu: new Float64Array(Z), log_var: new Float64Array(Z) },
    squares = { mu: new Float64Array(Z), log_var: new Float64Array(Z) };
  let pause = performance.now();
  for (let n = 1; n <= draws; n++) {
    const eps = normals(Z, normal),
      dz = gradientOfZ(
        model,
        x,
        mu.map((m, i) => m + std[i] * eps[i]),
      );
    for (let i = 0; i < Z; i++) {
      for (const [name, g] of [
        ["mu", dz[i]],
        ["log_var", (dz[i] * eps[i] * std[i]) / 2],
      ]) {
        sums[name][i] += g;
        squares[name][i] += g * g;
      }
    }
    if (performance.now() - pause < 30) continue;
    report(n);
    await new Promise((resolve) => setTimeout(resolve));
    if (isStale()) return null;
    pause = performance.now();
  }
  const describe = (name) =>
    Array.from(sums[name], (sum, i) => {
      const mean = sum / draws;
      return { mean, sd: Math.sqrt(Math.max(0, (squares[name][i] - draws * mean * mean) / (draws - 1))) };
    });
  return { mu: describe("mu"), log_var: describe("log_var") };
}
