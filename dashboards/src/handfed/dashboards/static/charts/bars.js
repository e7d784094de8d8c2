// Bars, side by side or one within the other.
import { html, useMemo } from "../view.js";
import { Figure } from "./figure.js";
import { Plot } from "./plot.js";
import { number } from "../format.js";

/** What ticks of counts are apart: 1, 2, 5, 10, and so on; the library's own steps have 2.5 among them. */
const COUNTED = Array.from({ length: 8 }, (_none, power) => [1, 2, 5].map((step) => step * 10 ** power)).flat();

/**
 * @param labels What each bar is of.
 * @param series `{name, key, values}`; a later one is drawn over an earlier one.
 * @param show How a value is written; none where values are counts.
 * @param first The heading of the labels' column.
 */
export function Bars({ title, text, file, labels, series, first, show = number, range = null, height = 220 }) {
  const shape = JSON.stringify([labels, series.map(({ name, key }) => [name, key]), range]);
  const options = useMemo(
    () => (uPlot, theme, axis, width) => ({
      scales: {
        x: { time: false, range: () => [-0.6, labels.length - 0.4] },
        y: range ? { range } : { range: (_plot, _low, high) => [0, high > 0 ? high * 1.08 : 1] },
      },
      axes: [
        {
          ...axis,
          size: 30,
          grid: { show: false },
          splits: () => sparse(labels, width),
          values: (_plot, places) => places.map((place) => labels[place] ?? ""),
        },
        { ...axis, size: 56, ...(show === number && { incrs: COUNTED }), values: (_plot, ticks) => ticks.map((tick) => show(tick)) },
      ],
      series: [{}, ...series.map(({ key }, place) => ({
        fill: theme[key], stroke: theme[key], width: 0, points: { show: false },
        paths: uPlot.paths.bars({ size: place ? [0.45, 24] : [0.75, 42] }),
      }))],
    }),
    [shape],
  );
  const data = useMemo(() => [labels.map((_label, place) => place), ...series.map(({ values }) => values)], [JSON.stringify([labels, series.map(({ values }) => values)])]);
  const rows = labels.map((label, place) => [label, ...series.map(({ values }) => values[place])]);
  return html`<${Figure} title=${title} text=${text} file=${file} rows=${rows} columns=${[first, ...series.map(({ name }) => name)]}
    keys=${series.length > 1 ? series.map(({ key, name }) => [key, name]) : []}
    shown=${(value, place) => (place && value !== null ? show(value) : value ?? "–")}>
    <${Plot} data=${data} options=${options} label=${text} height=${height} />
  <//>`;
}

/** Which bars are named, so that names do not run into one another. */
function sparse(labels, width) {
  const longest = Math.max(...labels.map((label) => String(label).length), 1);
  const step = Math.max(1, Math.ceil((labels.length * (longest * 7 + 14)) / Math.max(width - 70, 100)));
  return labels.map((_label, place) => place).filter((place) => place % step === 0);
}
