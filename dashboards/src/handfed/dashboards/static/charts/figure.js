// A chart with what belongs to it: a heading, a key, a sentence that says it, the same as a table, and as a file.
import { html } from "../view.js";
import { t } from "../i18n.js";

/** A cell of CSV (RFC 4180); what a spreadsheet would run as a formula is kept from it. */
const cell = (value) => {
  const text = value === null || value === undefined ? "" : String(value);
  const safe = /^[=+\-@\t\r]/.test(text) && Number.isNaN(Number(text)) ? `'${text}` : text;
  return /[",\n\r]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
};

export const csv = (columns, rows) => [columns, ...rows].map((row) => row.map(cell).join(",")).join("\r\n") + "\r\n";

export function save(name, text, type = "text/csv") {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([text], { type }));
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href));
}

/**
 * @param columns The headings of the table.
 * @param rows Its rows, as they go into a file; `shown` gives a cell as people read it.
 * @param keys `[series, name]` of each line or bar: its colour and what it is.
 */
export function Figure({ title, text, file, columns, rows, shown = (value) => value ?? "–", keys = [], children }) {
  return html`<figure class="figure">
    <figcaption>
      <div><h3>${title}</h3>
        ${keys.length > 0 && html`<ul class="keys">${keys.map(([series, name]) => html`<li class=${series}>${name}</li>`)}</ul>`}</div>
      <button class="plain" aria-label=${t("chart.csv.of", { title })} onClick=${() => save(`${file}.csv`, csv(columns, rows))}>${t("chart.csv")}</button>
    </figcaption>
    ${children}
    <p class="says">${text}</p>
    <details><summary>${t("chart.table")}</summary>
      <div class="scroll" tabindex="0" role="region" aria-label=${title}><table class="plain-table">
        <thead><tr>${columns.map((column) => html`<th scope="col">${column}</th>`)}</tr></thead>
        <tbody>${rows.map((row) => html`<tr>${row.map((value, place) => html`<td>${shown(value, place)}</td>`)}</tr>`)}</tbody>
      </table></div></details>
  </figure>`;
}
