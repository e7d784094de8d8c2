// Image normalisation: what `handfed.shared.images` does (VERSION 1), pixel by pixel. Its rules are told there and in
// decision 1; whoever changes one changes both, and steps the version.
//
// Arithmetic is exact: every number is an integer below 2 ** 53, where float64 adds, multiplies and divides (rounded
// down) without loss, so the order of summation is free.

export const VERSION = 1;
export const SIDE = 28;
const BOX = 20;
const INK_FLOOR = 32;
const LEAST_CONTRAST = 24;
const LARGEST_SIDE = 16384;
const ONE = 65536;

/** The picture shows no ink, or cannot be normalised. `code` is `blank` or `size`. */
export class InkError extends Error {
  constructor(code) {
    super(code);
    this.code = code;
  }
}

/**
 * @param image {grey: Uint8Array of height * width, width, height}, dark on light or light on dark.
 * @returns Uint8Array of 28 * 28; 0 is paper and 255 the darkest ink.
 */
export function normalise({ grey, width, height }) {
  if (Math.min(width, height) < 2 || Math.max(width, height) > LARGEST_SIDE) throw new InkError("size");
  const ink = inkOf(grey, width, height);
  const box = boxOf(ink, width, height);
  const cut = crop(ink, width, box);
  const longer = Math.max(cut.width, cut.height);
  const scaled = (side) => Math.max(1, Math.floor((side * BOX * 2 + longer) / (longer * 2))); // rounded half up
  return centre(resample(cut, scaled(cut.width), scaled(cut.height)));
}

/** How much ink each pixel holds, 0 to 255, whatever the polarity, the paper's shade and the strength of the ink. */
function inkOf(given, width, height) {
  let grey = given;
  let frame = frameOf(grey, width, height);
  const middle = frame.length / 2; // a frame has an even number of pixels
  let paperTwice = frame[middle - 1] + frame[middle]; // the median, in half grey levels
  const [least, most] = extremes(grey);
  const darker = paperTwice - 2 * least;
  const lighter = 2 * most - paperTwice;
  // Dark ink on light paper? Of equal contrasts the shade decides, and on mid-grey paper any pixel that differs.
  if (isAfter([darker, paperTwice, grey[0]], [lighter, 255, 127])) {
    grey = grey.map((level) => 255 - level);
    frame = frame.map((level) => 255 - level).reverse();
    paperTwice = 510 - paperTwice;
  }
  let paper = Math.floor((paperTwice + 1) / 2);
  const uneven = frame[Math.floor((frame.length * 9) / 10)];
  if (uneven - paper < LEAST_CONTRAST) paper = Math.max(paper, uneven); // grain of the paper, and not ink at the frame
  const strength = extremes(grey)[1] - paper;
  if (strength < LEAST_CONTRAST) throw new InkError("blank");
  const half = Math.floor(strength / 2);
  const levels = Uint8Array.from({ length: 256 }, (_, level) => Math.floor((Math.max(level - paper, 0) * 255 + half) / strength));
  return grey.map((level) => levels[level]);
}

/** The pixels of the picture's frame, sorted. */
function frameOf(grey, width, height) {
  const sides = new Uint8Array(2 * (height - 2));
  for (let row = 1; row < height - 1; row++) {
    sides[row - 1] = grey[row * width];
    sides[height - 3 + row] = grey[(row + 1) * width - 1];
  }
  const frame = new Uint8Array(2 * width + sides.length);
  frame.set(grey.subarray(0, width));
  frame.set(grey.subarray((height - 1) * width, height * width), width);
  frame.set(sides, 2 * width);
  return frame.sort();
}

function extremes(grey) {
  let [least, most] = [255, 0];
  for (const level of grey) {
    if (level < least) least = level;
    if (level > most) most = level;
  }
  return [least, most];
}

/** Whether a list comes after another of the same length, in the order of words. */
function isAfter(one, other) {
  const place = one.findIndex((value, index) => value !== other[index]);
  return place >= 0 && one[place] > other[place];
}

/** The rows and columns that hold clear ink: first, and last plus one. */
function boxOf(ink, width, height) {
  let [top, bottom, left, right] = [height, 0, width, 0];
  for (let row = 0; row < height; row++)
    for (let column = 0; column < width; column++)
      if (ink[row * width + column] >= INK_FLOOR) {
        if (row < top) top = row;
        bottom = row + 1;
        if (column < left) left = column;
        if (column >= right) right = column + 1;
      }
  return { top, bottom, left, right };
}

function crop(ink, width, { top, bottom, left, right }) {
  const cut = new Uint8Array((bottom - top) * (right - left));
  for (let row = top; row < bottom; row++)
    cut.set(ink.subarray(row * width + left, row * width + right), (row - top) * (right - left));
  return { ink: cut, width: right - left, height: bottom - top };
}

/** Scales, and stretches so that the darkest pixel is 255 again. */
function resample({ ink, width, height }, newWidth, newHeight) {
  if (width === newWidth && height === newHeight) return { ink, width, height };
  const tall = new Float64Array(newHeight * width); // below 2 ** 24
  triangles(height, newHeight).forEach(({ first, weights }, row) =>
    weights.forEach((weight, index) => {
      for (let column = 0; column < width; column++) tall[row * width + column] += weight * ink[(first + index) * width + column];
    }),
  );
  const sums = new Float64Array(newHeight * newWidth); // below 2 ** 40
  triangles(width, newWidth).forEach(({ first, weights }, column) =>
    weights.forEach((weight, index) => {
      for (let row = 0; row < newHeight; row++) sums[row * newWidth + column] += weight * tall[row * width + first + index];
    }),
  );
  const darkest = sums.reduce((most, sum) => Math.max(most, sum), 0);
  const stretched = Uint8Array.from(sums, (sum) => Math.floor((sum * 510 + darkest) / (2 * darkest)));
  return { ink: stretched, width: newWidth, height: newHeight };
}

/** For each new pixel, its weights from the first old pixel on that has one: a triangle, out of 65,536. */
function triangles(size, newSize) {
  const support = Math.max(size, newSize) * 2; // half-width of the triangle, in 1 / (2 * newSize) pixel
  return Array.from({ length: newSize }, (_, place) => {
    const peak = (2 * place + 1) * size;
    const heightAt = (old) => support - Math.abs((2 * old + 1) * newSize - peak);
    let first = Math.max(Math.floor(((peak - support) / newSize - 1) / 2), 0);
    while (heightAt(first) <= 0) first++;
    const heights = [];
    for (let old = first; old < size && heightAt(old) > 0; old++) heights.push(heightAt(old));
    const whole = heights.reduce((sum, each) => sum + each, 0);
    const weights = heights.map((each) => Math.floor((each * ONE) / whole));
    const lost = ONE - weights.reduce((sum, each) => sum + each, 0);
    weights[heights.indexOf(heights.reduce((most, each) => Math.max(most, each)))] += lost; // to the nearest
    return { first, weights };
  });
}

/** Places the ink so that its centre of mass is at the centre of the square, as far as it fits. */
function centre({ ink, width, height }) {
  let [total, down, across] = [0, 0, 0];
  ink.forEach((level, index) => {
    total += level;
    down += level * (2 * Math.floor(index / width) + 1);
    across += level * (2 * (index % width) + 1);
  });
  const [top, left] = [offset(down, total, height), offset(across, total, width)];
  const square = new Uint8Array(SIDE * SIDE);
  for (let row = 0; row < height; row++) square.set(ink.subarray(row * width, (row + 1) * width), (top + row) * SIDE + left);
  return square;
}

/** Brings a centre of mass of `moment / (2 * total)` to the middle of pixel 14, rounded half up. */
function offset(moment, total, size) {
  const wanted = Math.floor(((SIDE + 1) * total - moment + total) / (2 * total));
  return Math.min(Math.max(wanted, 0), SIDE - size);
}
