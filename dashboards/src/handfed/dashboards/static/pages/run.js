// One run as it goes on: rounds by server-sent events, and what devices do just now.
import { html, useCallback, useEffect, useMemo, useRef, useState } from "../view.js";
import { t } from "../i18n.js";
import { follow, get, post } from "../api.js";
import { moment, number, percent } from "../format.js";
import { Answer, Badge, Empty, Facts, Meter, Section, Title, Trouble } from "../parts/basics.js";
import { useAnswer } from "../parts/asking.js";
import { Ask } from "../parts/dialog.js";
import { useMe } from "../parts/me.js";
import { Charts } from "../parts/run-charts.js";
import { Happened, Now } from "../parts/round-devices.js";

const EVERY_MS = 15_000; // what the stream does not tell: that a run which ended goes on again

export function Page({ number: id }) {
  const answer = useAnswer(() => get(`/runs/${id}`), [id], EVERY_MS);
  const { rounds, isCut, ended } = useRounds(id, answer.reload, answer.data?.status);
  return html`<${Answer} of=${answer}>${(run) => html`
    <${Title} lead=${lead(run)} actions=${html`<${Actions} run=${run} reload=${answer.reload} />`}>${t("run.name", { n: id })} <${Badge} of=${run.status} /><//>
    ${isCut && !ended && html`<p class="notice warn" role="status">${t("run.cut")}</p>`}
    ${run.error && html`<p class="notice bad" role="alert">${run.error}</p>`}
    <${Progress} run=${run} rounds=${rounds} />
    ${run.status === "running" && html`<${Now} run=${id} />`}
    ${rounds.length ? html`<${Charts} rounds=${rounds} run=${run} />` : html`<${Empty} title=${t("run.waiting")} text=${t("run.waiting.text")} />`}
    ${rounds.length > 0 && html`<${Happened} run=${run} rounds=${rounds} />`}
  `}<//>`;
}

const lead = (run) => `${t(`task.${run.task}`) === `task.${run.task}` ? run.task : t(`task.${run.task}`)} · ${run.recogniser} · ${run.strategy}`;

/** The rounds of a run, each once, in order; and whether the stream is cut. Asks for the run again when it stands otherwise. */
function useRounds(id, reload, status) {
  const known = useRef(status);
  known.current = status;
  const [rounds, setRounds] = useState([]);
  const [isCut, setCut] = useState(false);
  const [ended, setEnded] = useState(null);
  const goesOn = status && ["running", "queued"].includes(status); // not known before the run is
  useEffect(() => {
    if (goesOn === undefined) return;
    setEnded(null);
    let fresh = [];
    let frame = 0;
    const show = () => {
      frame = 0;
      const arrived = fresh;
      fresh = [];
      setRounds((known) => [...known.filter((round) => !arrived.some((each) => each.number === round.number)), ...arrived].sort((a, b) => a.number - b.number));
    };
    const stop = follow(id, {
      onRound: (round) => {
        fresh.push(round);
        frame ||= requestAnimationFrame(show);
      },
      onStatus: (now) => {
        if (known.current !== undefined && now !== known.current) reload();
      },
      onEnd: (how) => {
        setEnded(how);
        reload();
      },
      onTrouble: setCut,
    });
    return () => {
      stop();
      cancelAnimationFrame(frame);
    };
  }, [id, goesOn]);
  return { rounds, isCut, ended };
}

function Progress({ run, rounds }) {
  const last = rounds.at(-1);
  const told = rounds.findLast((round) => round.accuracy !== null);
  const planned = run.settings.rounds;
  const count = rounds.length;
  const isOn = run.status === "running";
  return html`<section class="section progress-of-run">
    ${isOn && planned && html`<${Meter} value=${count} most=${planned} label=${t("run.progress")} />`}
    <${Facts} of=${[
      [t("run.rounds"), planned ? t("run.rounds.of", { n: number(count), all: number(planned) }) : number(count)],
      [t("run.phase"), last ? t(`phase.${last.phase}`) : "–"],
      [t("run.accuracy"), percent(told?.accuracy)],
      run.summary?.accuracy_int8 != null && [t("release.int8"), percent(run.summary.accuracy_int8)],
      run.summary?.release && [t("run.release"), html`<a href=${`#/releases/${run.summary.release}`}>${t("release.name", { n: run.summary.release })}</a>`],
      [t("run.devices"), number(run.devices)],
      [t("run.started"), moment(run.started_at)],
      run.ended_at && [t("run.ended"), moment(run.ended_at)],
    ]} />
  </section>`;
}

function Actions({ run, reload }) {
  const me = useMe();
  const [isAsking, setAsking] = useState(false);
  const [problem, setProblem] = useState(null);
  if (!me.leadsFederation || run.engine !== "federation") return null;
  const resume = async () => {
    setProblem(null);
    await post(`/runs/${run.id}/resume`).then(reload, setProblem);
  };
  return html`
    ${problem && html`<${Trouble} problem=${problem} />`}
    ${["queued", "running"].includes(run.status) && html`<button onClick=${() => setAsking(true)}>${t("run.stop")}</button>`}
    ${["stopped", "failed"].includes(run.status) && html`<button class="primary" onClick=${resume}>${t("run.resume")}</button>`}
    ${isAsking && html`<${Ask} title=${t("run.stop")} text=${t("run.stop.text")} submit=${t("run.stop")} isHarmful
      act=${async () => { await post(`/runs/${run.id}/stop`); await reload(); }} onClose=${() => setAsking(false)} />`}`;
}
