// One release: what it is, how it reads, how it does against its champion, and what a person decides.
import { html, useState } from "../view.js";
import { t } from "../i18n.js";
import { get, post, urlOf } from "../api.js";
import { bytes, milliseconds, moment, number, percent, points } from "../format.js";
import { Answer, Badge, Empty, Facts, Section, Title } from "../parts/basics.js";
import { useAnswer } from "../parts/asking.js";
import { byClass } from "../parts/by-class.js";
import { Ask } from "../parts/dialog.js";
import { useMe } from "../parts/me.js";
import { Bars } from "../charts/bars.js";
import { Interval } from "../charts/interval.js";
import { Matrix } from "../charts/matrix.js";

const EVERY_MS = 10000;
const FILES = ["model.tflite", "browser.tflite", "manifest.json", "README.md"];

/** What there may be none of. */
const perhaps = (asking) => asking.catch((problem) => (problem.status === 404 ? null : Promise.reject(problem)));

async function ask(id) {
  const [release, way, evidence] = await Promise.all([
    get(`/releases/${id}`), perhaps(get(`/releases/${id}/promotion`)), perhaps(get(`/releases/${id}/evidence`)),
  ]);
  return { release, way, evidence };
}

export function Page({ number: id }) {
  const answer = useAnswer(() => ask(id), [id], EVERY_MS);
  return html`<${Answer} of=${answer}>${({ release, way, evidence }) => html`
    <${Title} lead=${`${release.task} · ${release.recogniser}`} actions=${way && html`<${Actions} of=${way} reload=${answer.reload} />`}>
      ${t("release.name", { n: id })} ${way && html`<${Badge} of=${way.phase} />`}<//>
    ${way && html`<p class="notice quiet">${t("release.percent", { n: percent(way.percent / 100, 0) })}${way.reason && html`<br /><span class="muted">${way.reason}</span>`}</p>`}
    <div class="columns">
      <${Card} of=${release} />
      ${evidence && html`<${Evidence} of=${evidence} />`}
    </div>
    ${evidence && html`<${Latency} of=${evidence.latency} release=${id} />`}
    <${Classes} release=${release} />
    <${Section} title=${t("release.files")}><ul class="files">${FILES.map((name) => html`<li>
      <a href=${urlOf(`/releases/${id}/files/${name}`)} download>${name}</a> <span class="muted">${t(`file.${name}`)}</span></li>`)}</ul><//>
  `}<//>`;
}

/** The model card: what it is and how it was measured. */
function Card({ of: { manifest, size_bytes: size, created_at: at, run_id: run, accuracy_int8: int8, accuracy_float: float, sha256 } }) {
  const metrics = manifest.metrics ?? {};
  const { writers, float_minus_int8: lost } = metrics;
  const interval = lost && `${points(lost.difference)} (${points(lost.low)} … ${points(lost.high)})`;
  return html`<${Section} title=${t("release.card")}><${Facts} of=${[
    [t("release.int8"), percent(int8, 2)],
    [t("release.float"), percent(float, 2)],
    lost && [t("release.lost"), interval],
    metrics.samples && [t("release.samples"), number(metrics.samples)],
    writers && [t("release.worst"), percent(writers.worst_decile)],
    writers && [t("release.writers"), t("release.writers.says", { count: number(writers.count), p10: percent(writers.p10), median: percent(writers.median), p90: percent(writers.p90) })],
    [t("release.size"), bytes(size)],
    manifest.devices && [t("release.devices"), number(manifest.devices)],
    manifest.rounds && [t("run.rounds"), number(manifest.rounds)],
    run && [t("run.number"), html`<a href=${`#/runs/${run}`}>${t("run.name", { n: run })}</a>`],
    [t("release.published"), moment(at)],
    manifest.licence && [t("release.licence"), manifest.licence],
    [t("release.sha"), html`<code class="key">${sha256}</code>`],
  ]} /><//>`;
}

function Evidence({ of }) {
  const { difference: found, health } = of;
  return html`<${Section} title=${of.champion ? t("evidence.title", { n: of.champion }) : t("evidence.alone")}>
    ${found
      ? html`<p class="line"><${Badge} of=${of.verdict} /> ${t("evidence.says", { points: points(found.difference), low: points(found.low), high: points(found.high) })}</p>
          <${Interval} of=${found} show=${points} label=${t("evidence.says", { points: points(found.difference), low: points(found.low), high: points(found.high) })} />
          <p class="hint">${t("evidence.hint")}</p>`
      : html`<${Empty} title=${of.champion ? t("evidence.none") : t("evidence.first")} />`}
    ${of.held_up && html`<p class="notice warn">${t("evidence.held")}</p>`}
    <${Facts} of=${[
      of.champion && [t("evidence.samples"), t("run.rounds.of", { n: number(of.samples), all: number(of.expected) })],
      of.champion && [t("evidence.only"), `${number(of.only_candidate)} / ${number(of.only_champion)}`],
      [t("evidence.devices"), number(of.devices)],
      [t("health.healthy"), t("run.rounds.of", { n: number(health.healthy), all: number(health.asked) })],
      [t("health.ill"), `${number(health.failed_self_test)} / ${number(health.crashed)}`],
      [t("health.slow"), number(health.slow)],
    ]} />
  <//>`;
}

// Where the bins of latencies begin, in milliseconds, as the API describes them.
const LATENCIES = [0, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50, 100, 200];

/** How long a picture takes on the devices that tried it. */
function Latency({ of, release }) {
  if (!of) return html`<${Section} title=${t("latency.title")}><${Empty} title=${t("latency.none")} text=${t("latency.none.text")} /><//>`;
  const [first, last] = [of.bins.findIndex(Boolean), of.bins.findLastIndex(Boolean) + 1];
  return html`<${Section} title=${t("latency.title")} lead=${t("latency.lead")}>
    <${Bars} title=${t("latency.chart")} file=${`release-${release}-latency`} first=${t("latency.from")} labels=${LATENCIES.slice(first, last).map(milliseconds)}
      series=${[{ name: t("fairness.count"), key: "one", values: of.bins.slice(first, last) }]}
      text=${t("latency.says", { n: number(of.devices), p10: milliseconds(of.p10), median: milliseconds(of.median), p90: milliseconds(of.p90) })} />
  <//>`;
}

/** How classes are read, and as what where they are not. */
function Classes({ release }) {
  const answer = useAnswer(() => byClass(release), [release.number]);
  return html`<${Section} title=${t("classes.title")} lead=${t("classes.lead")}><${Answer} of=${answer}>${({ classes, confusions, round }) => {
    if (!classes.length) return html`<${Empty} title=${t("classes.none")} text=${t("classes.none.text")} />`;
    const rates = classes.map((each) => each.correct / each.samples);
    const worst = classes[rates.indexOf(Math.min(...rates))];
    const most = [...confusions].sort((a, b) => b.samples - a.samples)[0];
    return html`<${Bars} title=${round ? t("classes.chart", { n: round }) : t("classes.chart.file")} file=${`release-${release.number}-classes`} first=${t("classes.class")}
        labels=${classes.map((each) => each.name)} series=${[{ name: t("classes.read"), key: "one", values: rates }]}
        range=${[0, 1]} show=${(value) => percent(value, 0)} text=${t("classes.says", { name: worst.name, rate: percent(worst.correct / worst.samples) })} />
      ${most
        ? html`<${Matrix} title=${t("matrix.title")} file=${`release-${release.number}-confusions`} classes=${classes} confusions=${confusions}
            text=${t("matrix.says", { written: most.written, read: most.read, n: number(most.samples) })} />`
        : html`<p class="hint">${t("matrix.none")}</p>`}`;
  }}<//><//>`;
}

const DOABLE = {
  candidate: ["promote", "pause", "rollback", "pin"],
  "rolling-out": ["promote", "pause", "rollback", "pin"],
  paused: ["promote", "rollback", "pin"],
  stable: ["rollback", "pin"],
  "rolled-back": ["pin"],
  superseded: ["pin"],
};

function Actions({ of, reload }) {
  const me = useMe();
  const [action, setAction] = useState(null);
  if (!me.leadsFederation) return null;
  const doable = DOABLE[of.phase].filter((each) => !(each === "pin" && of.pinned));
  const all = of.phase === "stable" && of.pinned ? ["promote", ...doable] : doable;
  const act = async ({ why }) => {
    await post(`/releases/${of.release}/promotion/${action}`, { why });
    await reload();
  };
  return html`${all.map((each) => html`<button class=${each === "rollback" ? "harmful" : each === "promote" ? "primary" : ""} onClick=${() => setAction(each)}>${t(`action.${each}`)}</button>`)}
    ${action && html`<${Ask} title=${t(`action.${action}`)} text=${t(`action.${action}.text`, { n: of.release })} submit=${t(`action.${action}`)} isHarmful=${action === "rollback"} act=${act} onClose=${() => setAction(null)}>
      <label class="field"><span>${t("action.why")} <small>${t("optional")}</small></span><textarea name="why" rows="2" maxlength="500"></textarea></label><//>`}`;
}
