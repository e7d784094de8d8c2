// What waits on devices for a run, and what runs have had of people's corrections, as devices told it.
import { html } from "../view.js";
import { t } from "../i18n.js";
import { all } from "../api.js";
import { ago, moment, number } from "../format.js";
import { Answer, Empty, Section, Tile } from "./basics.js";
import { useAnswer } from "./asking.js";
import { Table } from "./table.js";

const EVERY_MS = 30000;

export function Waiting({ task }) {
  const answer = useAnswer(() => all(`/learning/${task}/waiting`), [task], EVERY_MS);
  return html`<${Section} title=${t("waiting.title")} lead=${t("waiting.lead")}><${Answer} of=${answer}>${(devices) => {
    if (!devices.length) return html`<${Empty} title=${t("waiting.none")} text=${t("waiting.none.text")} />`;
    const counting = devices.filter((each) => each.counts);
    const sum = (rows, value) => number(rows.reduce((total, each) => total + each[value], 0));
    return html`<div class="tiles">
        <${Tile} label=${t("waiting.feedback")} value=${sum(counting, "feedback")} note=${t("waiting.devices", { n: number(counting.length) })} />
        <${Tile} label=${t("waiting.fresh")} value=${sum(counting, "fresh")} note=${t("waiting.fresh.note")} />
        <${Tile} label=${t("waiting.used")} value=${sum(devices, "feedback_used")} note=${t("waiting.used.note")} />
      </div>
      <${Table} label=${t("waiting.title")} rows=${devices} columns=${columns()} keyOf=${(each) => each.device} first=${["feedback", true]} />`;
  }}<//><//>`;
}

/** What was told before the last run was done is no longer new. */
const current = (name) => (each) => (each.counts ? each[name] : null);

const columns = () => [
  { name: "name", title: t("device.name"), by: (each) => each.name, show: (each) => html`<a href=${`#/devices/${each.device}`}>${each.name}</a>` },
  { name: "feedback", title: t("waiting.feedback"), by: current("feedback"), show: (each) => number(current("feedback")(each)), isNumber: true },
  { name: "fresh", title: t("waiting.fresh"), by: current("fresh"), show: (each) => number(current("fresh")(each)), isNumber: true },
  { name: "used", title: t("waiting.used"), by: (each) => each.feedback_used, show: (each) => number(each.feedback_used), isNumber: true },
  { name: "told", title: t("waiting.told"), by: (each) => each.received_at, show: (each) => html`<span title=${moment(each.received_at)}>${ago(each.received_at)}</span>` },
];
