// A question before something is done, in the browser's own dialogue: focus stays in it, and Escape leaves it.
import { html, render, useEffect, useRef, useState } from "../view.js";
import { t } from "../i18n.js";
import { Trouble } from "./basics.js";

/**
 * It stands beside the page, not in it: an element that is moved because something before it comes or goes is no longer
 * modal, and has lost the keyboard. Inputs in it have a `defaultValue`: a `value` is written anew, over what is typed,
 * whenever the page is told something.
 */
export function Dialog({ title, onClose, children }) {
  const place = useRef(null);
  const box = useRef(null);
  const isOver = useRef(false);
  useEffect(() => {
    place.current = document.body.appendChild(document.createElement("div"));
    return () => {
      isOver.current = true;
      box.current.close(); // which gives the keyboard back to where it was
      render(null, place.current);
      place.current.remove();
    };
  }, []);
  useEffect(() => {
    const shown = html`<dialog ref=${box} onClose=${() => isOver.current || onClose()} aria-labelledby="dialog-title">
      <h2 id="dialog-title">${title}</h2>
      ${children}
    </dialog>`;
    render(shown, place.current);
    if (!box.current.open) box.current.showModal();
  });
  return null;
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
