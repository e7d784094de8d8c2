// What runs, what was released, who is there, and what needs a person.
import { html } from "../view.js";
import { t } from "../i18n.js";
import { get } from "../api.js";
import { ago, bytes, moment, number, percent } from "../format.js";
import { Answer, Badge, Empty, Meter, Section, Tile, Title } from "../parts/basics.js";
import { useAnswer } from "../parts/asking.js";
import { useMe } from "../parts/me.js";

const EVERY_MS = 5000;

export function Page() {
  const answer = useAnswer(() => get("/overview"), [], EVERY_MS);
  return html`<${Title} lead=${t("overview.lead")}>${t("nav.overview")}<//>
    <${Answer} of=${answer}>${(seen) => html`
      <${Attention} of=${seen.attention} />
      <div class="tiles">
        <${Tile} label=${t("overview.online")} href="#/devices" value=${number(seen.devices.online)}
          note=${t("overview.of", { n: number(seen.devices.enrolled) })} />
        <${Tile} label=${t("overview.release")} href=${seen.release ? `#/releases/${seen.release.number}` : "#/releases"}
          value=${seen.release ? number(seen.release.number) : "–"}
          note=${seen.release ? ago(seen.release.created_at) : t("overview.release.none")} />
        <${Tile} label=${t("overview.accuracy")} value=${percent(seen.release?.accuracy_int8)}
          note=${seen.release ? t("overview.accuracy.note", { size: bytes(seen.release.size_bytes) }) : ""} />
        <${Tile} label=${t("overview.queued")} href="#/runs" value=${number(seen.queued)} note=${t("overview.queued.note")} />
        <${Tile} label=${t("overview.waiting")} href="#/learning" value=${number(seen.waiting.feedback)}
          note=${t("overview.waiting.note", { devices: number(seen.waiting.devices), samples: number(seen.waiting.fresh) })} />
      </div>
      <div class="columns">
        <${Now} run=${seen.run} />
        <${Latest} release=${seen.release} />
      </div>
      ${seen.devices.enrolled === 0 && html`<${First} />`}`}<//>`;
}

const WHERE = { devices: "devices", certificate: null, registry: null };  // null: no page tells more

function Attention({ of }) {
  if (!of.length) return html`<p class="notice good">${t("overview.calm")}</p>`;
  return html`<section class="notice warn" aria-label=${t("overview.attention")}>
    <h2>${t("overview.attention")}</h2>
    <ul>${of.map(({ kind, count, subject }) => {
      const [family, which] = subject.split("/");
      const place = family in WHERE ? WHERE[family] : `${family}s/${which}`;
      const words = t(`attention.${kind}`, { n: number(count), which });
      return html`<li>${place ? html`<a href=${`#/${place}`}>${words}</a>` : words}</li>`;
    })}</ul>
  </section>`;
}

function Now({ run }) {
  if (!run) return html`<${Section} title=${t("overview.now")}><${Empty} title=${t("overview.quiet")} text=${t("overview.quiet.text")} /><//>`;
  const isOn = run.status === "running";
  return html`<${Section} title=${isOn ? t("overview.now") : t("overview.last")}>
    <p class="line"><a class="strong" href=${`#/runs/${run.id}`}>${t("run.name", { n: run.id })}</a> <${Badge} of=${run.status} /></p>
    ${isOn && html`<${Meter} value=${run.rounds} most=${run.planned} label=${t("run.progress")} />`}
    <dl class="facts">
      <div><dt>${t("run.rounds")}</dt><dd>${run.planned ? t("run.rounds.of", { n: number(run.rounds), all: number(run.planned) }) : number(run.rounds)}</dd></div>
      <div><dt>${t("run.accuracy")}</dt><dd>${percent(run.accuracy)}</dd></div>
      <div><dt>${isOn ? t("run.started") : t("run.ended")}</dt><dd>${moment(isOn ? run.started_at : run.ended_at ?? run.started_at)}</dd></div>
    </dl>
  <//>`;
}

function Latest({ release }) {
  if (!release) return html`<${Section} title=${t("overview.release")}><${Empty} title=${t("overview.release.none")} text=${t("overview.release.none.text")} /><//>`;
  return html`<${Section} title=${t("overview.release")}>
    <p class="line"><a class="strong" href=${`#/releases/${release.number}`}>${t("release.name", { n: release.number })}</a>
      ${release.phase && html`<${Badge} of=${release.phase} />`}</p>
    <dl class="facts">
      <div><dt>${t("release.task")}</dt><dd>${release.task}</dd></div>
      <div><dt>${t("release.int8")}</dt><dd>${percent(release.accuracy_int8)}</dd></div>
      <div><dt>${t("release.published")}</dt><dd>${moment(release.created_at)}</dd></div>
    </dl>
  <//>`;
}

function First() {
  const me = useMe();
  return html`<${Section} title=${t("overview.first")}>
    <ol class="steps"><li>${t("overview.first.1")}</li><li>${t("overview.first.2")}</li><li>${t("overview.first.3")}</li></ol>
    ${me.isOperator && html`<a class="button primary" href="#/devices">${t("device.invite")}</a>`}
  <//>`;
}
