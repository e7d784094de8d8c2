// A confusion matrix: a row a class that was written, a column a class that was read, shaded by the share of the row.
import { html } from "../view.js";
import { t } from "../i18n.js";
import { number, percent } from "../format.js";
import { Figure } from "./figure.js";

const DARKEST = 38; // per cent of the colour, so that words on it stay readable

/**
 * @param classes `{name, samples, correct}`, the rows.
 * @param confusions `{written, read, samples}`.
 */
export function Matrix({ title, text, file, classes, confusions }) {
  const cells = new Map(confusions.map((each) => [`${each.written}\n${each.read}`, each.samples]));
  for (const each of classes) cells.set(`${each.name}\n${each.name}`, each.correct);
  const read = [...new Set([...classes.map((each) => each.name), ...confusions.map((each) => each.read)])];
  const size = Object.fromEntries(classes.map((each) => [each.name, each.samples]));
  const rows = [...confusions].sort((a, b) => b.samples - a.samples).map((each) => [each.written, each.read, each.samples, each.samples / size[each.written]]);
  const most = Math.max(0.01, ...rows.map((row) => row[3]));
  return html`<${Figure} title=${title} text=${text} file=${file} rows=${rows}
      columns=${[t("matrix.written"), t("matrix.read"), t("matrix.samples"), t("matrix.share")]}
      shown=${(value, place) => (place === 3 ? percent(value, 1) : place === 2 ? number(value) : value)}>
    <div class="scroll whole" tabindex="0" role="region" aria-label=${title}><table class="matrix" aria-label=${title}>
      <thead><tr><th scope="col">${t("matrix.corner")}</th>${read.map((name) => html`<th scope="col">${name}</th>`)}</tr></thead>
      <tbody>${classes.map((row) => html`<tr><th scope="row">${row.name}</th>${read.map((name) => {
        const count = cells.get(`${row.name}\n${name}`) ?? 0;
        const isRight = name === row.name;
        const share = count / row.samples;
        const depth = isRight ? 0 : (DARKEST * share) / most;
        return html`<td class=${isRight ? "right" : ""} style=${depth ? { "--depth": `${depth}%` } : {}}>${count ? percent(share, share < 0.1 && !isRight ? 1 : 0) : html`<span class="nil">0</span>`}</td>`;
      })}</tr>`)}</tbody></table></div>
  <//>`;
}
