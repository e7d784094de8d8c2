// A question before something is done, in the browser's own dialogue: focus stays in it, and Escape leaves it.
import { html, useEffect, useRef, useState } from "../view.js";
import { t } from "../i18n.js";
import { Trouble } from "./basics.js";

/** Inputs in it have a `defaultValue`: a `value` is written anew, over what is typed, whenever the page is told something. */
export function Dialog({ title, onClose, children }) {
  const box = useRef(null);
  const isOver = useRef(false);
  useEffect(() => {
    const mine = box.current;
    mine.showModal();
    return () => {
      isOver.current = true;
      mine.close(); // which gives the keyboard back to where it was
    };
  }, []);
  return html`<dialog ref=${box} onClose=${() => isOver.current || onClose()} aria-labelledby="dialog-title">
    <h2 id="dialog-title">${title}</h2>
    ${children}
  </dialog>`;
}

/**
 * Asks, does, and says what went wrong.
 * @param act Does it, given the form's values by name; where it gives true, whoever asked shows what comes of it.
 */
export function Ask({ title, text, submit, isHarmful, act, onClose, children }) {
  const [problem, setProblem] = useState(null);
  const [isBusy, setBusy] = useState(false);
  const send = async (event) => {
    event.preventDefault();
    setBusy(true);
    try {
      const staysOpen = await act(Object.fromEntries(new FormData(event.target)));
      if (!staysOpen) onClose();
    } catch (refusal) {
      setProblem(refusal);
      setBusy(false);
    }
  };
  return html`<${Dialog} title=${title} onClose=${onClose}>
    <form onSubmit=${send}>
      ${text && html`<p>${text}</p>`}
      ${children}
      ${problem && html`<${Trouble} problem=${problem} />`}
      <div class="actions end">
        <button type="button" onClick=${onClose}>${t("cancel")}</button>
        <button class=${isHarmful ? "primary harmful" : "primary"} disabled=${isBusy}>${submit}</button>
      </div>
    </form>
  <//>`;
}
