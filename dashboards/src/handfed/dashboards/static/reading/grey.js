// From a picture to grey pixels, as `handfed.clients.edge.pictures` has them: the orientation that a camera noted is
// applied, colours become their luma, and what is transparent is paper.

const MOST_PIXELS = 32_000_000;

/** The picture cannot be decoded, or is too large. `code` is `unreadable` or `large`. */
export class PictureError extends Error {
  constructor(code) {
    super(code);
    this.code = code;
  }
}

/** {grey, width, height} of a file that a person chose or dropped. */
export async function greyOfFile(file) {
  let bitmap;
  try {
    bitmap = await createImageBitmap(file, { imageOrientation: "from-image", colorSpaceConversion: "none", premultiplyAlpha: "none" });
  } catch {
    throw new PictureError("unreadable");
  }
  const { width, height } = bitmap;
  if (width * height > MOST_PIXELS) throw new PictureError("large");
  const context = new OffscreenCanvas(width, height).getContext("2d", { willReadFrequently: true });
  context.drawImage(bitmap, 0, 0);
  bitmap.close();
  return greyOf(context.getImageData(0, 0, width, height));
}

/** {grey, width, height} of ImageData. */
export function greyOf({ data, width, height }) {
  const grey = new Uint8Array(width * height);
  const alpha = new Uint8Array(width * height);
  let isOpaque = true;
  for (let pixel = 0, at = 0; pixel < grey.length; pixel++, at += 4) {
    grey[pixel] = (data[at] * 19595 + data[at + 1] * 38470 + data[at + 2] * 7471 + 0x8000) >> 16; // as Pillow rounds
    alpha[pixel] = data[at + 3];
    isOpaque &&= data[at + 3] === 255;
  }
  return { grey: isOpaque ? grey : onPaper(grey, alpha, width, height), width, height };
}

function onPaper(grey, alpha, width, height) {
  const paper = shadeOfPaper(grey, alpha, width, height);
  return grey.map((level, pixel) => Math.floor((level * alpha[pixel] + paper * (255 - alpha[pixel]) + 127) / 255));
}

/** The shade of the picture's own paper around the ink; where only the ink is opaque, white, or black if it is light. */
function shadeOfPaper(grey, alpha, width, height) {
  const frame = [];
  let [ofFrame, ink, opacity] = [0, 0, 0];
  grey.forEach((level, pixel) => {
    const [row, column] = [Math.floor(pixel / width), pixel % width];
    ink += level * alpha[pixel];
    opacity += alpha[pixel];
    if (row && column && row < height - 1 && column < width - 1) return;
    ofFrame += 1;
    if (alpha[pixel] >= 128) frame.push(level);
  });
  if (2 * frame.length > ofFrame) return frame.sort((one, other) => one - other)[Math.floor(frame.length / 2)];
  return ink > 127 * opacity ? 0 : 255;
}

/** A PNG of grey pixels, as a Blob. */
export function pngOf({ grey, width, height }) {
  const canvas = new OffscreenCanvas(width, height);
  const pixels = new ImageData(width, height);
  grey.forEach((level, pixel) => pixels.data.set([level, level, level, 255], 4 * pixel));
  canvas.getContext("2d").putImageData(pixels, 0, 0);
  return canvas.convertToBlob({ type: "image/png" });
}
