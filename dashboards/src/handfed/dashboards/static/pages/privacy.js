// What leaves a device, what is kept and for how long, whose consent it takes, and who changed what.
import { html } from "../view.js";
import { has, t } from "../i18n.js";
import { get } from "../api.js";
import { bytes, number } from "../format.js";
import { Answer, Section, Title, worded } from "../parts/basics.js";
import { useAnswer } from "../parts/asking.js";
import { AuditLog } from "../parts/audit-log.js";
import { useMe } from "../parts/me.js";
import { Table } from "../parts/table.js";

const KEPT = ["handwriting", "devices", "rounds", "updates", "releases", "audit", "sessions"];
const NEVER = ["pictures", "labels", "writers", "names", "corrections"];

export function Page() {
  const me = useMe();
  return html`<${Title} lead=${t("privacy.lead")}>${t("nav.privacy")}<//>
    <${Leaving} />
    <${Section} title=${t("kept.title")} lead=${t("kept.lead")}><dl class="kept">${KEPT.map((name) => html`<div>
      <dt>${t(`kept.${name}`)}</dt><dd>${t(`kept.${name}.text`)}</dd></div>`)}</dl><//>
    <${Section} title=${t("consent.title")}><p>${t("consent.text")}</p><p>${t("consent.forget")}</p><//>
    ${me.isAdmin && html`<${AuditLog} />`}`;
}

function Leaving() {
  const answer = useAnswer(() => get("/privacy/leaving"));
  return html`<${Section} title=${t("leaving.title")} lead=${t("leaving.lead")}>
    <div class="notice good"><h3>${t("never.title")}</h3><ul class="inline-list">${NEVER.map((name) => html`<li>${t(`never.${name}`)}</li>`)}</ul></div>
    <${Answer} of=${answer}>${(seen) => html`
      <p class="hint">${seen.run ? t("leaving.measured", { run: seen.run, round: seen.round, devices: number(seen.devices) }) : t("leaving.unmeasured")}</p>
      <${Table} label=${t("leaving.title")} rows=${seen.fields} columns=${columns()} keyOf=${(each) => `${each.message} ${each.field}`} />`}<//>
  <//>`;
}

/** What a field is; the same name means another thing in some messages. */
const meaning = ({ message, field }) => (has(`field.${message}.${field}`) ? t(`field.${message}.${field}`) : worded("field", field));

const columns = () => [
  { name: "message", title: t("leaving.message"), by: (each) => worded("message", each.message) },
  { name: "field", title: t("leaving.field"), by: (each) => each.field, show: (each) => html`<code>${each.field}</code>` },
  { name: "meaning", title: t("leaving.meaning"), by: meaning },
  { name: "form", title: t("leaving.form"), by: (each) => t(`form.${each.form}`) },
  { name: "floor", title: t("leaving.floor"), by: (each) => each.floor, show: (each) => (each.floor ? t("leaving.from", { n: each.floor }) : t("leaving.always")) },
  { name: "size", title: t("leaving.size"), by: (each) => each.size_bytes, show: (each) => bytes(each.size_bytes), isNumber: true },
];
