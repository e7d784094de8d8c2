// One device: what it is, what it contributed, which releases it has, and the end of it.
import { html, useState } from "../view.js";
import { t } from "../i18n.js";
import { all, get, post } from "../api.js";
import { ago, bytes, moment, number } from "../format.js";
import { Answer, Badge, Empty, Facts, Section, Title, Trouble, worded } from "../parts/basics.js";
import { useAnswer } from "../parts/asking.js";
import { stateOf } from "../parts/device-state.js";
import { Ask } from "../parts/dialog.js";
import { useMe } from "../parts/me.js";
import { Table } from "../parts/table.js";

const EVERY_MS = 15_000;

async function ask(id) {
  const device = await get(`/devices/${id}`);
  const [organisation, history, { pins }, reports] = await Promise.all([
    get(`/organisations/${device.organisation}`), all(`/devices/${id}/history`, 1000), get(`/devices/${id}/pins`),
    get(`/device-reports?limit=1&after=${id - 1}`),
  ]);
  const report = reports.items.find((each) => each.device === id);
  return { device, organisation, history, pins, report };
}

export function Page({ number: id }) {
  const answer = useAnswer(() => ask(id), [id], EVERY_MS);
  return html`<${Answer} of=${answer}>${({ device, organisation, history, pins, report }) => {
    const total = (value) => history.reduce((sum, each) => sum + each[value], 0);
    return html`
      <${Title} lead=${organisation.name} actions=${html`<${Actions} device=${device} pins=${pins} reload=${answer.reload} />`}>
        ${device.name} <${Badge} of=${stateOf(device)} /><//>
      <section class="section"><${Facts} of=${[
        [t("device.seen"), device.last_seen_at ? `${ago(device.last_seen_at)} (${moment(device.last_seen_at)})` : "–"],
        [t("device.joined"), moment(device.enrolled_at)],
        device.revoked_at && [t("device.revoked"), moment(device.revoked_at)],
        [t("device.contribution"), t("device.contribution.says", { samples: number(total("samples")), rounds: number(total("accepted")), size: bytes(total("bytes_up")) })],
        [t("device.most"), device.max_samples === null ? t("device.most.none") : number(device.max_samples)],
        Object.keys(pins).length > 0 && [t("device.pinned"), Object.entries(pins).map(([task, release]) => `${task}: ${release}`).join(", ")],
        [t("device.versions"), Object.entries(device.versions).map(([name, version]) => `${name} ${version}`).join(", ") || "–"],
        [t("device.key"), html`<code class="key">${device.fingerprint}</code>`],
      ]} /></section>
      <${Section} title=${t("device.releases")}>${report?.standings.length
        ? html`<${Table} label=${t("device.releases")} rows=${report.standings} columns=${standings()} canFilter=${false} keyOf=${(each) => each.release} first=${["release", true]} />`
        : html`<${Empty} title=${t("device.releases.none")} />`}<//>
      <${Section} title=${t("device.history")}>${history.length
        ? html`<${Table} label=${t("device.history")} rows=${history} columns=${participations()} keyOf=${(each) => each.run} first=${["run", true]} />`
        : html`<${Empty} title=${t("device.history.none")} text=${t("device.history.none.text")} />`}<//>`;
  }}<//>`;
}

const standings = () => [
  { name: "release", title: t("release.number"), by: (each) => each.release, show: (each) => html`<a href=${`#/releases/${each.release}`}>${t("release.name", { n: each.release })}</a>` },
  { name: "condition", title: t("device.condition"), by: (each) => t(`state.${each.condition}`), show: (each) => html`<${Badge} of=${each.condition} />` },
  { name: "used", title: t("device.used"), by: (each) => (each.in_use ? 1 : 0), show: (each) => (each.in_use ? t("yes") : t("no")) },
];

const participations = () => [
  { name: "run", title: t("run.number"), by: (each) => each.run, show: (each) => html`<a href=${`#/runs/${each.run}`}>${t("run.name", { n: each.run })}</a>` },
  { name: "last", title: t("device.last"), by: (each) => each.last_at, show: (each) => moment(each.last_at) },
  { name: "rounds", title: t("chart.asked"), by: (each) => each.rounds, show: (each) => number(each.rounds), isNumber: true },
  { name: "accepted", title: t("chart.accepted"), by: (each) => each.accepted, show: (each) => number(each.accepted), isNumber: true },
  { name: "late", title: t("device.late"), by: (each) => each.late, show: (each) => number(each.late), isNumber: true },
  { name: "rejected", title: t("device.rejected"), by: (each) => Object.values(each.rejected).reduce((sum, count) => sum + count, 0), show: rejections },
  { name: "samples", title: t("outcome.samples"), by: (each) => each.samples, show: (each) => number(each.samples), isNumber: true },
  { name: "bytes", title: t("outcome.bytes"), by: (each) => each.bytes_up, show: (each) => bytes(each.bytes_up), isNumber: true },
];

const rejections = (each) =>
  Object.entries(each.rejected).map(([reason, count]) => `${number(count)} × ${worded("reason", reason)}`).join(", ") || "–";

function Actions({ device, pins, reload }) {
  const me = useMe();
  const [asked, setAsked] = useState(null);
  const [problem, setProblem] = useState(null);
  if (!me.isOperator || device.state === "revoked") return null;
  const close = () => setAsked(null);
  const unpin = async () => {
    setProblem(null);
    await post(`/devices/${device.number}/unpin`).then(reload, setProblem);
  };
  return html`
    ${problem && html`<${Trouble} problem=${problem} />`}
    ${Object.keys(pins).length > 0 && html`<button onClick=${unpin}>${t("device.unpin")}</button>`}
    <button onClick=${() => setAsked("pin")}>${t("device.pin")}</button>
    <button class="harmful" onClick=${() => setAsked("revoke")}>${t("device.revoke")}</button>
    ${asked === "revoke" && html`<${Ask} title=${t("device.revoke")} text=${t("device.revoke.text", { name: device.name })} submit=${t("device.revoke")} isHarmful
      act=${async () => { await post(`/devices/${device.number}/revoke`); await reload(); }} onClose=${close} />`}
    ${asked === "pin" && html`<${Ask} title=${t("device.pin")} text=${t("device.pin.text")} submit=${t("device.pin")}
      act=${async ({ release }) => { await post(`/devices/${device.number}/pin`, { release: Number(release) }); await reload(); }} onClose=${close}>
      <label class="field"><span>${t("release.number")}</span><input name="release" type="number" min="1" required /></label><//>`}`;
}
