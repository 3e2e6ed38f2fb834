// From the probabilities of the digits that are drawn to words and figures.
"use strict";

// What is read in one digit: its class, and whether it is unlike the digits of the training
function read(probabilities, leastConfidence) {
  const confidence = Math.max(...probabilities);
  const digit = probabilities.indexOf(confidence);
  return { probabilities, digit, confidence, unlike: confidence < leastConfidence };
}

// A headline, and what there is to say about it
function describe(readings) {
  const text = readings.map(({ digit, unlike }) => (unlike ? "?" : digit)).join("");
  if (text === "?") return ["Unlike the training digits", `At best, ${readings[0].digit}.`];
  return [text, text.includes("?") ? "What is shown as “?” is unlike the training digits." : ""];
}

// The three most likely classes of one digit, or the most likely class of each of several:
// pairs of class and probability
function rank(readings) {
  if (readings.length !== 1) return readings.map(({ digit, confidence }) => [digit, confidence]);
  const pairs = readings[0].probabilities.map((probability, digit) => [digit, probability]);
  return pairs.sort((a, b) => b[1] - a[1]).slice(0, 3);
}

// As HTML
function percent(probability) {
  if (probability > 0.99) return "&gt; 99%";
  return probability < 0.01 ? "&lt; 1%" : `${Math.round(100 * probability)}%`;
}
