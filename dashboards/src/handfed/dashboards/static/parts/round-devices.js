// The devices of a round: what they do just now, and what became of their updates.
import { html, useMemo, useState } from "../view.js";
import { t } from "../i18n.js";
import { all, get } from "../api.js";
import { ago, bytes, number, percent, seconds } from "../format.js";
import { Answer, Badge, Empty, Meter, Section, worded } from "./basics.js";
import { useAnswer } from "./asking.js";
import { useMe } from "./me.js";
import { Table } from "./table.js";

const EVERY_MS = 1500;

const deviceColumn = () => ({
  name: "name", title: t("device.name"), by: (each) => each.name, show: (each) => html`<a href=${`#/devices/${each.device}`}>${each.name}</a>`,
});

const ORDER = ["working", "asked", "answered"];
const CHIPS = matchMedia("(max-width: 44rem)").matches ? 12 : 36;

/** What the devices of a run do just now. */
export function Now({ run }) {
  const answer = useAnswer(() => get(`/runs/${run}/live`), [run], EVERY_MS);
  return html`<${Section} title=${t("live.title")}>
    <${Answer} of=${answer}>${(now) =>
      now.kind
        ? html`<p class="lead" role="status">${t("live.says", {
            what: worded("message", now.kind), round: now.round, asked: number(now.asked), working: number(now.working), answered: number(now.answered),
          })}</p>
          <${Meter} value=${now.answered} most=${now.asked} label=${t("live.progress")} />
          <${Chips} devices=${now.devices} />`
        : html`<${Empty} title=${t("live.none")} text=${t("live.none.text")} />`}<//>
  <//>`;
}

function Chips({ devices }) {
  const [isWhole, setWhole] = useState(false);
  const ordered = [...devices].sort((a, b) => ORDER.indexOf(a.activity) - ORDER.indexOf(b.activity) || a.device - b.device);
  const shown = isWhole ? ordered : ordered.slice(0, CHIPS);
  return html`<ul class="chips">${shown.map((each) => html`<li key=${each.device}>
      <a href=${`#/devices/${each.device}`}>${each.name}</a><${Badge} of=${each.activity} /><span class="muted">${ago(each.since)}</span></li>`)}</ul>
    ${ordered.length > shown.length && html`<button class="plain" onClick=${() => setWhole(true)}>${t("more", { n: number(ordered.length - shown.length) })}</button>`}`;
}

/** What became of a round's updates, by device. */
export function Happened({ run, rounds }) {
  const me = useMe();
  const last = rounds.at(-1).number;
  const [chosen, setChosen] = useState(null);
  const round = chosen ?? last;
  const answer = useAnswer(() => all(`/runs/${run.id}/rounds/${round}/devices`), [run.id, round]);
  const columns = useMemo(() => [
    deviceColumn(),
    { name: "outcome", title: t("outcome.title"), by: (each) => t(`state.${each.outcome}`), show: (each) => html`<${Badge} of=${each.outcome} />` },
    { name: "reason", title: t("outcome.reason"), by: (each) => each.reason, show: (each) => (each.reason ? worded("reason", each.reason) : "–") },
    { name: "samples", title: t("outcome.samples"), by: (each) => each.samples, show: (each) => number(each.samples), isNumber: true },
    { name: "seconds", title: t("outcome.seconds"), by: (each) => each.seconds, show: (each) => seconds(each.seconds), isNumber: true },
    { name: "bytes", title: t("outcome.bytes"), by: (each) => each.bytes_up, show: (each) => bytes(each.bytes_up), isNumber: true },
    { name: "accuracy", title: t("run.accuracy"), by: (each) => each.accuracy, show: (each) => percent(each.accuracy), isNumber: true },
  ], [t("device.name")]);
  const pick = html`<label class="inline"><span>${t("chart.round")}</span>
    <select value=${round} onChange=${(event) => setChosen(Number(event.target.value))}>
      ${[...rounds].reverse().map((each) => html`<option value=${each.number}>${each.number}</option>`)}</select></label>`;
  return html`<${Section} title=${t("outcome.devices")} actions=${pick} lead=${me.isOfFederation ? null : t("outcome.own")}>
    <${Answer} of=${answer}>${(found) =>
      found.length
        ? html`<${Table} label=${t("outcome.devices")} rows=${found} keyOf=${(each) => each.device} columns=${columns} first=${["name", false]} />`
        : html`<${Empty} title=${t("outcome.none")} text=${t("outcome.none.text")} />`}<//>
  <//>`;
}
