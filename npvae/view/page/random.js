// Random numbers from a seed, so that a link shows the same draws again.

// Returns a function that draws from U(0, 1): Mulberry32, a generator of 32 bits of state.
function uniformFrom(seed) {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

// Returns a function that draws from N(0, 1) by the Box-Muller transform.
function normalFrom(uniform) {
  let spare = null;
  return () => {
    if (spare !== null) {
      const value = spare;
      spare = null;
      return value;
    }
    const radius = Math.sqrt(-2 * Math.log(1 - uniform())),
      angle = 2 * Math.PI * uniform();
    spare = radius * Math.sin(angle);
    return radius * Math.cos(angle);
  };
}

function normals(count, normal) {
  const draws = new Float64Array(count);
  for (let i = 0; i < count; i++) draws[i] = normal();
  return draws;
}

// An order of 0 .. count - 1, by the Fisher-Yates shuffle.
function shuffled(count, uniform) {
  const order = Array.from({ length: count }, (_, i) => i);
  for (let i = count - 1; i > 0; i--) {
    const j = Math.floor(uniform() * (i + 1));
    [order[i], order[j]] = [order[j], order[i]];
  }
  return order;
}

// A new network's parameters: W and b from U(-1, 1) / sqrt(inputs), as npvae's init="uniform".
function initialParameters(network, uniform) {
  const model = makeModel(network, new Float64Array(countParameters(network)));
  for (const [name, inputs] of layerSizes(network)) {
    for (const array of [model.layers[name].W, model.layers[name].b]) {
      for (let i = 0; i < array.length; i++) array[i] = (2 * uniform() - 1) / Math.sqrt(inputs);
    }
  }
  return model;
}
