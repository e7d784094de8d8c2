// One release: what it is, how it reads, how it does against its champion, and what a person decides.
import { html, useState } from "../view.js";
import { t } from "../i18n.js";
import { all, get, post, urlOf } from "../api.js";
import { bytes, moment, number, percent, points } from "../format.js";
import { Answer, Badge, Empty, Facts, Section, Title } from "../parts/basics.js";
import { useAnswer } from "../parts/asking.js";
import { Ask } from "../parts/dialog.js";
import { useMe } from "../parts/me.js";
import { Bars } from "../charts/bars.js";
import { Interval } from "../charts/interval.js";

const EVERY_MS = 10000;
const LAST = 20;
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

/** The last rounds of a run, of which one was evaluated. */
async function lastRounds(run) {
  if (!run) return [];
  const { rounds } = await get(`/runs/${run}`);
  return all(`/runs/${run}/rounds?after=${Math.max(rounds - LAST, 0)}`);
}

/** How classes were read in the last round of the release's run that told of them. */
function Classes({ release }) {
  const answer = useAnswer(() => lastRounds(release.run_id), [release.number]);
  const names = release.manifest.alphabet ?? [];
  return html`<${Section} title=${t("classes.title")} lead=${t("classes.lead")}><${Answer} of=${answer}>${(rounds) => {
    const last = rounds.findLast((round) => round.class_counts.length);
    if (!last) return html`<${Empty} title=${t("classes.none")} text=${t("classes.none.text")} />`;
    const read = last.class_counts.map((each) => ({ name: names[each.label] ?? String(each.label), rate: each.correct / each.samples }));
    const worst = [...read].sort((a, b) => a.rate - b.rate)[0];
    return html`<${Bars} title=${t("classes.chart", { n: last.number })} file=${`release-${release.number}-classes`} first=${t("classes.class")}
      labels=${read.map((each) => each.name)} series=${[{ name: t("classes.read"), key: "one", values: read.map((each) => each.rate) }]}
      range=${[0, 1]} show=${(value) => percent(value, 0)} text=${t("classes.says", { name: worst.name, rate: percent(worst.rate) })} />`;
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
