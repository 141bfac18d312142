// From the page's two data blocks to models and images: see packing.py and contents.py.

const CONFIDENCE = 0.95; // as in the report
const readBlock = (id) => document.getElementById(id).textContent;

async function inflate(text) {
  const packed = Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
  const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream("deflate"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

function fromFloat16(high, low) {
  const sign = high & 0x80 ? -1 : 1,
    exponent = (high >> 2) & 0x1f,
    fraction = ((high & 3) << 8) | low;
  return exponent === 0 ? sign * fraction * 2 ** -24 : sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
}

// Returns Uint8Array or Float64Array; float16 has all high bytes first, then all low bytes.
function unpackArray(bytes, { offset, shape, dtype }) {
  const size = shape.reduce((product, length) => product * length, 1);
  if (dtype === "uint8") return bytes.subarray(offset, offset + size);
  const values = new Float64Array(size);
  for (let i = 0; i < size; i++) values[i] = fromFloat16(bytes[offset + i], bytes[offset + size + i]);
  return values;
}

// Images as the networks read them: pixels (n, D), the first n_test of them test images with labels.
function unpackImages(bytes, { indices, levels, labels, classifier, ...rest }) {
  const pixels = Float64Array.from(unpackArray(bytes, indices), (index) => levels[index]);
  const [count, D] = indices.shape,
    isDigits = rest.classes.join("") === "0123456789";
  const layers = classifier && Object.values(classifier).map((array) => unpackArray(bytes, array));
  return {
    ...rest,
    pixels,
    count,
    D,
    labels: labels && unpackArray(bytes, labels),
    classify: layers && makeClassifier(layers, rest.classes.length),
    noun: isDigits ? "digit" : "class",
    nouns: isDigits ? "digits" : "classes",
    thing: isDigits ? "handwritten digit" : "image",
    things: isDigits ? "digits" : "images",
    row: (i) => pixels.subarray(i * D, (i + 1) * D),
  };
}

// Returns a function from x (n, D) to each row's class, an index, and whether the classifier is confident.
function makeClassifier([W1, b1, W2, b2], C) {
  return (x, n) => {
    const h = mapArray(denseForward(x, n, { W: W1, b: b1 }), (a) => Math.max(a, 0));
    const scores = denseForward(h, n, { W: W2, b: b2 });
    const rows = Array.from({ length: n }, (_, s) => scores.subarray(s * C, (s + 1) * C)),
      best = rows.map((row) => Math.max(...row));
    return {
      classes: rows.map((row, s) => row.indexOf(best[s])),
      sure: rows.map((row, s) => row.reduce((sum, a) => sum + Math.exp(a - best[s]), 0) < 1 / CONFIDENCE),
    };
  };
}

function unpackModel(bytes, { weights, codes, axes, epochs, ...network }) {
  return {
    ...makeModel(network, unpackArray(bytes, weights)),
    epochs,
    axes,
    codes: unpackArray(bytes, codes),
  };
}

async function unpackPage() {
  const description = JSON.parse(readBlock("description")),
    bytes = await inflate(readBlock("arrays"));
  const images = unpackImages(bytes, description.images);
  return {
    ...description,
    images,
    training: description.training ? unpackImages(bytes, description.training) : images,
    ae: unpackModel(bytes, description.ae),
    vae: unpackModel(bytes, description.vae),
  };
}
