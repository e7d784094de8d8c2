// uPlot, fetched when the first chart is drawn, in the colours of the theme.
import { html, useEffect, useRef } from "../view.js";

let library = null;

/** The library, which is a plain script: its module build is three times the size. */
function load() {
  library ??= new Promise((resolve, reject) => {
    const style = document.createElement("link");
    style.rel = "stylesheet";
    style.href = "vendor/uplot.css";
    const script = document.createElement("script");
    script.src = "vendor/uplot.js";
    script.onload = () => resolve(globalThis.uPlot);
    script.onerror = reject;
    document.head.append(style, script);
  });
  return library;
}

/** The colours by name as the theme has them now; a canvas knows no custom properties. */
function colours(place) {
  const probe = document.createElement("span");
  place.append(probe);
  const found = {};
  for (const name of ["ink", "muted", "line", "one", "two", "three", "four"]) {
    probe.style.color = `var(--${name})`;
    found[name] = getComputedStyle(probe).color;
  }
  probe.remove();
  return found;
}

/**
 * A chart that fills the width it has.
 * @param data As uPlot takes it: the values of x, then of each series.
 * @param options Makes uPlot's options of the library and the colours.
 * @param label What the chart shows, in a sentence.
 */
export function Plot({ data, options, label, height = 240 }) {
  const place = useRef(null);
  const drawn = useRef({});
  drawn.current.data = data;
  useEffect(() => {
    const mine = drawn.current;
    let isOver = false;
    let watch = null;
    const draw = async () => {
      const uPlot = await load();
      if (isOver || !place.current) return;
      mine.plot?.destroy();
      const theme = colours(place.current);
      const font = `12px ${getComputedStyle(place.current).fontFamily}`;
      const axis = { stroke: theme.muted, font, grid: { stroke: theme.line, width: 1 }, ticks: { show: false } };
      const width = place.current.clientWidth;
      const made = options(uPlot, theme, axis, width);
      mine.plot = new uPlot({ width, height, cursor: { drag: { x: false, y: false } }, legend: { show: false }, ...made }, mine.data, place.current);
      watch ??= new ResizeObserver(() => {
        const now = place.current?.clientWidth;
        if (now && mine.plot && mine.plot.width !== now) mine.plot.setSize({ width: now, height });
      });
      watch.observe(place.current);
    };
    draw();
    const dark = matchMedia("(prefers-color-scheme: dark)");
    dark.addEventListener("change", draw);
    addEventListener("handfed:theme", draw);
    return () => {
      isOver = true;
      watch?.disconnect();
      dark.removeEventListener("change", draw);
      removeEventListener("handfed:theme", draw);
      mine.plot?.destroy();
      mine.plot = null;
    };
  }, [options]);
  useEffect(() => {
    drawn.current.plot?.setData(data);
  }, [data]);
  return html`<div class="plot" role="img" aria-label=${label} ref=${place}></div>`;
}
