// A sheet to write one character on, with pen, finger or mouse, or to show a picture on. It is paper in every theme.
import { html, useEffect, useRef } from "../view.js";
import { t } from "../i18n.js";
import { greyOf, greyOfFile } from "../reading/grey.js";

const SIDE = 420; // pixels of the sheet, whatever its size on the screen
const PEN = 26; // pixels: of a character as large as people write it here, as thick as in the pictures of training

const context = (canvas) => canvas.getContext("2d", { willReadFrequently: true });

function wipe(canvas) {
  const pen = context(canvas);
  pen.fillStyle = "#fff";
  pen.fillRect(0, 0, SIDE, SIDE);
  Object.assign(pen, { lineWidth: PEN, lineCap: "round", lineJoin: "round", strokeStyle: "#000" });
  return pen;
}

/** Draws a stroke from its point `from` on; a stroke of one point is a dot. */
function draw(pen, points, from = 0) {
  pen.beginPath();
  pen.moveTo(...points[Math.max(from - 1, 0)]);
  for (const point of points.slice(from)) pen.lineTo(...point);
  pen.stroke();
}

/** Shows a picture as large as it fits. */
function show(canvas, { grey, width, height }) {
  const shown = new ImageData(width, height);
  grey.forEach((level, pixel) => shown.data.set([level, level, level, 255], 4 * pixel));
  const whole = new OffscreenCanvas(width, height);
  whole.getContext("2d").putImageData(shown, 0, 0);
  const scale = SIDE / Math.max(width, height);
  const pen = wipe(canvas);
  pen.drawImage(whole, (SIDE - width * scale) / 2, (SIDE - height * scale) / 2, width * scale, height * scale);
}

/** @param onChange Is given {grey, width, height} as it changes; null of an empty sheet, or a PictureError. */
export function DrawingPad({ onChange }) {
  const sheet = useRef(null);
  const strokes = useRef([]);
  const active = useRef(null); // the pointer that writes

  useEffect(() => void wipe(sheet.current), []);

  const tell = () => {
    const pixels = context(sheet.current).getImageData(0, 0, SIDE, SIDE);
    onChange(strokes.current.length ? greyOf(pixels) : null);
  };
  const redraw = (kept) => {
    strokes.current = kept;
    const pen = wipe(sheet.current);
    kept.forEach((points) => draw(pen, points));
    tell();
  };
  const pointOf = ({ clientX, clientY }) => {
    const { left, top, width, height } = sheet.current.getBoundingClientRect();
    return [((clientX - left) * SIDE) / width, ((clientY - top) * SIDE) / height];
  };
  const begin = (event) => {
    if (active.current !== null || event.button) return;
    active.current = event.pointerId;
    sheet.current.setPointerCapture(event.pointerId);
    if (!strokes.current.length) wipe(sheet.current); // of a picture that was shown
    const points = [pointOf(event)];
    strokes.current.push(points);
    draw(context(sheet.current), points);
    tell();
  };
  const move = (event) => {
    if (event.pointerId !== active.current) return;
    const points = strokes.current.at(-1);
    const from = points.length;
    const passed = event.getCoalescedEvents?.() ?? [];
    points.push(...(passed.length ? passed : [event]).map(pointOf));
    draw(context(sheet.current), points, from);
    tell();
  };
  const end = (event) => {
    if (event.pointerId === active.current) active.current = null;
  };
  const take = async (file) => {
    if (!file) return;
    strokes.current = [];
    try {
      const picture = await greyOfFile(file);
      show(sheet.current, picture);
      onChange(picture);
    } catch (error) {
      wipe(sheet.current);
      onChange(error);
    }
  };
  const choose = (event) => {
    take(event.target.files[0]);
    event.target.value = ""; // so that the same file can be chosen again
  };
  const drop = (event) => {
    event.preventDefault();
    take(event.dataTransfer.files[0]);
  };
  return html`<div class="pad">
    <canvas ref=${sheet} width=${SIDE} height=${SIDE} role="img" aria-label=${t("try.pad")}
      onPointerDown=${begin} onPointerMove=${move} onPointerUp=${end} onPointerCancel=${end}
      onDragOver=${(event) => event.preventDefault()} onDrop=${drop}></canvas>
    <div class="actions">
      <button type="button" onClick=${() => redraw(strokes.current.slice(0, -1))}>${t("try.undo")}</button>
      <button type="button" onClick=${() => redraw([])}>${t("try.clear")}</button>
      <label class="button file">${t("try.choose")}<input class="unseen" type="file" accept="image/*" onChange=${choose} /></label>
    </div>
    <p class="hint">${t("try.drop")}</p>
  </div>`;
}
