// Whether handwriting drifts from what was learnt, cue by cue.
import { html } from "../view.js";
import { t } from "../i18n.js";
import { chance, number } from "../format.js";
import { Badge, Empty, Said, Section, worded } from "./basics.js";
import { Bars } from "../charts/bars.js";
import { Table } from "./table.js";

const cue = (each) => worded("cue", each.name);

export function Drift({ of, task }) {
  const { findings } = of;
  const most = findings[0];
  const reach = Math.max(1, ...findings.map((each) => Math.abs(each.difference))) * 1.15;
  return html`<${Section} title=${t("drift.title")} lead=${t("drift.lead")}>
    <p class="line"><${Badge} of=${of.found ? "drift" : "no-drift"} /><${Said}>${of.what}<//></p>
    ${most
      ? html`<${Bars} title=${t("drift.chart")} file=${`drift-${task}`} first=${t("drift.cue")} labels=${findings.map(cue)} range=${[-reach, reach]}
            series=${[{ name: t("drift.difference"), key: "one", values: findings.map((each) => each.difference) }]} show=${(value) => number(value, 2)}
            text=${t("drift.says", { cue: cue(most), difference: number(most.difference, 2), p: chance(most.p), level: chance(of.level), looks: number(of.looks) })} />
          <${Table} label=${t("drift.title")} rows=${findings} columns=${columns(of.level)} keyOf=${(each) => each.name} canFilter=${false} first=${["p", false]} />`
      : html`<${Empty} title=${t("drift.none")} text=${t("drift.none.text")} />`}
  <//>`;
}

const columns = (level) => [
  { name: "cue", title: t("drift.cue"), by: cue },
  { name: "difference", title: t("drift.difference"), by: (each) => each.difference, show: (each) => number(each.difference, 2), isNumber: true },
  { name: "p", title: t("drift.p", { level: chance(level) }), by: (each) => each.p, show: (each) => chance(each.p), isNumber: true },
  { name: "devices", title: t("drift.devices"), by: (each) => each.devices, show: (each) => number(each.devices), isNumber: true },
];
