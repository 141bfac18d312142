// The networks of npvae/core: the same formulas, names and order of parameters, in float64. Matrices are flat
// Float64Arrays, one row for each sample; n is the number of samples. Nothing here knows the page.

function mapArray(array, f) {
  const result = new Float64Array(array.length);
  for (let i = 0; i < array.length; i++) result[i] = f(array[i]);
  return result;
}

const sigmoid = (x) => (x > 0 ? 1 / (1 + Math.exp(-x)) : Math.exp(x) / (1 + Math.exp(x)));
const softplus = (x) => Math.max(x, 0) + Math.log1p(Math.exp(-Math.abs(x)));

// forward(a) is y; slope(y) is dy/da, written in terms of y as in npvae/core/activations.py.
function getActivation({ activation, negative_slope: leak }) {
  return {
    identity: { forward: (a) => a, slope: () => 1 },
    relu: { forward: (a) => Math.max(a, 0), slope: (y) => (y > 0 ? 1 : 0) },
    leaky_relu: { forward: (a) => (a > 0 ? a : leak * a), slope: (y) => (y > 0 ? 1 : leak) },
    tanh: { forward: Math.tanh, slope: (y) => 1 - y * y },
    sigmoid: { forward: sigmoid, slope: (y) => y * (1 - y) },
    softplus: { forward: softplus, slope: (y) => -Math.expm1(-y) },
  }[activation];
}

// Layers in the order in which their parameters lie in the flat vector: [name, inputs, outputs].
function layerSizes({ kind, n_features: D, latent_dim: Z, hidden }) {
  const chain = (part, widths) => widths.slice(1).map((out, i) => [`${part}.${i}`, widths[i], out]);
  const down = [D, ...hidden], up = [Z, ...hidden.slice().reverse()];
  const heads = kind === "vae" ? ["mu", "log_var"] : ["code"];
  return [
    ...chain("encoder", down),
    ...heads.map((name) => [name, down.at(-1), Z]),
    ...chain("decoder", up),
    ["output", up.at(-1), D],
  ];
}

function hasLearnedNoise(network) {
  return network.likelihood === "gaussian" && network.noise_variance === "learned";
}

function countParameters(network) {
  const dense = layerSizes(network).reduce((sum, [, inputs, outputs]) => sum + (inputs + 1) * outputs, 0);
  return dense + (hasLearnedNoise(network) ? 1 : 0);
}

// A model is its network's description and named views into one flat vector of parameters.
function makeModel(network, flat) {
  const layers = {};
  let start = 0;
  const view = (length) => flat.subarray(start, (start += length));
  for (const [name, inputs, outputs] of layerSizes(network)) {
    layers[name] = { W: view(inputs * outputs), b: view(outputs) };
  }
  const logNoiseVar = hasLearnedNoise(network) ? view(1) : null;
  return { network, flat, layers, logNoiseVar, activation: getActivation(network) };
}

// y (n, O) = x W + b
function denseForward(x, n, { W, b }) {
  const O = b.length, I = W.length / O, y = new Float64Array(n * O);
  for (let s = 0; s < n; s++) {
    const at = s * O;
    y.set(b, at);
    for (let i = 0; i < I; i++) {
      const xi = x[s * I + i];
      if (xi === 0) continue; // dark pixels, and units that relu has switched off
      for (let o = 0, w = i * O; o < O; o++, w++) y[at + o] += xi * W[w];
    }
  }
  return y;
}

// dx = dy W^T; with `gradient`, dW = x^T dy and db = the column sums of dy are added to it.
function denseBackward(dy, n, x, { W, b }, gradient) {
  const O = b.length, I = W.length / O, dx = new Float64Array(n * I);
  for (let s = 0; s < n; s++) {
    const at = s * O;
    for (let i = 0; i < I; i++) dx[s * I + i] = dotProduct(dy, at, W, i * O, O);
    if (!gradient) continue;
    for (let o = 0; o < O; o++) gradient.b[o] += dy[at + o];
    for (let i = 0; i < I; i++) {
      const xi = x[s * I + i];
      if (xi !== 0) for (let o = 0, w = i * O; o < O; o++, w++) gradient.W[w] += xi * dy[at + o];
    }
  }
  return dx;
}

// Four sums, so that an addition does not wait for the one before.
function dotProduct(a, i, b, j, length) {
  let s0 = 0, s1 = 0, s2 = 0, s3 = 0, k = 0;
  for (; k + 3 < length; k += 4) {
    s0 += a[i + k] * b[j + k];
    s1 += a[i + k + 1] * b[j + k + 1];
    s2 += a[i + k + 2] * b[j + k + 2];
    s3 += a[i + k + 3] * b[j + k + 3];
  }
  for (; k < length; k++) s0 += a[i + k] * b[j + k];
  return s0 + s1 + s2 + s3;
}

// Returns the input and every hidden layer's output, the last one being what the next layer reads.
function hiddenForward(model, part, x, n) {
  const outputs = [x];
  for (let i = 0; i < model.network.hidden.length; i++) {
    const a = denseForward(outputs[i], n, model.layers[`${part}.${i}`]);
    outputs.push(mapArray(a, model.activation.forward));
  }
  return outputs;
}

function hiddenBackward(model, part, dh, n, outputs, gradients) {
  for (let i = model.network.hidden.length - 1; i >= 0; i--) {
    const y = outputs[i + 1], da = new Float64Array(y.length), name = `${part}.${i}`;
    for (let k = 0; k < y.length; k++) da[k] = dh[k] * model.activation.slope(y[k]);
    dh = denseBackward(da, n, outputs[i], model.layers[name], gradients?.layers[name]);
  }
  return dh;
}

// mu and log_var, (n, Z) each, of q(z | x); for an AE mu is the code and log_var is null.
function encode(model, x, n) {
  const { mu, log_var, code } = model.layers;
  const hidden = hiddenForward(model, "encoder", x, n), h = hidden.at(-1);
  return {
    hidden,
    mu: denseForward(h, n, mu || code),
    logVar: log_var ? denseForward(h, n, log_var) : null,
  };
}

// z = mu + exp(log_var / 2) * eps
function reparameterize(mu, logVar, eps) {
  const std = mapArray(logVar, (v) => Math.exp(v / 2));
  return { std, z: mu.map((m, i) => m + std[i] * eps[i]) };
}

function decoderForward(model, z, n) {
  const hidden = hiddenForward(model, "decoder", z, n);
  return { hidden, output: denseForward(hidden.at(-1), n, model.layers.output) };
}

function decoderBackward(model, dOutput, n, hidden, gradients) {
  const dh = denseBackward(dOutput, n, hidden.at(-1), model.layers.output, gradients?.layers.output);
  return hiddenBackward(model, "decoder", dh, n, hidden, gradients);
}

// E[x | z] (n, D): probabilities for Bernoulli, means for Gaussian.
function decode(model, z, n) {
  const { output } = decoderForward(model, z, n);
  return model.network.likelihood === "bernoulli" ? mapArray(output, sigmoid) : output;
}

function logNoiseVar(model) {
  return model.logNoiseVar ? model.logNoiseVar[0] : Math.log(model.network.noise_variance);
}

// -ln p(x | z) (n), in nats
function reconstructionForward(model, x, output, n) {
  const D = model.network.n_features, loss = new Float64Array(n), noise = logNoiseVar(model);
  for (let s = 0; s < n; s++) {
    for (let k = s * D; k < (s + 1) * D; k++) {
      if (model.network.likelihood === "bernoulli") loss[s] += softplus(output[k]) - x[k] * output[k];
      else loss[s] += ((x[k] - output[k]) ** 2 * Math.exp(-noise) + noise + Math.log(2 * Math.PI)) / 2;
    }
  }
  return loss;
}

// dL/doutput (n, D) for dL/dreconstruction = weight of every sample
function reconstructionBackward(model, x, output, weight, gradients) {
  if (model.network.likelihood === "bernoulli") return output.map((l, k) => weight * (sigmoid(l) - x[k]));
  const precision = Math.exp(-logNoiseVar(model));
  if (gradients?.logNoiseVar) {
    const squares = output.reduce((sum, m, k) => sum + (x[k] - m) ** 2 * precision - 1, 0);
    gradients.logNoiseVar[0] -= (weight * squares) / 2;
  }
  return output.map((m, k) => weight * (m - x[k]) * precision);
}

// KL(N(mu, exp(log_var)) || N(0, I)) (n), in nats: sum of (mu^2 + exp(log_var) - 1 - log_var) / 2
function klForward(mu, logVar, n) {
  const Z = mu.length / n, kl = new Float64Array(n);
  for (let i = 0; i < mu.length; i++) {
    kl[Math.floor(i / Z)] += (mu[i] * mu[i] + Math.expm1(logVar[i]) - logVar[i]) / 2;
  }
  return kl;
}

// The two terms of every sample's loss; for an AE, eps is not used and the KL is zero.
function forward(model, x, eps, n) {
  const code = encode(model, x, n), isVae = code.logVar !== null;
  const { std, z } = isVae ? reparameterize(code.mu, code.logVar, eps) : { std: null, z: code.mu };
  const decoder = decoderForward(model, z, n);
  const reconstruction = reconstructionForward(model, x, decoder.output, n);
  const kl = isVae ? klForward(code.mu, code.logVar, n) : new Float64Array(n);
  return { x, eps, n, ...code, std, z, decoder, reconstruction, kl };
}

// The gradient of mean(reconstruction) + beta * mean(kl) for every parameter, as a model of its own.
function backward(model, cache, beta) {
  const { x, eps, n, hidden, mu, logVar, std, decoder } = cache, { layers } = model;
  const gradients = makeModel(model.network, new Float64Array(model.flat.length)), to = gradients.layers;
  const dOutput = reconstructionBackward(model, x, decoder.output, 1 / n, gradients);
  const dz = decoderBackward(model, dOutput, n, decoder.hidden, gradients), h = hidden.at(-1);
  let dh;
  if (logVar === null) {
    dh = denseBackward(dz, n, h, layers.code, to.code);
  } else {
    const dMu = dz.map((d, i) => d + (beta / n) * mu[i]);
    const dLogVar = dz.map((d, i) => (d * eps[i] * std[i]) / 2 + ((beta / n) * Math.expm1(logVar[i])) / 2);
    dh = denseBackward(dMu, n, h, layers.mu, to.mu);
    denseBackward(dLogVar, n, h, layers.log_var, to.log_var).forEach((d, i) => (dh[i] += d));
  }
  hiddenBackward(model, "encoder", dh, n, hidden, gradients);
  return gradients;
}

function makeAdam(size) {
  return { m: new Float64Array(size), v: new Float64Array(size), t: 0 };
}

// One step of Adam (Kingma & Ba 2015, algorithm 1), in place.
function adamStep(flat, gradient, state, learningRate) {
  const beta1 = 0.9, beta2 = 0.999, epsilon = 1e-8, { m, v } = state;
  state.t += 1;
  const step = learningRate / (1 - beta1 ** state.t), scale = 1 - beta2 ** state.t;
  for (let i = 0; i < flat.length; i++) {
    m[i] = beta1 * m[i] + (1 - beta1) * gradient[i];
    v[i] = beta2 * v[i] + (1 - beta2) * gradient[i] * gradient[i];
    flat[i] -= (step * m[i]) / (Math.sqrt(v[i] / scale) + epsilon);
  }
}

// One step of training on x (n, D); returns the means of both terms before it, in nats for each sample.
function trainStep(model, state, x, eps, n, beta, learningRate) {
  const cache = forward(model, x, eps, n), mean = (terms) => terms.reduce((a, b) => a + b, 0) / n;
  adamStep(model.flat, backward(model, cache, beta).flat, state, learningRate);
  return { reconstruction: mean(cache.reconstruction), kl: mean(cache.kl) };
}
