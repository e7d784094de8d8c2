// Releases in order of time: what devices use now, what is on trial, and what came before.
import { html } from "../view.js";
import { t } from "../i18n.js";
import { all } from "../api.js";
import { bytes, day, percent } from "../format.js";
import { Answer, Badge, Empty, Meter, Title } from "../parts/basics.js";
import { useAnswer } from "../parts/asking.js";

const EVERY_MS = 10000;
const MOST = 1000;
const TRIALS = ["candidate", "rolling-out", "paused"];

async function ask() {
  const [releases, promotions] = await Promise.all([all("/releases", MOST), all("/promotions", MOST)]);
  const by = Object.fromEntries(promotions.map((each) => [each.release, each]));
  return releases.map((release) => ({ ...release, way: by[release.number] ?? null }));
}

export function Page() {
  const answer = useAnswer(ask, [], EVERY_MS);
  return html`<${Title} lead=${t("releases.lead")}>${t("nav.releases")}<//>
    <${Answer} of=${answer}>${(releases) =>
      releases.length ? html`<${Channels} of=${releases} /><ol class="timeline">${releases.map((each) => html`<${Entry} key=${each.number} of=${each} />`)}</ol>`
        : html`<${Empty} title=${t("overview.release.none")} text=${t("overview.release.none.text")} />`}<//>`;
}

/** What each channel points at, by task. */
function Channels({ of }) {
  const tasks = [...new Set(of.map((each) => each.task))].sort();
  const link = (each) => (each ? html`<a href=${`#/releases/${each.number}`}>${t("release.name", { n: each.number })}</a>` : "–");
  return html`<div class="tiles">${tasks.map((task) => {
    const stable = of.find((each) => each.task === task && each.way?.phase === "stable");
    const trial = of.find((each) => each.task === task && TRIALS.includes(each.way?.phase));
    return html`<div class="tile channels"><p class="tile-label">${t("release.channels", { task })}</p>
      <dl class="facts"><div><dt>${t("channel.stable")}</dt><dd>${link(stable)}</dd></div>
      <div><dt>${t("channel.canary")}</dt><dd>${link(trial)}${trial && html` · ${percent(trial.way.percent / 100, 0)}`}</dd></div></dl></div>`;
  })}</div>`;
}

function Entry({ of: { number: n, task, recogniser, way, accuracy_int8: accuracy, size_bytes: size, created_at: at, manifest } }) {
  return html`<li class=${way?.phase ?? "none"}>
    <div class="when">${day(at)}</div>
    <div class="what">
      <p class="line"><a class="strong" href=${`#/releases/${n}`}>${t("release.name", { n })}</a>
        ${way ? html`<${Badge} of=${way.phase} />` : html`<span class="badge quiet">${t("release.local")}</span>`}
        ${way?.pinned && html`<span class="badge warn">${t("release.pinned")}</span>`}</p>
      <p class="muted">${task} · ${recogniser} · ${percent(accuracy)} · ${bytes(size)}${manifest.metrics?.writers
        ? html` · ${t("release.worst.short", { worst: percent(manifest.metrics.writers.worst_decile) })}` : ""}</p>
      ${way && ["rolling-out", "paused"].includes(way.phase) && html`<${Meter} value=${way.percent} most=${100} label=${t("release.percent", { n: percent(way.percent / 100, 0) })} />`}
      ${way?.reason && html`<p class="reason">${way.reason}</p>`}
    </div>
  </li>`;
}
