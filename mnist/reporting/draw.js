// Draw a digit, and the small models classify it while you draw: plain JavaScript, no network.
// mnist/evaluation/web_export.py exports the models; ink becomes 28x28 pixels as in
// mnist/recognition/pictures.py. Tests compare both with Python on the same input.
"use strict";

const SIDE = 28, BOX = 20;

function bytes(text) {
  return Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
}

function floats(text) {
  return new Float32Array(bytes(text).buffer);
}

// Replace the base64 strings of a layer by arrays; a row of weights is its steps times its scale.
function unpack(layer) {
  const result = { ...layer };
  for (const [key, value] of Object.entries(layer)) {
    if (value && typeof value === "object") result[key] = unpack(value);
    else if (typeof value === "string" && key !== "kind") result[key] = key === "steps" ? null : floats(value);
  }
  if (layer.steps) {
    const steps = new Int8Array(bytes(layer.steps).buffer);
    const inputs = steps.length / layer.outputs;
    result.weight = Float32Array.from(steps, (step, i) => step * result.scale[Math.floor(i / inputs)]);
  }
  return result;
}

// x: channels, height and width, and their values row by row
function convolution(x, layer) {
  const { outputs, kernel, stride, padding, weight, bias } = layer;
  const size = (side) => Math.floor((side + 2 * padding - kernel) / stride) + 1;
  const height = size(x.height), width = size(x.width);
  const values = new Float32Array(outputs * height * width);
  for (let o = 0; o < outputs; o++) {
    const start = o * height * width;
    values.fill(bias[o], start, start + height * width);
    for (let c = 0; c < x.channels; c++) {
      for (let i = 0; i < kernel; i++) {
        for (let j = 0; j < kernel; j++) {
          const w = weight[((o * x.channels + c) * kernel + i) * kernel + j];
          for (let row = 0; row < height; row++) {
            const y = row * stride + i - padding;
            if (y < 0 || y >= x.height) continue;
            const from = (c * x.height + y) * x.width, to = start + row * width;
            for (let column = 0; column < width; column++) {
              const z = column * stride + j - padding;
              if (z >= 0 && z < x.width) values[to + column] += w * x.values[from + z];
            }
          }
        }
      }
    }
  }
  return { channels: outputs, height, width, values };
}

function pool(x, size) {
  const height = Math.floor(x.height / size), width = Math.floor(x.width / size);
  const values = new Float32Array(x.channels * height * width).fill(-Infinity);
  for (let c = 0; c < x.channels; c++) {
    for (let i = 0; i < height * size; i++) {
      for (let j = 0; j < width * size; j++) {
        const to = (c * height + Math.floor(i / size)) * width + Math.floor(j / size);
        values[to] = Math.max(values[to], x.values[(c * x.height + i) * x.width + j]);
      }
    }
  }
  return { channels: x.channels, height, width, values };
}

// x: rows of `width` values each, as in every function below
function linear(x, layer) {
  const inputs = layer.weight.length / layer.outputs, rows = x.values.length / inputs;
  const values = new Float32Array(rows * layer.outputs);
  for (let row = 0; row < rows; row++) {
    for (let o = 0; o < layer.outputs; o++) {
      let sum = layer.bias[o];
      for (let i = 0; i < inputs; i++) sum += layer.weight[o * inputs + i] * x.values[row * inputs + i];
      values[row * layer.outputs + o] = sum;
    }
  }
  return { width: layer.outputs, values };
}

function norm(x, layer) {
  const values = new Float32Array(x.values.length), width = x.width;
  for (let start = 0; start < values.length; start += width) {
    let mean = 0, variance = 0;
    for (let i = 0; i < width; i++) mean += x.values[start + i] / width;
    for (let i = 0; i < width; i++) variance += (x.values[start + i] - mean) ** 2 / width;
    const factor = 1 / Math.sqrt(variance + layer.eps);
    for (let i = 0; i < width; i++) {
      values[start + i] = (x.values[start + i] - mean) * factor * layer.weight[i] + layer.bias[i];
    }
  }
  return { width, values };
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
  const dim = x.width, tokens = x.values.length / dim, width = dim / layer.heads;
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
        for (let i = 0; i < width; i++) mixed[t * dim + head * width + i] += weight * qkv[at(s, 2) + i];
      });
    }
  }
  return add(x, linear({ width: dim, values: mixed }, layer.projection));
}

// The error function to 1.5e-7 (Abramowitz & Stegun, 7.1.26)
function erf(x) {
  const t = 1 / (1 + 0.3275911 * Math.abs(x));
  const p = ((((1.061405429 * t - 1.453152027) * t + 1.421413741) * t - 0.284496736) * t + 0.254829592) * t;
  return Math.sign(x) * (1 - p * Math.exp(-x * x));
}

function perceptron(x, layer) {
  const hidden = linear(norm(x, layer.norm), layer.first);
  hidden.values = hidden.values.map((value) => 0.5 * value * (1 + erf(value / Math.SQRT2)));
  return add(x, linear(hidden, layer.second));
}

// From channels of positions to a token per position
function tokens(x) {
  const places = x.height * x.width, values = new Float32Array(x.values.length);
  for (let c = 0; c < x.channels; c++) {
    for (let p = 0; p < places; p++) values[p * x.channels + c] = x.values[c * places + p];
  }
  return { width: x.channels, values };
}

function strongest(x) {
  const places = x.height * x.width;
  const of = (c) => x.values.subarray(c * places, (c + 1) * places).reduce((a, b) => Math.max(a, b));
  return { width: x.channels, values: Float32Array.from({ length: x.channels }, (_, c) => of(c)) };
}

function mean(x) {
  const count = x.values.length / x.width, values = new Float32Array(x.width);
  x.values.forEach((value, i) => { values[i % x.width] += value / count; });
  return { width: x.width, values };
}

const LAYERS = {
  convolution, linear, norm, attention, perceptron, tokens, strongest, mean,
  pool: (x, layer) => pool(x, layer.size),
  relu: (x) => ({ ...x, values: x.values.map((value) => Math.max(value, 0)) }),
  position: (x, layer) => add(x, { values: layer.values }),
};

// Probabilities of the ten digits for 784 grey values 0..255
function classify(model, pixels) {
  const scaled = Float32Array.from(pixels, (value) => (value / 255 - model.mean) / model.std);
  let x = { channels: 1, height: SIDE, width: SIDE, values: scaled };
  for (const layer of model.layers) x = LAYERS[layer.kind](x, layer);
  return softmax(x.values);
}

// Resize along one axis: average under a triangle to reduce, interpolate linearly to enlarge;
// rows of values in, rows out
function resized(rows, size) {
  const scale = rows.length / size, reach = Math.max(1, scale);
  return Array.from({ length: size }, (_, i) => {
    const centre = (i + 0.5) * scale, result = new Float64Array(rows[0].length);
    const first = Math.max(0, Math.floor(centre - reach + 0.5));
    const last = Math.min(rows.length, Math.floor(centre + reach + 0.5));
    let sum = 0;
    for (let j = first; j < last; j++) {
      const weight = Math.max(0, 1 - Math.abs((j + 0.5 - centre) / reach));
      sum += weight;
      for (let k = 0; k < result.length; k++) result[k] += weight * rows[j][k];
    }
    return result.map((value) => value / sum);
  });
}

function transposed(rows) {
  return Array.from({ length: rows[0].length }, (_, i) => Float64Array.from(rows, (row) => row[i]));
}

// Prepare ink 0..1 (width x height, row by row) like MNIST: 784 grey values, or null without ink
function prepare(ink, width, height, threshold = 0.5) {
  let left = width, right = 0, top = height, bottom = 0;
  for (let i = 0; i < ink.length; i++) {
    if (ink[i] <= threshold) continue;
    const x = i % width, y = Math.floor(i / width);
    left = Math.min(left, x); right = Math.max(right, x + 1);
    top = Math.min(top, y); bottom = Math.max(bottom, y + 1);
  }
  if (right === 0) return null;
  const longest = Math.max(right - left, bottom - top);
  const [w, h] = [right - left, bottom - top].map((side) => Math.max(1, Math.round((BOX * side) / longest)));
  const cut = Array.from({ length: bottom - top }, (_, i) =>
    Float64Array.from(ink.slice((top + i) * width + left, (top + i) * width + right)));
  const digit = resized(transposed(resized(transposed(cut), w)), h);
  const highest = Math.max(...digit.map((row) => Math.max(...row)));
  let mass = 0, down = 0, across = 0;
  digit.forEach((row, i) => row.forEach((value, j) => {
    mass += value; down += value * (i + 0.5); across += value * (j + 0.5);
  }));
  const corner = (centre, extent) => Math.min(Math.max(Math.ceil(SIDE / 2 - centre), 0), SIDE - extent);
  const y = corner(down / mass, h), x = corner(across / mass, w);
  const pixels = new Uint8Array(SIDE * SIDE);
  digit.forEach((row, i) => row.forEach((value, j) => {
    pixels[(y + i) * SIDE + x + j] = Math.round((value / highest) * 255);
  }));
  return pixels;
}

function start() {
  const data = JSON.parse(document.getElementById("models").textContent);
  const models = data.map((model) => ({ ...model, layers: model.layers.map(unpack) }));
  const canvas = document.getElementById("canvas"), seen = document.getElementById("seen");
  const predictions = document.getElementById("predictions"), verdict = document.getElementById("verdict");
  const pen = canvas.getContext("2d", { willReadFrequently: true });
  let strokes = [], waiting = false;

  for (const model of models) {
    const bars = Array.from({ length: 10 }, (_, d) =>
      `<div class="bar"><span>${d}</span><i></i><b></b></div>`).join("");
    predictions.insertAdjacentHTML("beforeend", `<section><h3></h3>${bars}</section>`);
    predictions.lastElementChild.querySelector("h3").textContent = model.title;
  }

  function ink() {
    const { data: rgba } = pen.getImageData(0, 0, canvas.width, canvas.height);
    return Float32Array.from({ length: rgba.length / 4 }, (_, i) => 1 - rgba[4 * i] / 255);
  }

  function redraw() {
    pen.fillStyle = "#fff";
    pen.fillRect(0, 0, canvas.width, canvas.height);
    Object.assign(pen, { lineWidth: 22, lineCap: "round", lineJoin: "round", strokeStyle: "#000" });
    for (const stroke of strokes) {
      pen.beginPath();
      pen.moveTo(stroke[0][0] + 0.1, stroke[0][1]); // so that a tap leaves a dot
      for (const point of stroke) pen.lineTo(...point);
      pen.stroke();
    }
    if (!waiting) requestAnimationFrame(predict); // not for each of many moves between two frames
    waiting = true;
  }

  function predict() {
    waiting = false;
    const pixels = prepare(ink(), canvas.width, canvas.height);
    const picture = new ImageData(SIDE, SIDE);
    for (let i = 0; i < SIDE * SIDE; i++) {
      const grey = pixels ? pixels[i] : 0;
      picture.data.set([grey, grey, grey, 255], 4 * i);
    }
    seen.getContext("2d").putImageData(picture, 0, 0);
    const predicted = models.map((model, i) => {
      const probabilities = pixels ? classify(model, pixels) : Array(10).fill(0);
      const best = probabilities.indexOf(Math.max(...probabilities));
      predictions.children[i].querySelectorAll(".bar").forEach((bar, d) => {
        bar.classList.toggle("best", Boolean(pixels) && d === best);
        bar.children[1].style.width = `${(100 * probabilities[d]).toFixed(1)}%`;
        bar.children[2].textContent = pixels ? `${(100 * probabilities[d]).toFixed(1)} %` : "";
      });
      return best;
    });
    if (!pixels) verdict.textContent = "Draw a digit from 0 to 9.";
    else if (new Set(predicted).size === 1) verdict.textContent = `It is a ${predicted[0]}.`;
    else verdict.textContent = `The models disagree: ${models.map((m, i) => `${m.title} ${predicted[i]}`).join(", ")}.`;
  }

  function place(event) {
    const box = canvas.getBoundingClientRect();
    return [((event.clientX - box.left) / box.width) * canvas.width,
            ((event.clientY - box.top) / box.height) * canvas.height];
  }

  canvas.addEventListener("pointerdown", (event) => {
    canvas.setPointerCapture(event.pointerId);
    strokes.push([place(event)]);
    redraw();
  });
  canvas.addEventListener("pointermove", (event) => {
    if (!canvas.hasPointerCapture(event.pointerId)) return;
    strokes[strokes.length - 1].push(place(event));
    redraw();
  });
  document.getElementById("undo").addEventListener("click", () => { strokes.pop(); redraw(); });
  document.getElementById("clear").addEventListener("click", () => { strokes = []; redraw(); });
  redraw();
  return models;
}

const MODELS = document.getElementById("models") ? start() : [];
