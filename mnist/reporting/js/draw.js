// The canvas: strokes by mouse, pen or finger, samples by buttons, and the answers beside it.
"use strict";

const PROMPT = "Draw a digit from 0 to 9.";
const PEN = 0.055; // as a fraction of the canvas's side
const QUIET = 500; // milliseconds without a change before the answer is announced
const SCRIBBLE = [Array.from({ length: 140 }, (_, i) =>
  [0.5 + 0.3 * Math.sin(0.37 * i), 0.5 + 0.35 * Math.cos(0.5 * i)])];

const element = (id) => document.getElementById(id);
const settings = JSON.parse(element("settings").textContent);
const canvas = element("canvas"), pen = canvas.getContext("2d");
let strokes = [];
let sample = null; // 784 grey values of a test digit, instead of strokes
let note = ""; // what is known of the sample
let pointer = null; // the one that draws
let waiting = false; // for the next frame
let announcement;

const code = new Blob([element("network").textContent], { type: "text/javascript" });
const worker = new Worker(URL.createObjectURL(code));
worker.postMessage({ models: element("weights").textContent });
let asked = null, wanted = null; // digits: the worker is busy with, and those after them

function ask(digits) {
  wanted = digits; // the latest drawing; those between are left out while the worker is busy
  if (!asked) send();
}

function send() {
  [asked, wanted] = [wanted, null];
  if (asked) worker.postMessage({ digits: asked });
}

worker.onmessage = ({ data }) => {
  const digits = asked;
  send();
  if (!isEmpty()) show(digits.map((pixels, i) => read(pixels, data.answers[i], settings)));
};

function isEmpty() {
  return !sample && strokes.length === 0;
}

function changed() {
  paint();
  clearTimeout(announcement);
  element("announcement").textContent = "";
  if (!waiting) requestAnimationFrame(update); // not for each of many moves between two frames
  waiting = true;
}

function update() {
  waiting = false;
  const digits = sample ? [sample] : isEmpty() ? [] : splitDigits(strokes).map(toMnist);
  const blank = new Uint8Array(SIDE * SIDE);
  element("seen").replaceChildren(...(isEmpty() ? [blank] : digits).map((pixels) => {
    const seen = document.createElement("canvas");
    picture(seen, pixels, (grey) => [grey, grey, grey, 255]);
    return seen;
  }));
  if (isEmpty()) show([]);
  else ask(digits);
}

// Show the pixels, 0..255, on `target`, in the colours (red, green, blue, alpha) of their values
function picture(target, pixels, colour) {
  [target.width, target.height] = [SIDE, SIDE];
  const image = new ImageData(SIDE, SIDE);
  pixels.forEach((grey, i) => image.data.set(colour(grey), 4 * i));
  target.getContext("2d").putImageData(image, 0, 0);
  return target;
}

function paint() {
  const ink = getComputedStyle(canvas).color, side = canvas.width;
  pen.clearRect(0, 0, side, side);
  if (sample) {
    const [red, green, blue] = ink.match(/\d+/g).map(Number);
    const digit = picture(document.createElement("canvas"), sample, (a) => [red, green, blue, a]);
    pen.drawImage(digit, 0, 0, side, side);
  }
  Object.assign(pen, { lineWidth: PEN * side, lineCap: "round", lineJoin: "round" });
  pen.strokeStyle = ink;
  for (const stroke of strokes) {
    pen.beginPath();
    pen.moveTo(stroke[0][0] * side + 0.1, stroke[0][1] * side); // so that a tap leaves a dot
    for (const [x, y] of stroke) pen.lineTo(x * side, y * side);
    pen.stroke();
  }
}

function show(readings) {
  const { models } = settings, empty = readings.length === 0;
  const texts = empty ? [PROMPT, ""] : [headline(readings, models), detail(readings, models)];
  element("verdict").textContent = texts[0];
  element("detail").textContent = `${texts[1]} ${note}`.trim();
  element("answers").classList.toggle("unlike", readings.length === 1 && readings[0].unlike);
  models.forEach((_, i) => {
    const answers = empty ? Array(3).fill(null) : rows(readings, i);
    element("answers").children[i].querySelector("ol").replaceChildren(...answers.map(bar));
  });
  clearTimeout(announcement);
  if (empty || asked) return; // a newer answer is under way
  announcement = setTimeout(() => {
    element("announcement").textContent = `${texts[0]} ${element("detail").textContent}`;
  }, QUIET);
}

function bar(answer) {
  const item = document.createElement("li");
  item.append(...["span", "i", "span"].map((name) => document.createElement(name)));
  const [digit, line, share] = item.children;
  digit.textContent = answer ? answer[0] : "\u00a0";
  line.style.setProperty("--share", answer ? answer[1] : 0);
  share.textContent = answer ? percent(answer[1]) : "";
  return item;
}

function place(event) {
  const box = canvas.getBoundingClientRect();
  return [(event.clientX - box.left) / box.width, (event.clientY - box.top) / box.height];
}

function set(change) {
  [strokes, sample, note] = [change.strokes ?? [], change.sample ?? null, change.note ?? ""];
  changed();
}

canvas.addEventListener("pointerdown", (event) => {
  if (pointer !== null || event.button !== 0) return; // a second finger, another mouse button
  pointer = event.pointerId;
  canvas.setPointerCapture(pointer);
  set({ strokes: [...strokes, [place(event)]] });
});
canvas.addEventListener("pointermove", (event) => {
  if (event.pointerId !== pointer || !(event.buttons & 1)) return;
  const moves = event.getCoalescedEvents?.() ?? [event];
  strokes.at(-1)?.push(...moves.map(place));
  changed();
});
canvas.addEventListener("lostpointercapture", (event) => {
  if (event.pointerId === pointer) pointer = null;
});
element("undo").addEventListener("click", () => set({ strokes: strokes.slice(0, -1) }));
element("clear").addEventListener("click", () => set({}));
element("samples").addEventListener("click", ({ target }) => {
  const { pixels, note } = target.dataset;
  if (pixels) set({ sample: Uint8Array.from(atob(pixels), (c) => c.charCodeAt(0)), note });
  else if (target.id === "scribble") set({ strokes: SCRIBBLE });
});
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", paint);
element("pad").hidden = false;
changed();
