// A table that sorts and filters, and turns to a list of cards where a screen is narrow.
import { html, useMemo, useState } from "../view.js";
import { t } from "../i18n.js";
import { current } from "../i18n.js";
import { number } from "../format.js";

const SHOWN = matchMedia("(max-width: 44rem)").matches ? 10 : 25;

const order = (a, b) => {
  if (a === b) return 0;
  if (a === null || a === undefined) return 1; // what is not known comes last, either way
  if (b === null || b === undefined) return -1;
  return typeof a === "string" ? a.localeCompare(b, current(), { numeric: true }) : a < b ? -1 : 1;
};

function sorted(rows, column, isDown) {
  if (!column) return rows;
  const value = column.by;
  return [...rows].sort((a, b) => {
    const [x, y] = [value(a), value(b)];
    const found = order(x, y);
    return isDown && x !== null && y !== null && x !== undefined && y !== undefined ? -found : found;
  });
}

/**
 * @param columns `{name, title, by, show?, isNumber?, isWhole?}`: `by` gives what a row is sorted and found by; a word of
 *   one that is whole is not parted.
 * @param label What the table is, for who does not see it.
 * @param first The column by which it is sorted at first, and whether downwards.
 */
export function Table({ columns, rows, label, first = [null, false], canFilter = true, keyOf, extra }) {
  const [[name, isDown], setOrder] = useState(first);
  const [wanted, setWanted] = useState("");
  const [most, setMost] = useState(SHOWN);
  const found = useMemo(() => {
    const asked = wanted.trim().toLocaleLowerCase();
    const kept = asked
      ? rows.filter((row) => columns.some((column) => String(column.words?.(row) ?? column.by?.(row) ?? "").toLocaleLowerCase().includes(asked)))
      : rows;
    return sorted(kept, columns.find((column) => column.name === name), isDown);
  }, [rows, wanted, name, isDown, current()]);
  const sortBy = (column) => setOrder([column, column === name ? !isDown : false]);
  const sortable = columns.filter((column) => column.by);
  return html`<div class="table">
    <div class="table-tools">
      ${canFilter && html`<label class="filter"><span class="unseen">${t("filter")}</span>
        <input type="search" placeholder=${t("filter")} value=${wanted} onInput=${(event) => setWanted(event.target.value)} /></label>`}
      ${extra}
      <label class="sort"><span>${t("sort")}</span>
        <select value=${name ?? ""} onChange=${(event) => sortBy(event.target.value)}>
          ${!name && html`<option value="">–</option>`}
          ${sortable.map((column) => html`<option value=${column.name}>${column.title}</option>`)}
        </select></label>
      <span class="count" role="status">${t("rows", { n: number(found.length) })}</span>
    </div>
    <table role="table" aria-label=${label}>
      <thead role="rowgroup"><tr role="row">${columns.map((column) => html`<th role="columnheader" scope="col" class=${column.isNumber ? "number" : ""}
        aria-sort=${column.name === name ? (isDown ? "descending" : "ascending") : null}>
        ${column.by ? html`<button onClick=${() => sortBy(column.name)}>${column.title}</button>` : column.title}</th>`)}</tr></thead>
      <tbody role="rowgroup">${found.slice(0, most).map((row) => html`<tr role="row" key=${keyOf?.(row)}>${columns.map((column) => html`<td role="cell"
        class=${column.isNumber ? "number" : column.isWhole ? "whole" : ""} data-label=${column.title}><span>${(column.show ?? column.by)(row)}</span></td>`)}</tr>`)}</tbody>
    </table>
    ${found.length === 0 && html`<p class="none">${t("none")}</p>`}
    ${found.length > most && html`<button class="plain" onClick=${() => setMost(most + 100)}>${t("more", { n: number(found.length - most) })}</button>`}
  </div>`;
}
