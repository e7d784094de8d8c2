// "That's wrong": what a device stores of a correction. A device's own page stores it; the dashboard only shows it.
import { html, useState } from "../view.js";
import { t } from "../i18n.js";
import { percent } from "../format.js";
import { Facts } from "./basics.js";
import { Ask, Dialog } from "./dialog.js";
import { Seen } from "./seen.js";

/**
 * @param of {picture, readings}: the reading that is wrong.
 * @param release What is known of the release that read.
 * @param keep Stores what it says; null where nothing is stored.
 */
export function Correction({ of, release, keep, onClose }) {
  const [first, second] = of.readings;
  const [says, setSays] = useState(second.text);
  const body = html`<${Facts} of=${[
      [t("try.picture"), html`<${Seen} of=${of.picture} />`],
      [t("try.read"), html`<span class="glyph">${first.text}</span>`],
      [t("try.confidence"), percent(first.probability)],
      [t("try.release"), release.release ?? "–"],
    ]} />
    <label class="field"><span>${t("try.correct")}</span>
      <select name="correct" onChange=${(event) => setSays(event.target.value)}>
        ${release.alphabet.filter((text) => text !== first.text).map((text) => html`<option value=${text} selected=${text === says}>${text}</option>`)}
      </select></label>`;
  if (keep)
    return html`<${Ask} title=${t("try.wrong.title")} text=${t("try.wrong.device")} submit=${t("try.keep")} act=${({ correct }) => keep(correct)} onClose=${onClose}>${body}<//>`;
  return html`<${Dialog} title=${t("try.wrong.title")} onClose=${onClose}>
    <form method="dialog"><p>${t("try.wrong.here")}</p>${body}
      <div class="actions end"><button class="primary">${t("close")}</button></div></form>
  <//>`;
}
