// Two releases on two groups of devices: what goes on, what came of it, and an operator's say.
import { html, useState } from "../view.js";
import { t } from "../i18n.js";
import { all, get, post } from "../api.js";
import { moment, number, percent, points } from "../format.js";
import { Answer, Badge, Empty, Facts, Section } from "./basics.js";
import { useAnswer } from "./asking.js";
import { Ask } from "./dialog.js";
import { useMe } from "./me.js";
import { Figure } from "../charts/figure.js";
import { Interval } from "../charts/interval.js";

const EVERY_MS = 15000;
const MOST = 200;
const KINDS = ["corrections", "accuracy"];

const stateOf = (each) => (each.ended_at ? "ended" : "running");
const nameOf = (each) => t("comparison.name", { n: each.number, a: each.release_a, b: each.release_b });

export function Comparisons({ task, releases }) {
  const me = useMe();
  const answer = useAnswer(() => all("/comparisons", MOST), [], EVERY_MS);
  const [chosen, setChosen] = useState(null);
  const known = (answer.data ?? []).filter((each) => each.task === task);
  const shown = known.find((each) => each.number === chosen) ?? known[0];
  const actions = answer.data && html`<${Actions} going=${known.find((each) => !each.ended_at)} releases=${releases}
    done=${async (number) => { await answer.reload(); setChosen(number); }} />`;
  return html`<${Section} title=${t("comparisons.title")} lead=${t("comparisons.lead")} actions=${actions}><${Answer} of=${answer}>${() => {
    if (!shown) return html`<${Empty} title=${t("comparisons.none")} text=${t("comparisons.none.text")} />`;
    return html`<p class="pickers"><label class="inline"><span>${t("comparison")}</span>
        <select value=${shown.number} onChange=${(event) => setChosen(Number(event.target.value))}>
          ${known.map((each) => html`<option value=${each.number}>${nameOf(each)}</option>`)}</select></label> <${Badge} of=${stateOf(shown)} /></p>
      ${me.isOfFederation
        ? html`<${Outcome} key=${`${shown.number} ${shown.ended_at}`} of=${shown} />`
        : html`<${Facts} of=${times(shown)} />`}`;
  }}<//><//>`;
}

const times = (each) => [
  [t("comparison.began"), moment(each.started_at)],
  each.ended_at && [t("comparison.ended"), moment(each.ended_at)],
  [t("comparison.percent"), percent(each.percent / 100, 0)],
];

function Outcome({ of }) {
  const answer = useAnswer(() => get(`/comparisons/${of.number}`), [of.number], of.ended_at ? 0 : EVERY_MS);
  return html`<${Answer} of=${answer}>${({ evidence }) => html`
    <${Facts} of=${[
      ...times(of),
      [t("comparison.group", { n: of.release_a }), t("comparison.devices", { n: number(evidence.devices_a) })],
      [t("comparison.group", { n: of.release_b }), t("comparison.devices", { n: number(evidence.devices_b) })],
    ]} />
    <div class="columns">${KINDS.map((kind) => html`<${Shown} key=${kind} kind=${kind} of=${evidence[kind]} comparison=${of} />`)}</div>`}<//>`;
}

/** One kind of evidence: both rates, and their difference on a line. */
function Shown({ kind, of: { a, b, difference: found }, comparison }) {
  const title = t(`comparison.${kind}`);
  if (!found) return html`<section class="section"><h3>${title}</h3><${Empty} title=${t("comparison.few")} text=${t("comparison.few.text")} /></section>`;
  const says = t(`comparison.${kind}.says`, {
    a: comparison.release_a, b: comparison.release_b, rateA: percent(a.rate, 2), rateB: percent(b.rate, 2),
    points: points(found.difference), low: points(found.low), high: points(found.high),
  });
  const side = (rate, release) => [t("release.name", { n: release }), rate.rate, null, null, rate.devices, rate.events, rate.of];
  const rows = [
    side(a, comparison.release_a), side(b, comparison.release_b),
    [t("comparison.difference"), found.difference, found.low, found.high, null, null, null],
  ];
  const columns = ["group", "rate", "low", "high", "told", `${kind}.events`, `${kind}.of`].map((name) => t(`comparison.column.${name}`));
  return html`<${Figure} title=${title} text=${says} file=${`comparison-${comparison.number}-${kind}`} columns=${columns} rows=${rows}
      shown=${(value, place) => (value === null ? "–" : place >= 1 && place <= 3 ? percent(value, 2) : place ? number(value) : value)}>
    <${Interval} of=${found} show=${points} label=${says} /><//>`;
}

function Actions({ going, releases, done }) {
  const me = useMe();
  const [asked, setAsked] = useState(false);
  if (!me.leadsFederation) return null;
  const close = () => setAsked(false);
  if (going) {
    const end = async () => { await post(`/comparisons/${going.number}/end`); await done(going.number); };
    return html`<button class="harmful" onClick=${() => setAsked(true)}>${t("comparison.end")}</button>
      ${asked && html`<${Ask} title=${t("comparison.end")} text=${t("comparison.end.text", { name: nameOf(going) })} submit=${t("comparison.end")} isHarmful act=${end} onClose=${close} />`}`;
  }
  const usable = releases.filter((each) => each.way?.phase !== "rolled-back");
  if (usable.length < 2) return null;
  const stable = usable.find((each) => each.way?.phase === "stable") ?? usable[1];
  const other = usable.find((each) => each.number !== stable.number);
  const start = async ({ a, b, share }) =>
    done((await post("/comparisons", { release_a: Number(a), release_b: Number(b), percent: Number(share) })).number);
  const pick = (name, label, first) => html`<label class="field"><span>${label}</span><select name=${name}>
    ${usable.map((each) => html`<option value=${each.number} selected=${each.number === first.number}>${t("release.name", { n: each.number })}</option>`)}</select></label>`;
  return html`<button onClick=${() => setAsked(true)}>${t("comparison.start")}</button>
    ${asked && html`<${Ask} title=${t("comparison.start")} text=${t("comparison.start.text")} submit=${t("comparison.start")} act=${start} onClose=${close}>
      ${pick("a", t("comparison.first"), stable)}
      ${pick("b", t("comparison.second"), other)}
      <label class="field"><span>${t("comparison.percent")}</span><input name="share" type="number" min="1" max="99" defaultValue="50" required /></label><//>`}`;
}
