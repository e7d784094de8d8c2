// How a federation learns on: what waits, when a run is started and why not, drift, comparisons, and what was forgotten.
import { html, useState } from "../view.js";
import { t } from "../i18n.js";
import { all, get } from "../api.js";
import { Answer, Title, worded } from "../parts/basics.js";
import { useAnswer } from "../parts/asking.js";
import { Comparisons } from "../parts/comparisons.js";
import { Drift } from "../parts/drift.js";
import { Forgetting } from "../parts/forgetting.js";
import { useMe } from "../parts/me.js";
import { Policy } from "../parts/policy.js";
import { Waiting } from "../parts/waiting.js";

const EVERY_MS = 30000;
const MOST = 1000;

async function ask() {
  const [{ policies }, releases, promotions] = await Promise.all([get("/learning"), all("/releases", MOST), all("/promotions", MOST)]);
  const ways = Object.fromEntries(promotions.map((each) => [each.release, each]));
  const tasks = [...new Set([...policies.map((each) => each.task), ...releases.map((each) => each.task)])].sort();
  return { tasks: tasks.length ? tasks : ["digits"], releases: releases.map((each) => ({ ...each, way: ways[each.number] ?? null })) };
}

export function Page() {
  const [chosen, setChosen] = useState(null);
  const answer = useAnswer(ask, []);
  return html`<${Title} lead=${t("learning.lead")}>${t("nav.learning")}<//>
    <${Answer} of=${answer}>${({ tasks, releases }) => {
      const task = chosen ?? tasks[0];
      return html`${tasks.length > 1 && html`<p class="pickers"><label class="inline"><span>${t("run.task")}</span>
          <select value=${task} onChange=${(event) => setChosen(event.target.value)}>
            ${tasks.map((each) => html`<option value=${each}>${worded("task", each)}</option>`)}</select></label></p>`}
        <${OfTask} key=${task} task=${task} releases=${releases.filter((each) => each.task === task)} />`;
    }}<//>`;
}

function OfTask({ task, releases }) {
  const me = useMe();
  return html`
    ${me.isOfFederation && html`<${Decided} task=${task} />`}
    <${Waiting} task=${task} />
    <${Comparisons} task=${task} releases=${releases} />
    <${Forgetting} releases=${releases} />`;
}

/** What is asked of the whole federation alone. */
function Decided({ task }) {
  const answer = useAnswer(() => get(`/learning/${task}/explanation`), [task], EVERY_MS);
  return html`<${Answer} of=${answer}>${(found) => html`
    <${Policy} of=${found} reload=${answer.reload} />
    <${Drift} of=${found.drift} task=${task} />`}<//>`;
}
