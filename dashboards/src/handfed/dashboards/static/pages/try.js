// A release, tried in this browser: no stroke and no picture is sent anywhere.
import { html, useState } from "../view.js";
import { t } from "../i18n.js";
import { all, bytesOf } from "../api.js";
import { Answer, Empty, Title } from "../parts/basics.js";
import { useAnswer } from "../parts/asking.js";
import { TryIt } from "../parts/try-it.js";
import { whyNot } from "../reading/release.js";

const MOST = 200;

async function ask() {
  const [releases, promotions] = await Promise.all([all("/releases", MOST), all("/promotions", MOST)]);
  const stable = new Set(promotions.filter((each) => each.phase === "stable").map((each) => each.release));
  return releases.map(({ number, task, manifest }) => ({ ...manifest, release: number, task, isStable: stable.has(number) }));
}

/** The twin for browsers, if it is the one that the manifest names. */
async function fetchModel({ release, browser }) {
  const model = await bytesOf(`/releases/${release}/files/browser.tflite`);
  const hash = new Uint8Array(await crypto.subtle.digest("SHA-256", model));
  if (Array.from(hash, (each) => each.toString(16).padStart(2, "0")).join("") !== browser.sha256) throw new Error(t("try.other"));
  return model;
}

export function Page() {
  const answer = useAnswer(ask);
  return html`<${Title} lead=${t("try.lead")}>${t("nav.try")}<//><${Answer} of=${answer}>${(releases) => html`<${Chosen} of=${releases} />`}<//>`;
}

function Chosen({ of }) {
  const [number, setNumber] = useState(null);
  const open = of.filter((each) => !whyNot(each));
  const shown = of.find((each) => each.release === number) ?? open.find((each) => each.isStable) ?? open[0] ?? of[0];
  if (!shown) return html`<${Empty} title=${t("overview.release.none")} text=${t("overview.release.none.text")} />`;
  const why = whyNot(shown);
  return html`<div class="pickers"><label class="inline">${t("try.release")}
      <select value=${shown.release} onChange=${(event) => setNumber(Number(event.target.value))}>
        ${of.map((each) => html`<option value=${each.release}>${`${each.release} · ${each.task}`}</option>`)}</select></label></div>
    ${why ? html`<${Empty} title=${t("try.cannot", { n: shown.release })} text=${t(`try.why.${why}`)} />`
      : html`<${TryIt} release=${shown} fetchModel=${fetchModel} />`}`;
}
