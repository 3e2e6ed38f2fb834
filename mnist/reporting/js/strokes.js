// From strokes to pixels. A stroke is a list of points [x, y], in fractions of the canvas's side.
// The points are scaled and centred, not pixels, so a tiny 8 keeps its holes.
"use strict";

const SIDE = 28, BOX = 20; // a digit fits 20x20 pixels of 28x28, as in MNIST
// The pen, and the width of its soft edge, in pixels. With these, skeletons of validation digits
// that are drawn again have the ink of the digits themselves (mean brightness 0.127 and 0.129), and
// the models read them best.
const THICKNESS = 2.4, EDGE = 1.6;
const SMALLEST = 0.04; // side of the smallest digit; a tap moves less and stays a dot
const MIN_SIZE = 0.2; // relative to the largest mark; what is smaller is a slip of the pen
const NEAR = 0.1; // strokes are of one digit if they are this near, relative to their height

function boundsOf(strokes) {
  const points = strokes.flat();
  const [left, right] = extremes(points.map(([x]) => x));
  const [top, bottom] = extremes(points.map(([, y]) => y));
  return { left, right, top, bottom, longest: Math.max(right - left, bottom - top) };
}

function extremes(values) {
  return [values.reduce((a, b) => Math.min(a, b)), values.reduce((a, b) => Math.max(a, b))];
}

function segmentsOf(stroke) {
  const ends = stroke.length === 1 ? stroke : stroke.slice(1); // a dot ends where it starts
  return ends.map((end, i) => [stroke[i], end]);
}

function distance([x, y], [[ax, ay], [bx, by]]) {
  const [dx, dy] = [bx - ax, by - ay], square = dx * dx + dy * dy;
  const along = square ? Math.min(Math.max(((x - ax) * dx + (y - ay) * dy) / square, 0), 1) : 0;
  return Math.hypot(x - ax - along * dx, y - ay - along * dy);
}

// Whether two strokes are parts of one digit: one lies above the other, or they (nearly) touch
function belong(stroke, other) {
  const [a, b] = [boundsOf([stroke]), boundsOf([other])].sort((c, d) => width(c) - width(d));
  const middle = (a.left + a.right) / 2;
  if (b.left <= middle && middle <= b.right) return true;
  const reach = NEAR * Math.max(a.bottom - a.top, b.bottom - b.top);
  if (Math.max(a.left, b.left) - Math.min(a.right, b.right) > reach) return false;
  const near = (points, segments) =>
    points.some((point) => segments.some((segment) => distance(point, segment) < reach));
  return near(stroke, segmentsOf(other)) || near(other, segmentsOf(stroke));
}

function width({ left, right }) {
  return right - left;
}

// Strokes of each digit, from left to right
function splitDigits(strokes) {
  let digits = [];
  for (const stroke of strokes) {
    const parts = digits.filter((digit) => digit.some((other) => belong(stroke, other)));
    digits = digits.filter((digit) => !parts.includes(digit));
    digits.push([stroke, ...parts.flat()]);
  }
  const largest = Math.max(...digits.map((digit) => boundsOf(digit).longest));
  return digits
    .filter((digit) => boundsOf(digit).longest >= MIN_SIZE * largest)
    .sort((a, b) => boundsOf(a).left - boundsOf(b).left);
}

// Brightness 0..1 of 28x28 pixels, row by row, of strokes in pixels
function render(strokes) {
  const grey = new Float64Array(SIDE * SIDE), reach = (THICKNESS + EDGE) / 2;
  for (const segment of strokes.flatMap(segmentsOf)) {
    const { left, right, top, bottom } = boundsOf([segment]);
    const last = (end) => Math.min(SIDE - 1, Math.floor(end + reach));
    const first = (start) => Math.max(0, Math.floor(start - reach));
    for (let row = first(top); row <= last(bottom); row++) {
      for (let column = first(left); column <= last(right); column++) {
        const inside = THICKNESS / 2 - distance([column + 0.5, row + 0.5], segment);
        const brightness = Math.min(Math.max(inside / EDGE + 0.5, 0), 1);
        const i = row * SIDE + column;
        grey[i] = Math.max(grey[i], brightness);
      }
    }
  }
  return grey;
}

// The strokes of one digit as 784 grey values 0..255, scaled and centred as MNIST's digits
function toMnist(strokes) {
  const { left, right, top, bottom, longest } = boundsOf(strokes);
  const scale = (BOX - THICKNESS) / Math.max(longest, SMALLEST);
  // `x` and `y` are where the middle of the strokes comes
  const place = (x, y) => strokes.map((stroke) => stroke.map((point) =>
    [(point[0] - (left + right) / 2) * scale + x, (point[1] - (top + bottom) / 2) * scale + y]));
  const grey = render(place(SIDE / 2, SIDE / 2));
  let mass = 0, across = 0, down = 0;
  grey.forEach((value, i) => {
    mass += value; across += value * (i % SIDE + 0.5); down += value * (Math.floor(i / SIDE) + 0.5);
  });
  // The centre of mass comes to the middle, rounded as in MNIST, where it lies 14.0 to 15.0 pixels
  // from the edge, so 14.5 on average. The digit stays inside the image.
  const middle = (centre, extent) => {
    const margin = (extent * scale + THICKNESS) / 2;
    return Math.min(Math.max(SIDE / 2 + (SIDE + 1) / 2 - centre, margin), SIDE - margin);
  };
  const [x, y] = [middle(across / mass, right - left), middle(down / mass, bottom - top)];
  const pixels = render(place(x, y));
  return Uint8Array.from(pixels, (value) => Math.round(255 * value));
}
