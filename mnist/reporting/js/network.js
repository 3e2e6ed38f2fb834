// The forward pass of the CNN, in a Worker: plain JavaScript.
// mnist/evaluation/page_weights.py exports the network, with 8 bits per weight.
"use strict";

const SIDE = 28;

function bytes(text) {
  return Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
}

function floats(text) {
  return new Float32Array(bytes(text).buffer);
}

// Turn the base64 of a layer into numbers. A row of weights is its steps times its scale.
function unpack(layer) {
  if (!layer.steps) return layer;
  const steps = new Int8Array(bytes(layer.steps).buffer), scale = floats(layer.scale);
  const inputs = steps.length / layer.outputs;
  const weight = Float32Array.from(steps, (step, i) => step * scale[Math.floor(i / inputs)]);
  return { ...layer, inputs, weight, bias: floats(layer.bias) };
}

// Everywhere below, x.values holds one row of x.channels values per position of an image
// (x.height times x.width of them, from left to right).

function linear(x, { inputs, outputs, weight, bias }) {
  const rows = x.values.length / inputs, values = new Float32Array(rows * outputs);
  for (let row = 0; row < rows; row++) {
    const input = x.values.subarray(row * inputs, (row + 1) * inputs);
    for (let o = 0; o < outputs; o++) {
      let sum = bias[o];
      for (let i = 0, w = o * inputs; i < inputs; i++, w++) sum += weight[w] * input[i];
      values[row * outputs + o] = sum;
    }
  }
  return { ...x, channels: outputs, values };
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

// The largest value of each channel
function strongest(x) {
  const values = new Float32Array(x.channels).fill(-Infinity);
  x.values.forEach((value, i) => {
    values[i % x.channels] = Math.max(values[i % x.channels], value);
  });
  return { channels: x.channels, values };
}

function relu(x) {
  return { ...x, values: x.values.map((value) => Math.max(value, 0)) };
}

const LAYERS = { convolution, linear, pool, relu, strongest };

// Of 784 grey values 0..255: the probabilities of the ten digits, calibrated by the temperature
function classify({ mean, std, layers, temperature }, pixels) {
  const values = Float32Array.from(pixels, (value) => (value / 255 - mean) / std);
  let x = { channels: 1, height: SIDE, width: SIDE, values };
  for (const layer of layers) x = LAYERS[layer.kind](x, layer);
  const highest = Math.max(...x.values);
  const powers = Array.from(x.values, (value) => Math.exp((value - highest) / temperature));
  const sum = powers.reduce((a, b) => a + b, 0);
  return powers.map((power) => power / sum);
}

let model;

// First the model; then digits to classify, whose probabilities go back.
self.onmessage = ({ data }) => {
  if (data.model) model = { ...data.model, layers: data.model.layers.map(unpack) };
  else self.postMessage(data.digits.map((pixels) => classify(model, pixels)));
};
