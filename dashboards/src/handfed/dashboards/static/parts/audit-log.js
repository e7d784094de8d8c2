// Who changed what: filtered by the server, and exported by it, so that the file is the whole of it.
import { html, useState } from "../view.js";
import { t } from "../i18n.js";
import { get, urlOf } from "../api.js";
import { now } from "../clock.js";
import { moment } from "../format.js";
import { Answer, Section, worded } from "./basics.js";
import { useAnswer } from "./asking.js";
import { Table } from "./table.js";

const DAYS = { day: 1, week: 7, month: 30, year: 365 };
const PAGE = 200;

export function AuditLog() {
  const [asked, setAsked] = useState({ days: "week", who: "", object: "" });
  const query = String(queryOf(asked));
  const answer = useAnswer(() => get(`/audit?${query}&newest_first=true&limit=${PAGE}`), [query]);
  const change = (event) => setAsked({ ...asked, [event.target.name]: event.target.value });
  const exports = html`<span class="actions"><a class="button" href=${urlOf(`/audit/export?${query}&format=csv`)} download>${t("audit.csv")}</a>
    <a class="button" href=${urlOf(`/audit/export?${query}&format=jsonl`)} download>${t("audit.jsonl")}</a></span>`;
  return html`<${Section} title=${t("audit.title")} lead=${t("audit.lead")} actions=${exports}>
    <div class="pickers">
      <label class="inline"><span>${t("audit.since")}</span><select name="days" value=${asked.days} onChange=${change}>
        ${Object.keys(DAYS).map((name) => html`<option value=${name}>${t(`since.${name}`)}</option>`)}</select></label>
      <label class="inline"><span>${t("audit.who")}</span><input name="who" value=${asked.who} onChange=${change} /></label>
      <label class="inline"><span>${t("audit.object")}</span><input name="object" value=${asked.object} onChange=${change} placeholder="device/7" /></label>
    </div>
    <${Answer} of=${answer}>${(found) => html`
      ${found.items.length === PAGE && html`<p class="notice warn">${t("audit.most", { n: PAGE })}</p>`}
      <${Table} label=${t("audit.title")} rows=${found.items} columns=${columns()} keyOf=${(each) => each.number} first=${["at", true]} />`}<//>
  <//>`;
}

/** The filter as the API takes it; whole hours, so that the same filter is the same question. */
function queryOf({ days, who, object }) {
  const since = new Date(now() - DAYS[days] * 86_400_000);
  since.setMinutes(0, 0, 0);
  const query = new URLSearchParams({ since: since.toISOString() });
  if (who.trim()) query.set("who", who.trim());
  if (object.trim()) query.set("object", object.trim());
  return query;
}

const columns = () => [
  { name: "at", title: t("audit.at"), by: (each) => each.at, show: (each) => moment(each.at) },
  { name: "who", title: t("audit.who"), by: (each) => each.who },
  { name: "verb", title: t("audit.verb"), by: (each) => worded("verb", each.verb), isWhole: true },
  { name: "object", title: t("audit.object"), isWhole: true, by: (each) => each.object, show: (each) => html`<code>${each.object}</code>` },
  { name: "address", title: t("audit.address"), by: (each) => each.address },
  { name: "detail", title: t("audit.detail"), by: (each) => details(each), show: (each) => details(each) },
];

const details = (each) =>
  Object.entries(each.detail).filter(([, value]) => value !== null && value !== "").map(([name, value]) => `${name}: ${typeof value === "object" ? JSON.stringify(value) : value}`).join(", ");
