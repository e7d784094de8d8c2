// A character as the recogniser sees it: 28 by 28 grey pixels, enlarged.
import { html, useEffect, useRef } from "../view.js";
import { t } from "../i18n.js";
import { SIDE } from "../reading/normalise.js";

export function Seen({ of }) {
  const canvas = useRef(null);
  useEffect(() => {
    const pixels = new ImageData(SIDE, SIDE);
    of.forEach((level, pixel) => pixels.data.set([255 - level, 255 - level, 255 - level, 255], 4 * pixel));
    canvas.current.getContext("2d").putImageData(pixels, 0, 0);
  }, [of]);
  return html`<canvas class="seen" ref=${canvas} width=${SIDE} height=${SIDE} role="img" aria-label=${t("try.sees")}></canvas>`;
}
