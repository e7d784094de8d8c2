// When the server starts runs by itself: what is set, every condition as it stands, and an operator's say.
import { html, useState } from "../view.js";
import { t } from "../i18n.js";
import { patch, post } from "../api.js";
import { moment, number } from "../format.js";
import { Badge, Facts, Said, Section, worded } from "./basics.js";
import { Ask } from "./dialog.js";
import { useMe } from "./me.js";
import { Table } from "./table.js";

// What people set, in their units: `times` a unit is what the server has.
const FIELDS = [
  { name: "least_samples", least: 0, most: 10_000_000 },
  { name: "least_devices", least: 2, most: 100_000 },
  { name: "least_each", least: 10, most: 1_000_000 },
  { name: "most_each", least: 10, most: 1_000_000 },
  { name: "drift_error_rate", least: 0, most: 10, times: 0.01, step: "any" },
  { name: "distrusted_devices", least: 0, most: 1000 },
  { name: "every_days", least: 0, most: 366 },
  { name: "at_hour", least: 0, most: 23 },
  { name: "cool_down_s", least: 0, most: 2777, times: 3600, step: "any" },
];

const shown = ({ name, times = 1 }, settings) => Number((settings[name] / times).toPrecision(12));

export function Policy({ of, reload }) {
  const { policy, now, last } = of;
  const state = policy.enabled_at ? "enabled" : "disabled";
  return html`<${Section} title=${t("policy.title")} actions=${html`<${Actions} policy=${policy} reload=${reload} />`}>
    <p class="line"><${Badge} of=${state} /><span>${policy.enabled_at ? t("policy.since", { at: moment(policy.enabled_at) }) : t("policy.off")}</span></p>
    <p class=${`notice ${now.start ? "good" : "quiet"}`}><strong>${now.start ? t("policy.starts") : t("policy.waits")}</strong><${Said}>${now.reason}<//></p>
    <${Conditions} label=${t("policy.conditions")} of=${now.conditions} />
    ${last && html`<details><summary>${t("policy.last", { at: moment(of.last_at) })}</summary>
      <p class="notice quiet"><strong>${last.start ? t("policy.started") : t("policy.waited")}</strong><${Said}>${last.reason}<//></p>
      <${Conditions} label=${t("policy.last", { at: moment(of.last_at) })} of=${last.conditions} /></details>`}
    <${Facts} of=${[
      ...FIELDS.map((field) => [t(`policy.${field.name}`), number(shown(field, policy.settings), 3)]),
      Object.keys(policy.run_settings).length > 0 && [t("policy.run"), Object.entries(policy.run_settings).map(([name, value]) => `${name} = ${value}`).join(", ")],
      policy.last_run && [t("policy.last-run"), html`<a href=${`#/runs/${policy.last_run}`}>${t("run.name", { n: policy.last_run })}</a>`],
    ]} />
  <//>`;
}

const Conditions = ({ label, of }) => html`<${Table} label=${label} rows=${of} columns=${columns()} keyOf=${(each) => each.name} canFilter=${false} />`;

const named = (each) => worded("condition", each.name.replaceAll(" ", "-"));
const stands = (each) => (each.met ? "met" : "unmet");

const columns = () => [
  { name: "name", title: t("condition"), by: named },
  { name: "role", title: t("condition.role"), by: (each) => t(`role.${each.role}`) },
  { name: "met", title: t("condition.stands"), by: (each) => t(`state.${stands(each)}`), show: (each) => html`<${Badge} of=${stands(each)} />` },
  { name: "found", title: t("condition.found"), by: (each) => each.found, show: (each) => html`<${Said}>${each.found}<//>` },
  { name: "takes", title: t("condition.takes"), by: (each) => each.takes, show: (each) => html`<${Said}>${each.takes}<//>` },
];

function Actions({ policy, reload }) {
  const me = useMe();
  const [asked, setAsked] = useState(null);
  if (!me.leadsFederation) return null;
  const close = () => setAsked(null);
  const verb = policy.enabled_at ? "disable" : "enable";
  const turn = async () => {
    await post(`/learning/${policy.task}/${verb}`);
    await reload();
  };
  return html`<span class="actions">
    <button onClick=${() => setAsked("set")}>${t("policy.set")}</button>
    <button class=${verb === "enable" ? "primary" : "harmful"} onClick=${() => setAsked(verb)}>${t(`policy.${verb}`)}</button>
    ${asked === verb && html`<${Ask} title=${t(`policy.${verb}`)} text=${t(`policy.${verb}.text`)} submit=${t(`policy.${verb}`)} isHarmful=${verb === "disable"} act=${turn} onClose=${close} />`}
    ${asked === "set" && html`<${Change} policy=${policy} reload=${reload} onClose=${close} />`}
  </span>`;
}

function Change({ policy, reload, onClose }) {
  const [before] = useState(policy.settings); // as they were when somebody began to change them
  const act = async (form) => {
    const changed = FIELDS.filter((field) => Number(form[field.name]) !== shown(field, before));
    const settings = Object.fromEntries(changed.map(({ name, times = 1 }) => [name, Number((Number(form[name]) * times).toPrecision(12))]));
    await patch(`/learning/${policy.task}`, { settings });
    await reload();
  };
  return html`<${Ask} title=${t("policy.set")} text=${t("policy.set.text")} submit=${t("policy.save")} act=${act} onClose=${onClose}>
    ${FIELDS.map((field) => html`<label class="field"><span>${t(`policy.${field.name}`)}</span>
      <input name=${field.name} type="number" min=${field.least} max=${field.most} step=${field.step ?? 1} defaultValue=${shown(field, before)} required /></label>`)}<//>`;
}
