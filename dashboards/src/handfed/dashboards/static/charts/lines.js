// Lines over rounds.
import { html, useMemo } from "../view.js";
import { t } from "../i18n.js";
import { Figure } from "./figure.js";
import { Plot } from "./plot.js";

/**
 * @param x The rounds.
 * @param series `{name, key, values, isDashed?}`: `key` is one of the series' colours, `values` has null for what is not known.
 * @param show How a value is written.
 * @param range `[lowest, highest]`, or null for what the data have.
 */
export function Lines({ title, text, file, x, series, show, range = null, height, extra }) {
  const shape = JSON.stringify([series.map(({ name, key, isDashed }) => [name, key, isDashed]), range, x.length > 40]);
  const options = useMemo(
    () => (uPlot, theme, axis) => ({
      scales: { x: { time: false, range: (_plot, low, high) => (low === high ? [low - 1, high + 1] : [low, high]) }, y: range ? { range } : { range: padded } },
      axes: [
        { ...axis, size: 30, grid: { show: false }, values: (_plot, ticks) => ticks.map((tick) => (Number.isInteger(tick) ? tick : "")) },
        { ...axis, size: 56, values: (_plot, ticks) => ticks.map(show) },
      ],
      series: [{}, ...series.map(({ key, isDashed }) => ({
        stroke: theme[key], width: 2, spanGaps: true, dash: isDashed ? [5, 4] : undefined,
        points: { show: x.length <= 40, size: 6, fill: theme[key] },
      }))],
    }),
    [shape],
  );
  const data = useMemo(() => [x, ...series.map(({ values }) => values)], [JSON.stringify([x, series.map(({ values }) => values)])]);
  const rows = x.map((each, place) => [each, ...series.map(({ values }) => values[place])]);
  return html`<${Figure} title=${title} text=${text} file=${file} rows=${rows}
    columns=${[t("chart.round"), ...series.map(({ name }) => name)]} keys=${series.map(({ key, name }) => [key, name])}
    shown=${(value, place) => (place && value !== null ? show(value) : value ?? "–")}>
    <${Plot} data=${data} options=${options} label=${text} height=${height} />${extra}
  <//>`;
}

/** A little room above and below, and a scale also where all values are the same. */
const padded = (_plot, low, high) => {
  if (low === null || low === undefined) return [0, 1];
  const room = Math.max((high - low) * 0.08, Math.abs(high) * 0.01, 1e-6);
  return [low >= 0 ? Math.max(0, low - room) : low - room, high + room];
};
