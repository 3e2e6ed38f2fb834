// The canvas: strokes by mouse, pen or finger, samples by buttons, and the answer beside it.
"use strict";

const PROMPT = "Draw a digit from 0 to 9";
const PEN = 0.055; // as a fraction of the canvas's side
const QUIET = 500; // milliseconds without a change before the answer is announced

const element = (id) => document.getElementById(id);
const model = JSON.parse(element("model").textContent);
const canvas = element("canvas"), pen = canvas.getContext("2d");
let strokes = [];
let sample = null; // 784 grey values of a test digit, instead of strokes
let note = ""; // what is known of the sample
let pointer = null; // the one that draws
let busy = false, stale = false; // whether the worker is, and its answer will be
let announcement;

const code = new Blob([element("network").textContent], { type: "text/javascript" });
const worker = new Worker(URL.createObjectURL(code));
worker.postMessage({ model });
worker.onmessage = ({ data }) => {
  busy = false;
  show(data);
  if (stale) ask();
};

function change(next) {
  ({ strokes = [], sample = null, note = "" } = next);
  paint();
  clearTimeout(announcement);
  element("announcement").textContent = "";
  stale = true;
  if (!busy) ask(); // otherwise when the worker has answered
}

function ask() {
  const digits = sample ? [sample] : strokes.length ? splitDigits(strokes).map(toMnist) : [];
  element("seen").replaceChildren(...digits.map((pixels) => picture(pixels, [255, 255, 255])));
  stale = false;
  busy = digits.length > 0;
  if (busy) worker.postMessage({ digits });
  else show([]);
}

function show(answers) {
  const readings = answers.map((probabilities) => read(probabilities, model.least_confidence));
  const [headline, detail] = readings.length ? describe(readings) : [PROMPT, ""];
  element("verdict").textContent = headline;
  element("detail").textContent = `${detail} ${note}`.trim();
  element("answers").innerHTML = rank(readings).map(([digit, probability]) => `<li>
    <span>${digit}</span><i style="--share: ${probability}"></i><span>${percent(probability)}</span>
    </li>`).join("");
  clearTimeout(announcement);
  if (readings.length && !stale) announcement = setTimeout(announce, QUIET);
}

function announce() {
  const said = ["verdict", "detail"].map((id) => element(id).textContent).filter(Boolean);
  element("announcement").textContent = said.join(". ");
}

// A small canvas with the pixels, whose grey values 0..255 become opacity
function picture(pixels, [red, green, blue]) {
  const small = document.createElement("canvas"), image = new ImageData(SIDE, SIDE);
  [small.width, small.height] = [SIDE, SIDE];
  pixels.forEach((grey, i) => image.data.set([red, green, blue, grey], 4 * i));
  small.getContext("2d").putImageData(image, 0, 0);
  return small;
}

function paint() {
  const ink = getComputedStyle(canvas).color, side = canvas.width;
  pen.clearRect(0, 0, side, side);
  if (sample) pen.drawImage(picture(sample, ink.match(/\d+/g)), 0, 0, side, side);
  Object.assign(pen, { lineWidth: PEN * side, lineCap: "round", lineJoin: "round" });
  pen.strokeStyle = ink;
  for (const stroke of strokes) {
    pen.beginPath();
    pen.moveTo(stroke[0][0] * side + 0.1, stroke[0][1] * side); // so that a tap leaves a dot
    for (const [x, y] of stroke) pen.lineTo(x * side, y * side);
    pen.stroke();
  }
}

function place(event) {
  const box = canvas.getBoundingClientRect();
  return [(event.clientX - box.left) / box.width, (event.clientY - box.top) / box.height];
}

canvas.addEventListener("pointerdown", (event) => {
  if (pointer !== null || event.button !== 0) return; // a second finger, another mouse button
  pointer = event.pointerId;
  canvas.setPointerCapture(pointer);
  change({ strokes: [...strokes, [place(event)]] });
});
canvas.addEventListener("pointermove", (event) => {
  if (event.pointerId !== pointer || !(event.buttons & 1)) return;
  const moves = event.getCoalescedEvents?.() ?? [event];
  strokes.at(-1)?.push(...moves.map(place));
  change({ strokes });
});
canvas.addEventListener("lostpointercapture", (event) => {
  if (event.pointerId === pointer) pointer = null;
});
element("undo").addEventListener("click", () => change({ strokes: strokes.slice(0, -1) }));
element("clear").addEventListener("click", () => change({}));
element("samples").addEventListener("click", ({ target }) => {
  const { pixels, note } = target.dataset;
  if (pixels) change({ sample: Uint8Array.from(atob(pixels), (c) => c.charCodeAt(0)), note });
});
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", paint);
element("without-script").hidden = true;
element("pad").hidden = false;
change({});
