// What a run has come to, round by round.
import { html } from "../view.js";
import { t } from "../i18n.js";
import { bytes, number, percent, seconds } from "../format.js";
import { Lines } from "../charts/lines.js";
import { Bars } from "../charts/bars.js";

const LAST = 60; // bars that fit a chart

/** Values of one phase; the line of the second begins where that of the first ends. */
const of = (rounds, phase, value) => rounds.map((round) => (round.phase === phase ? round[value] : null));

export function Charts({ rounds, run }) {
  const x = rounds.map((round) => round.number);
  const phases = [["float", "one"], ["qat", "two"]].filter(([phase]) => rounds.some((round) => round.phase === phase));
  const lines = (value) => phases.map(([phase, key]) => ({ name: t(`phase.${phase}`), key, values: of(rounds, phase, value) }));
  const told = rounds.filter((round) => round.accuracy !== null);
  const best = told.reduce((found, round) => (!found || round.accuracy > found.accuracy ? round : found), null);
  const says = best
    ? t("chart.accuracy.says", { last: percent(told.at(-1).accuracy), round: told.at(-1).number, best: percent(best.accuracy), at: best.number })
    : t("chart.accuracy.none");
  const lost = rounds.findLast((round) => round.held_out_loss !== null);
  return html`<div class="charts">
    <${Lines} title=${t("chart.accuracy")} file=${`run-${run.id}-accuracy`} text=${says} x=${x} series=${lines("accuracy")} show=${(value) => percent(value, 1)} />
    <${Lines} title=${t("chart.loss")} file=${`run-${run.id}-loss`} x=${x} series=${lines("held_out_loss")} show=${(value) => number(value, 2)}
      text=${lost ? t("chart.loss.says", { last: number(lost.held_out_loss, 3), round: lost.number }) : t("chart.accuracy.none")} />
    <${Times} rounds=${rounds.slice(-LAST)} run=${run} />
    <${Lines} title=${t("chart.bytes")} file=${`run-${run.id}-bytes`} x=${x} show=${(value) => bytes(value)}
      series=${[{ name: t("chart.down"), key: "three", values: rounds.map((round) => round.bytes_down) }, { name: t("chart.up"), key: "one", values: rounds.map((round) => round.bytes_up) }]}
      text=${t("chart.bytes.says", { down: bytes(sum(rounds, "bytes_down")), up: bytes(sum(rounds, "bytes_up")) })} />
    <${Bars} title=${t("chart.updates")} file=${`run-${run.id}-updates`} first=${t("chart.round")} labels=${rounds.slice(-LAST).map((round) => round.number)}
      series=${[{ name: t("chart.asked"), key: "four", values: rounds.slice(-LAST).map((round) => round.participants) }, { name: t("chart.accepted"), key: "one", values: rounds.slice(-LAST).map((round) => round.accepted) }]}
      text=${t("chart.updates.says", { accepted: number(sum(rounds, "accepted")), asked: number(sum(rounds, "participants")) })} />
  </div>`;
}

const sum = (rounds, value) => rounds.reduce((total, round) => total + (round[value] ?? 0), 0);

/** How long rounds took, and how long a device trained of it; the rest is the way, waiting and evaluation. */
function Times({ rounds, run }) {
  const trained = rounds.map((round) => (round.accepted ? (round.train_seconds ?? 0) / round.accepted : 0));
  const all = rounds.map((round) => round.seconds);
  const mean = (values) => values.reduce((total, value) => total + (value ?? 0), 0) / Math.max(values.length, 1);
  return html`<${Bars} title=${t("chart.time")} file=${`run-${run.id}-time`} first=${t("chart.round")} labels=${rounds.map((round) => round.number)}
    series=${[{ name: t("chart.whole"), key: "four", values: all }, { name: t("chart.trained"), key: "two", values: trained }]}
    show=${(value) => seconds(value)} text=${t("chart.time.says", { whole: seconds(mean(all)), trained: seconds(mean(trained)) })} />`;
}
