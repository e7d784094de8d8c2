// A person shows their token; the server answers with a session, and no script keeps the token.
import { html, useEffect, useRef, useState } from "../view.js";
import { t } from "../i18n.js";
import { post } from "../api.js";
import { Choices } from "./choices.js";

/** Only a refusal of the token itself says so: people would make new ones for nothing. */
function wordsOf({ status, message }) {
  if (status === 401 || status === 422) return t("login.wrong");
  if (status === 429) return t("login.slow");
  return status === 0 || status >= 500 ? t("away.text") : message;
}

export function Login({ isOver, onLogin }) {
  const [problem, setProblem] = useState(null);
  const [isBusy, setBusy] = useState(false);
  const field = useRef(null);
  useEffect(() => {
    document.title = `${t("login.title")} – ${t("brand")}`;
    field.current?.focus();
  }, []);
  const submit = async (event) => {
    event.preventDefault();
    setBusy(true);
    try {
      onLogin(await post("/session", { token: field.current.value.trim() }));
    } catch (refusal) {
      setProblem(refusal);
      setBusy(false);
      field.current?.select();
    }
  };
  return html`<main class="login">
    <form class="card" onSubmit=${submit}>
      <p class="brand"><img src="icon.svg" alt="" width="32" height="32" />${t("brand")}</p>
      <h1>${t("login.title")}</h1>
      ${isOver && !problem && html`<p class="notice warn" role="status">${t("login.over")}</p>`}
      ${problem && html`<p class="notice bad" role="alert">${wordsOf(problem)}</p>`}
      <label class="field"><span>${t("login.token")}</span>
        <input ref=${field} type="password" autocomplete="current-password" required spellcheck=${false} placeholder="hf_…" /></label>
      <button class="primary" disabled=${isBusy}>${t("login.submit")}</button>
      <p class="hint">${t("login.hint")} <code>handfed tokens add</code></p>
    </form>
    <${Choices} />
  </main>`;
}
