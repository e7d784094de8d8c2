// All runs, and a way to start one.
import { html, useState } from "../view.js";
import { t } from "../i18n.js";
import { all, post } from "../api.js";
import { moment, number, percent } from "../format.js";
import { Answer, Badge, Empty, Title } from "../parts/basics.js";
import { useAnswer } from "../parts/asking.js";
import { Ask } from "../parts/dialog.js";
import { useMe } from "../parts/me.js";
import { Table } from "../parts/table.js";

const EVERY_MS = 5000;
const MOST = 1000;

export function Page() {
  const me = useMe();
  const [isStarting, setStarting] = useState(false);
  const answer = useAnswer(() => all("/runs", MOST), [], EVERY_MS);
  const actions = me.leadsFederation && html`<button class="primary" onClick=${() => setStarting(true)}>${t("run.start")}</button>`;
  return html`<${Title} lead=${t("runs.lead")} actions=${actions}>${t("nav.runs")}<//>
    <${Answer} of=${answer}>${(runs) =>
      runs.length ? html`<${Table} label=${t("nav.runs")} rows=${runs} keyOf=${(run) => run.id} columns=${columns()} first=${["id", true]} />`
        : html`<${Empty} title=${t("runs.none")} text=${t("runs.none.text")} />`}<//>
    ${isStarting && html`<${Start} onClose=${() => setStarting(false)} onDone=${(run) => (location.hash = `#/runs/${run.id}`)} />`}`;
}

const columns = () => [
  { name: "id", title: t("run.number"), by: (run) => run.id, show: (run) => html`<a href=${`#/runs/${run.id}`}>${t("run.name", { n: run.id })}</a>` },
  { name: "status", title: t("run.status"), by: (run) => t(`state.${run.status}`), show: (run) => html`<${Badge} of=${run.status} />` },
  { name: "task", title: t("run.task"), by: (run) => run.task },
  { name: "recogniser", title: t("run.recogniser"), by: (run) => run.recogniser },
  { name: "rounds", title: t("run.rounds"), by: (run) => run.rounds, show: (run) => number(run.rounds), isNumber: true },
  { name: "int8", title: t("release.int8"), by: (run) => run.summary?.accuracy_int8 ?? null, show: (run) => percent(run.summary?.accuracy_int8), isNumber: true },
  { name: "started", title: t("run.started"), by: (run) => run.started_at, show: (run) => moment(run.started_at) },
];

function Start({ onClose, onDone }) {
  const act = async ({ task, alphabet, rounds, qat, participation }) => {
    const settings = { rounds: Number(rounds), qat_rounds: Number(qat), participation: Number(participation) / 100 };
    onDone(await post("/runs", { task, alphabet: alphabet || null, settings }));
  };
  return html`<${Ask} title=${t("run.start")} text=${t("run.start.text")} submit=${t("run.start")} act=${act} onClose=${onClose}>
    <label class="field"><span>${t("run.task")}</span><select name="task">
      ${["digits", "characters", "words", "lines"].map((task) => html`<option value=${task}>${t(`task.${task}`)}</option>`)}</select></label>
    <label class="field"><span>${t("run.alphabet")}</span><select name="alphabet">
      <option value="">${t("run.alphabet.own")}</option>
      ${["digits", "letters", "alphanumeric"].map((name) => html`<option value=${name}>${t(`alphabet.${name}`)}</option>`)}</select></label>
    <label class="field"><span>${t("run.rounds")}</span><input name="rounds" type="number" min="2" max="1000" defaultValue="20" required /></label>
    <label class="field"><span>${t("run.qat")}</span><input name="qat" type="number" min="1" max="200" defaultValue="4" required /></label>
    <label class="field"><span>${t("run.participation")}</span><input name="participation" type="number" min="1" max="100" defaultValue="100" required /></label>
  <//>`;
}
