// The devices that a person may see, the invitations that are open, and a way to invite.
import { html, useState } from "../view.js";
import { t } from "../i18n.js";
import { all, post } from "../api.js";
import { ago, moment, number } from "../format.js";
import { Answer, Badge, Empty, Section, Title } from "../parts/basics.js";
import { useAnswer } from "../parts/asking.js";
import { Ask } from "../parts/dialog.js";
import { Invite } from "../parts/invite.js";
import { useMe } from "../parts/me.js";
import { stateOf } from "../parts/device-state.js";
import { Table } from "../parts/table.js";

const EVERY_MS = 15000;

async function ask() {
  const [devices, organisations, invitations, reports] = await Promise.all([
    all("/devices"), all("/organisations"), all("/invitations"), all("/device-reports"),
  ]);
  const names = Object.fromEntries(organisations.map((each) => [each.number, each.name]));
  const used = Object.fromEntries(reports.map((each) => [each.device, each.standings.filter((one) => one.in_use).map((one) => one.release)]));
  return {
    organisations,
    devices: devices.map((device) => ({ ...device, where: names[device.organisation] ?? "", how: stateOf(device), releases: used[device.number] ?? [] })),
    open: invitations.filter((each) => each.state === "open").map((each) => ({ ...each, where: names[each.organisation] ?? "" })),
  };
}

export function Page() {
  const me = useMe();
  const [isInviting, setInviting] = useState(false);
  const answer = useAnswer(ask, [], EVERY_MS);
  const actions = me.isOperator && answer.data && html`<button class="primary" onClick=${() => setInviting(true)}>${t("device.invite")}</button>`;
  return html`<${Title} lead=${me.isOfFederation ? t("devices.lead") : t("devices.lead.own")} actions=${actions}>${t("nav.devices")}<//>
    <${Answer} of=${answer}>${(seen) => html`
      ${seen.devices.length
        ? html`<${Table} label=${t("nav.devices")} rows=${seen.devices} keyOf=${(each) => each.number} columns=${columns()} first=${["name", false]} />`
        : html`<${Empty} title=${t("devices.none")} text=${t("devices.none.text")} />`}
      ${seen.open.length > 0 && html`<${Open} invitations=${seen.open} reload=${answer.reload} />`}
      ${isInviting && html`<${Invite} organisations=${seen.organisations} onClose=${() => { setInviting(false); answer.reload(); }} />`}`}<//>`;
}

const columns = () => [
  { name: "name", title: t("device.name"), by: (each) => each.name, show: (each) => html`<a href=${`#/devices/${each.number}`}>${each.name}</a>` },
  { name: "where", title: t("device.organisation"), by: (each) => each.where },
  { name: "how", title: t("device.state"), by: (each) => t(`state.${each.how}`), show: (each) => html`<${Badge} of=${each.how} />` },
  { name: "seen", title: t("device.seen"), by: (each) => each.last_seen_at, show: (each) => html`<span title=${moment(each.last_seen_at)}>${ago(each.last_seen_at)}</span>` },
  { name: "release", title: t("device.release"), by: (each) => each.releases[0] ?? null, show: (each) => each.releases.map((one) => number(one)).join(", ") || "–", isNumber: true },
  { name: "joined", title: t("device.joined"), by: (each) => each.enrolled_at, show: (each) => ago(each.enrolled_at) },
];

function Open({ invitations, reload }) {
  const me = useMe();
  const [which, setWhich] = useState(null);
  const rows = [
    { name: "number", title: t("invite.number"), by: (each) => each.number, isNumber: true },
    { name: "where", title: t("device.organisation"), by: (each) => each.where },
    { name: "name", title: t("device.name"), by: (each) => each.name, show: (each) => each.name ?? "–" },
    { name: "by", title: t("invite.by"), by: (each) => each.invited_by },
    { name: "until", title: t("invite.until"), by: (each) => each.expires_at, show: (each) => moment(each.expires_at) },
    ...(me.isOperator ? [{ name: "do", title: "", show: (each) => html`<button class="plain" onClick=${() => setWhich(each)}>${t("invite.withdraw")}</button>` }] : []),
  ];
  return html`<${Section} title=${t("invite.open")}>
    <${Table} label=${t("invite.open")} rows=${invitations} keyOf=${(each) => each.number} columns=${rows} canFilter=${false} />
    ${which && html`<${Ask} title=${t("invite.withdraw")} text=${t("invite.withdraw.text")} submit=${t("invite.withdraw")} isHarmful
      act=${async () => { await post(`/invitations/${which.number}/withdraw`); await reload(); }} onClose=${() => setWhich(null)} />`}
  <//>`;
}
