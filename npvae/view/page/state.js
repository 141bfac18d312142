// What the reader has chosen, and the URL's fragment that says so: #step=gaps&z=-2.5,2

const STEPS = [
  ["draw", "Draw"],
  ["codes", "Codes"],
  ["point", "A point"],
  ["gaps", "Gaps"],
  ["prior-ae", "N(0, I), AE"],
  ["prior-vae", "N(0, I), VAE"],
  ["posterior", "Noise"],
  ["path", "Gradient"],
  ["log-variance", "Log-variance"],
  ["train", "Train"],
];

const round3 = (value) => Math.round(value * 1000) / 1000;

function integerField(initial, low, high) {
  const fits = (value) => Number.isInteger(value) && value >= low && value <= high;
  return { initial, read: (text) => (fits(Number(text)) ? Number(text) : initial), write: String };
}

function numberField(initial, low, high) {
  const read = (text) => {
    const value = Number(text);
    return text !== "" && value >= low && value <= high ? round3(value) : initial;
  };
  return { initial, read, write: (value) => String(round3(value)) };
}

function vectorField(initial) {
  const read = (text) => {
    const values = text.split(",").map(Number);
    const fits =
      values.length === initial.length && values.every((v) => Number.isFinite(v) && Math.abs(v) < 1e4);
    return fits ? values.map(round3) : initial.slice();
  };
  return { initial, read, write: (values) => values.map(round3).join(",") };
}

const flagField = (initial) => ({
  initial,
  read: (text) => text === "1",
  write: (value) => (value ? "1" : "0"),
});

// The fields for Z latent dimensions and so many test images, of which `image` is shown first.
function stateFields(Z, nImages, image) {
  const isStep = (text) => STEPS.some(([id]) => id === text);
  const point = Array(Z).fill(0),
    eps = Array.from(normals(Z, normalFrom(uniformFrom(3))), round3);
  [point[0], point[1]] = [-2.5, 2]; // the lecture's arbitrary point
  return {
    step: { initial: "draw", read: (text) => (isStep(text) ? text : "draw"), write: String },
    z: vectorField(point),
    seed: integerField(1, 1, 999999),
    image: integerField(image, 0, nImages - 1),
    eps: vectorField(eps),
    pin: flagField(false),
    dim: integerField(0, 0, Z - 1),
    direct: flagField(false),
    logVar: numberField(-2, -8, 3),
    rawVar: numberField(0.5, -2, 4),
    noise: flagField(true),
    kl: flagField(true),
    beta: numberField(0, -3, 3), // log2 of the weight
  };
}

function stateFromFragment(fragment, fields) {
  const given = new URLSearchParams(fragment.replace(/^#/, "")),
    state = {};
  for (const [name, field] of Object.entries(fields)) {
    state[name] = given.has(name) ? field.read(given.get(name)) : structuredClone(field.initial);
  }
  return state;
}

// Only what differs from the beginning is written.
function fragmentFromState(state, fields) {
  const parts = [];
  for (const [name, field] of Object.entries(fields)) {
    const text = field.write(state[name]);
    if (name === "step" || text !== field.write(field.initial)) parts.push(`${name}=${text}`);
  }
  return "#" + parts.join("&");
}

// Shows the state in the address bar; a new step is a new entry of the browser's history.
function writeFragment(fragment, isNewEntry) {
  if (fragment === location.hash) return;
  try {
    history[isNewEntry ? "pushState" : "replaceState"](null, "", fragment);
  } catch (error) {
    if (error.name !== "SecurityError") throw error; // a frame without an address of its own has no history
  }
}
