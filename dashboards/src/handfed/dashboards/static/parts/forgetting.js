// What was forgotten: how the release in use reads each class, against the one before it.
import { html } from "../view.js";
import { t } from "../i18n.js";
import { get } from "../api.js";
import { number, percent, points } from "../format.js";
import { Answer, Empty, Section } from "./basics.js";
import { useAnswer } from "./asking.js";
import { byClass } from "./by-class.js";
import { Bars } from "../charts/bars.js";
import { Table } from "./table.js";

const rate = ({ correct, samples }) => correct / samples;
const STEPS = 1.96; // standard errors to either end of a 95 % interval

/** Classes that both were told of, with their difference as if samples were independent of one another. */
function compared(before, now) {
  const known = Object.fromEntries(before.map((each) => [each.name, each]));
  return now.filter((each) => known[each.name]).map((each) => {
    const [was, is] = [known[each.name], each];
    const variance = [was, is].reduce((sum, one) => sum + (rate(one) * (1 - rate(one))) / one.samples, 0);
    return { name: each.name, before: rate(was), now: rate(is), difference: rate(is) - rate(was), give: STEPS * Math.sqrt(variance), samples: Math.min(was.samples, is.samples) };
  });
}

export function Forgetting({ releases }) {
  const champion = releases.find((each) => each.way?.phase === "stable");
  const before = champion?.way.champion ?? champion?.manifest.parent ?? null;
  return html`<${Section} title=${t("forgetting.title")} lead=${t("forgetting.lead")}>
    ${before ? html`<${Of} key=${champion.number} champion=${champion} before=${before} />` : html`<${Empty} title=${t("forgetting.first")} />`}
  <//>`;
}

function Of({ champion, before }) {
  const answer = useAnswer(async () => Promise.all([byClass(await get(`/releases/${before}`)), byClass(champion)]), [champion.number, before]);
  return html`<${Answer} of=${answer}>${([was, is]) => {
    const classes = compared(was.classes, is.classes);
    if (!classes.length) return html`<${Empty} title=${t("classes.none")} text=${t("classes.none.text")} />`;
    const worst = [...classes].sort((a, b) => a.difference - b.difference)[0];
    const names = { now: champion.number, before };
    const series = [
      { name: t("release.name", { n: before }), key: "four", values: classes.map((each) => each.before) },
      { name: t("release.name", { n: champion.number }), key: "one", values: classes.map((each) => each.now) },
    ];
    return html`<${Bars} title=${t("forgetting.chart", names)} file=${`forgetting-${before}-${champion.number}`} first=${t("classes.class")} labels=${classes.map((each) => each.name)}
        series=${series} range=${[0, 1]} show=${(value) => percent(value, 0)}
        text=${t(worst.difference < 0 ? "forgetting.says" : "forgetting.gained", { name: worst.name, points: points(worst.difference), give: number(100 * worst.give, 2), ...names })} />
      <${Table} label=${t("forgetting.title")} rows=${classes} columns=${columns(names)} keyOf=${(each) => each.name} first=${["difference", false]} canFilter=${classes.length > 12} />
      ${was.round || is.round ? html`<p class="hint">${t("forgetting.rounds")}</p>` : ""}
      <p class="hint">${t("forgetting.hint")}</p>`;
  }}<//>`;
}

const columns = ({ now, before }) => [
  { name: "name", title: t("classes.class"), by: (each) => each.name },
  { name: "before", title: t("release.name", { n: before }), by: (each) => each.before, show: (each) => percent(each.before), isNumber: true },
  { name: "now", title: t("release.name", { n: now }), by: (each) => each.now, show: (each) => percent(each.now), isNumber: true },
  { name: "difference", title: t("forgetting.difference"), by: (each) => each.difference, show: (each) => `${points(each.difference)} ± ${number(100 * each.give, 2)}`, isNumber: true },
  { name: "samples", title: t("forgetting.samples"), by: (each) => each.samples, show: (each) => number(each.samples), isNumber: true },
];
