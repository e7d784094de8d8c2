// How evenly handwriting is read: over writers and over devices, from histograms with their floors, and nothing finer.
import { html, useMemo, useState } from "../view.js";
import { t } from "../i18n.js";
import { all, get } from "../api.js";
import { number, percent } from "../format.js";
import { Answer, Empty, Facts, Section, Title } from "../parts/basics.js";
import { useAnswer } from "../parts/asking.js";
import { Table } from "../parts/table.js";
import { Bars } from "../charts/bars.js";
import { Lines } from "../charts/lines.js";

const MOST = 200;
// Where the bins begin, as the API describes them.
const EDGES = [0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.65, 0.7, 0.75, 0.8, 0.85, 0.875, 0.9, 0.925, 0.95, 0.97, 0.98, 0.99, 1];
const SERIES = [["p90", "three"], ["median", "one"], ["p10", "two"], ["worst_decile", "four"]];

export function Page() {
  const [chosen, setChosen] = useState(null);
  const runs = useAnswer(() => all("/runs", MOST), []);
  return html`<${Title} lead=${t("fairness.lead")}>${t("nav.fairness")}<//>
    <${Answer} of=${runs}>${(found) => {
      const begun = found.filter((run) => run.rounds > 0);
      if (!begun.length) return html`<${Empty} title=${t("fairness.none")} text=${t("fairness.none.text")} />`;
      const run = chosen ?? begun[0].id;
      return html`<p class="pickers"><label class="inline"><span>${t("run.number")}</span>
          <select value=${run} onChange=${(event) => setChosen(Number(event.target.value))}>${begun.map((each) => html`<option value=${each.id}>${t("run.name", { n: each.id })}</option>`)}</select></label></p>
        <${OfRun} key=${run} run=${run} />`;
    }}<//>`;
}

function OfRun({ run }) {
  const answer = useAnswer(() => all(`/runs/${run}/rounds`), [run]);
  const [chosen, setChosen] = useState(null);
  return html`<${Answer} of=${answer}>${(rounds) => {
    const told = rounds.filter((round) => round.accuracy !== null);
    if (!told.length) return html`<${Empty} title=${t("fairness.none")} text=${t("fairness.none.text")} />`;
    const number = chosen ?? told.at(-1).number;
    return html`<${Writers} run=${run} rounds=${told} />
      <p class="pickers"><label class="inline"><span>${t("chart.round")}</span>
        <select value=${number} onChange=${(event) => setChosen(Number(event.target.value))}>${[...told].reverse().map((round) => html`<option value=${round.number}>${round.number}</option>`)}</select></label></p>
      <${OfRound} key=${number} run=${run} round=${number} />`;
  }}<//>`;
}

/** Writers by round: how the badly read ones do beside the others. */
function Writers({ run, rounds }) {
  const told = rounds.filter((round) => round.writers);
  if (!told.length) return html`<${Empty} title=${t("fairness.writers.none")} text=${t("fairness.floor.writers")} />`;
  const last = told.at(-1);
  const text = t("fairness.writers.says", {
    round: last.number, count: number(last.writers.count), worst: percent(last.writers.worst_decile), p10: percent(last.writers.p10), median: percent(last.writers.median),
  });
  return html`<${Lines} title=${t("fairness.writers")} file=${`run-${run}-writers`} text=${text} x=${told.map((round) => round.number)} height=${280}
    series=${SERIES.map(([name, key]) => ({ name: t(`spread.${name}`), key, isDashed: name === "worst_decile", values: told.map((round) => round.writers[name]) }))}
    show=${(value) => percent(value, 0)} />`;
}

function OfRound({ run, round }) {
  const answer = useAnswer(async () => {
    const [seen, devices] = await Promise.all([get(`/runs/${run}/rounds/${round}`), all(`/runs/${run}/rounds/${round}/devices`)]);
    return { ...seen, own: devices.filter((each) => each.held_out) };
  }, [run, round]);
  return html`<${Answer} of=${answer}>${({ round: seen, devices, device_bins: bins, own }) => html`
    <div class="columns">
      <${Spread} title=${t("fairness.over.writers", { n: seen.number })} of=${seen.writers} bins=${seen.writer_bins} floor=${t("fairness.floor.writers")} file=${`run-${run}-round-${round}-writers`} />
      <${Spread} title=${t("fairness.over.devices", { n: seen.number })} of=${devices} bins=${bins} floor=${t("fairness.floor.devices")} file=${`run-${run}-round-${round}-devices`} />
    </div>
    ${own.length > 0 && html`<${Section} title=${t("fairness.by.device")} lead=${t("fairness.by.device.lead")}>
      <${Table} label=${t("fairness.by.device")} rows=${own} keyOf=${(each) => each.device} columns=${columns()} first=${["accuracy", false]} /><//>`}`}<//>`;
}

function Spread({ title, of, bins, floor, file }) {
  const from = useMemo(() => Math.max(0, bins.findIndex((count) => count > 0)), [bins]);
  if (!of) return html`<section class="section"><h3>${title}</h3><${Empty} title=${t("fairness.below")} text=${floor} /></section>`;
  return html`<section class="section">
    <${Bars} title=${title} file=${file} first=${t("fairness.from")} labels=${EDGES.slice(from).map((edge) => percent(edge, edge * 1000 % 10 ? 1 : 0))}
      series=${[{ name: t("fairness.count"), key: "one", values: bins.slice(from) }]}
      text=${t("fairness.says", { count: number(of.count), worst: percent(of.worst_decile), p10: percent(of.p10), median: percent(of.median), p90: percent(of.p90) })} />
    <${Facts} of=${SERIES.map(([name]) => [t(`spread.${name}`), percent(of[name])])} />
  </section>`;
}

const columns = () => [
  { name: "name", title: t("device.name"), by: (each) => each.name, show: (each) => html`<a href=${`#/devices/${each.device}`}>${each.name}</a>` },
  { name: "held", title: t("fairness.held"), by: (each) => each.held_out, show: (each) => number(each.held_out), isNumber: true },
  { name: "accuracy", title: t("run.accuracy"), by: (each) => each.accuracy, show: (each) => percent(each.accuracy), isNumber: true },
];
