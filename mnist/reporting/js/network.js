// The forward pass of the CNN and the Vision Transformer, in a Worker: plain JavaScript.
// mnist/evaluation/web_export.py exports the models, with 8 bits per weight.
"use strict";

const SIDE = 28;
const FLOATS = ["scale", "bias", "weight", "values", "whitening", "means"];

function bytes(text) {
  return Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
}

function floats(text) {
  return new Float32Array(bytes(text).buffer);
}

// Replace the base64 strings of a layer by arrays. A row of weights is its steps times its scale;
// rows of zeros make their number a multiple of four, see `linear`.
function unpack(layer) {
  const result = { ...layer };
  for (const [key, value] of Object.entries(layer)) {
    if (value && typeof value === "object") result[key] = unpack(value);
    else if (FLOATS.includes(key)) result[key] = floats(value);
  }
  if (layer.steps) {
    const steps = new Int8Array(bytes(layer.steps).buffer), inputs = steps.length / layer.outputs;
    result.inputs = inputs;
    result.weight = new Float32Array(4 * Math.ceil(layer.outputs / 4) * inputs);
    steps.forEach((step, i) => { result.weight[i] = step * result.scale[Math.floor(i / inputs)]; });
  }
  return result;
}

// Everywhere below, x.values holds one row of x.channels values per position of an image
// (x.height times x.width of them, from left to right) or per token.

// Four outputs at a time, which takes half as long as one at a time
function linear(x, { inputs, outputs, weight, bias }) {
  const { values } = x, rows = values.length / inputs, results = new Float32Array(rows * outputs);
  for (let row = 0; row < rows; row++) {
    for (let o = 0; o < outputs; o += 4) {
      let first = 0, second = 0, third = 0, fourth = 0;
      for (let i = 0, w = o * inputs; i < inputs; i++, w++) {
        const value = values[row * inputs + i];
        first += weight[w] * value;
        second += weight[w + inputs] * value;
        third += weight[w + 2 * inputs] * value;
        fourth += weight[w + 3 * inputs] * value;
      }
      const sums = [first, second, third, fourth];
      for (let i = 0; i < 4 && o + i < outputs; i++) {
        results[row * outputs + o + i] = sums[i] + bias[o + i];
      }
    }
  }
  return { ...x, channels: outputs, values: results };
}

// A convolution is linear in the values that its kernel covers (im2col)
function convolution(x, layer) {
  const { kernel, stride, padding } = layer;
  const size = (side) => Math.floor((side + 2 * padding - kernel) / stride) + 1;
  const height = size(x.height), width = size(x.width);
  const values = new Float32Array(height * width * layer.inputs);
  let to = 0;
  for (let position = 0; position < height * width; position++) {
    const top = Math.floor(position / width) * stride - padding;
    const left = (position % width) * stride - padding;
    for (let c = 0; c < x.channels; c++) {
      for (let row = top; row < top + kernel; row++) {
        for (let column = left; column < left + kernel; column++, to++) {
          if (row < 0 || row >= x.height || column < 0 || column >= x.width) continue;
          values[to] = x.values[(row * x.width + column) * x.channels + c];
        }
      }
    }
  }
  return linear({ height, width, values }, layer);
}

function pool(x, { size }) {
  const height = Math.floor(x.height / size), width = Math.floor(x.width / size);
  const values = new Float32Array(height * width * x.channels).fill(-Infinity);
  for (let row = 0; row < height * size; row++) {
    for (let column = 0; column < width * size; column++) {
      const to = (Math.floor(row / size) * width + Math.floor(column / size)) * x.channels;
      const from = (row * x.width + column) * x.channels;
      for (let c = 0; c < x.channels; c++) {
        values[to + c] = Math.max(values[to + c], x.values[from + c]);
      }
    }
  }
  return { ...x, height, width, values };
}

function norm(x, { eps, weight, bias }) {
  const values = new Float32Array(x.values.length), size = x.channels;
  for (let start = 0; start < values.length; start += size) {
    let mean = 0, variance = 0;
    for (let i = 0; i < size; i++) mean += x.values[start + i] / size;
    for (let i = 0; i < size; i++) variance += (x.values[start + i] - mean) ** 2 / size;
    const factor = 1 / Math.sqrt(variance + eps);
    for (let i = 0; i < size; i++) {
      values[start + i] = (x.values[start + i] - mean) * factor * weight[i] + bias[i];
    }
  }
  return { ...x, values };
}

function softmax(values) {
  const highest = Math.max(...values);
  const powers = Array.from(values, (value) => Math.exp(value - highest));
  const sum = powers.reduce((a, b) => a + b, 0);
  return powers.map((power) => power / sum);
}

function add(x, y) {
  return { ...x, values: x.values.map((value, i) => value + y.values[i]) };
}

function attention(x, layer) {
  const dim = x.channels, tokens = x.values.length / dim, width = dim / layer.heads;
  const qkv = linear(norm(x, layer.norm), layer.qkv).values;
  const mixed = new Float32Array(tokens * dim);
  for (let head = 0; head < layer.heads; head++) {
    const at = (token, part) => token * 3 * dim + part * dim + head * width;
    for (let t = 0; t < tokens; t++) {
      const scores = [];
      for (let s = 0; s < tokens; s++) {
        let score = 0;
        for (let i = 0; i < width; i++) score += qkv[at(t, 0) + i] * qkv[at(s, 1) + i];
        scores.push(score / Math.sqrt(width));
      }
      softmax(scores).forEach((weight, s) => {
        const to = t * dim + head * width, from = at(s, 2);
        for (let i = 0; i < width; i++) mixed[to + i] += weight * qkv[from + i];
      });
    }
  }
  return add(x, linear({ ...x, values: mixed }, layer.projection));
}

// The error function to 1.5e-7 (Abramowitz & Stegun, 7.1.26)
const ERF = [1.061405429, -1.453152027, 1.421413741, -0.284496736, 0.254829592];

function erf(x) {
  const t = 1 / (1 + 0.3275911 * Math.abs(x));
  const polynomial = ERF.reduce((sum, factor) => (sum + factor) * t, 0);
  return Math.sign(x) * (1 - polynomial * Math.exp(-x * x));
}

function perceptron(x, layer) {
  const hidden = linear(norm(x, layer.norm), layer.first);
  hidden.values = hidden.values.map((value) => 0.5 * value * (1 + erf(value / Math.SQRT2)));
  return add(x, linear(hidden, layer.second));
}

// The largest value of each channel
function strongest(x) {
  const values = new Float32Array(x.channels).fill(-Infinity);
  x.values.forEach((value, i) => {
    values[i % x.channels] = Math.max(values[i % x.channels], value);
  });
  return { channels: x.channels, values };
}

function mean(x) {
  const count = x.values.length / x.channels, values = new Float32Array(x.channels);
  x.values.forEach((value, i) => { values[i % x.channels] += value / count; });
  return { channels: x.channels, values };
}

const LAYERS = {
  convolution, linear, pool, norm, attention, perceptron, strongest, mean,
  tokens: (x) => x,
  relu: (x) => ({ ...x, values: x.values.map((value) => Math.max(value, 0)) }),
  position: (x, layer) => add(x, { values: layer.values }),
};

// How far the features are from those of digits: the squared Mahalanobis distance from the nearest
// class, as a multiple of the limit
function remoteness({ channels, values }, { whitening, means, largest }) {
  const white = values.map((_, row) =>
    values.reduce((sum, value, i) => sum + whitening[row * channels + i] * value, 0));
  const distances = [];
  for (let start = 0; start < means.length; start += channels) {
    distances.push(white.reduce((sum, value, i) => sum + (value - means[start + i]) ** 2, 0));
  }
  return Math.min(...distances) / largest;
}

// Of 784 grey values 0..255: probabilities of the ten digits, with the temperature that calibrates,
// and the remoteness, 0 where it is not known
function classify(model, pixels) {
  const scaled = Float32Array.from(pixels, (value) => (value / 255 - model.mean) / model.std);
  let x = { channels: 1, height: SIDE, width: SIDE, values: scaled }, features;
  for (const layer of model.layers) {
    features = x; // at the end, the input of the last layer
    x = LAYERS[layer.kind](x, layer);
  }
  return {
    probabilities: softmax(x.values.map((value) => value / model.temperature)),
    remoteness: model.typical ? remoteness(features, model.typical) : 0,
  };
}

let models = [];

// First the models, as JSON; then digits to classify: answers[digit][model] go back.
self.onmessage = ({ data }) => {
  if (data.models) {
    const unpacked = (model) => ({
      ...model,
      layers: model.layers.map(unpack),
      typical: model.typical && unpack(model.typical),
    });
    models = JSON.parse(data.models).map(unpacked);
  } else {
    const answers = data.digits.map((pixels) => models.map((model) => classify(model, pixels)));
    self.postMessage({ answers });
  }
};
