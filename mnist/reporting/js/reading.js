// From the probabilities of the models to words and figures.
"use strict";

const TOGETHER = { 2: "Both", 3: "All three", 4: "All four", 5: "All five" };

function best(probabilities) {
  return probabilities.indexOf(Math.max(...probabilities));
}

// What is read in one digit of 784 grey values 0..255, from the answers of the models
function read(pixels, answers, settings) {
  const probabilities = answers.map((answer) => answer.probabilities);
  const sums = probabilities[0].map((_, digit) =>
    probabilities.reduce((sum, row) => sum + row[digit], 0));
  const unsure = probabilities.filter((row, i) =>
    Math.max(...row) < settings.models[i].least_confidence);
  return {
    probabilities,
    digit: best(sums), // the digit that the models find most likely on average
    unlike: isStrange(pixels, settings) || 2 * unsure.length > answers.length
      || answers.some((answer) => answer.remoteness > 1),
  };
}

// Whether a picture has less or more ink than a digit has, or a longer outline, as in
// mnist/evaluation/out_of_distribution.py; a limit that was not measured does not matter
function isStrange(pixels, { ink = [0, 1], longest_outline = Infinity }) {
  const brightness = pixels.reduce((a, b) => a + b) / (255 * pixels.length);
  let outline = 0;
  pixels.forEach((grey, i) => {
    if (i % SIDE) outline += Math.abs(grey - pixels[i - 1]) / 255;
    if (i >= SIDE) outline += Math.abs(grey - pixels[i - SIDE]) / 255;
  });
  return brightness < ink[0] || brightness > ink[1] || outline > longest_outline;
}

// "a 7", but "an 8", "an 11" and "an 80"
function withArticle(number) {
  const eleven = /^1[18](...)*$/.test(number); // or eighteen, also of thousands
  return `${number.startsWith("8") || eleven ? "an" : "a"} ${number}`;
}

// What each model reads, the digits of all readings in a row
function numbers(readings, models) {
  return models.map((_, i) => readings.map((r) => best(r.probabilities[i])).join(""));
}

function headline(readings, models) {
  if (readings.length === 1 && readings[0].unlike) return "Unlike the training digits.";
  const number = readings.map((r) => (r.unlike ? "?" : r.digit)).join("");
  if (number.includes("?")) return `${number}.`;
  const agreed = new Set(numbers(readings, models)).size === 1;
  const text = agreed ? withArticle(number) : `perhaps ${withArticle(number)}`;
  return `${text[0].toUpperCase()}${text.slice(1)}.`;
}

function detail(readings, models) {
  const read = numbers(readings, models), agreed = new Set(read).size === 1;
  const said = ({ title }, i) => `the ${title}${i ? "" : " says"} ${read[i]}`;
  const each = models.map(said).join(", ");
  const strange = readings.filter((r) => r.unlike).length;
  if (strange && readings.length === 1) return `At best, ${agreed ? withArticle(read[0]) : each}.`;
  const marks = strange ? "A mark shown as “?” is unlike the training digits. " : "";
  if (!agreed) return `${marks}${each[0].toUpperCase()}${each.slice(1)}.`;
  return marks + (models.length > 1 ? `${TOGETHER[models.length] ?? "All"} agree.` : "");
}

// The three most likely classes of one digit, or the most likely class of each of several:
// pairs of class and probability
function rows(readings, model) {
  const ranked = readings.map((r) =>
    r.probabilities[model].map((p, digit) => [digit, p]).sort((a, b) => b[1] - a[1]));
  return ranked.length === 1 ? ranked[0].slice(0, 3) : ranked.map((row) => row[0]);
}

function percent(probability) {
  if (probability > 0.99) return "> 99%";
  return probability < 0.01 ? "< 1%" : `${Math.round(100 * probability)}%`;
}
