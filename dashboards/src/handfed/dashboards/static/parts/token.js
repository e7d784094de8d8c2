// The token of a service that asks for one.
import { html, useRef, useState } from "../view.js";
import { t } from "../i18n.js";
import { holdToken } from "../reading/device.js";

export function Token({ onGiven }) {
  const field = useRef(null);
  const [isWrong, setWrong] = useState(false);
  const give = async (event) => {
    event.preventDefault();
    holdToken(field.current.value.trim());
    await onGiven();
    setWrong(true); // who is let in does not see this any more
  };
  return html`<form class="card token" onSubmit=${give}>
    <p>${t("try.token")}</p>
    ${isWrong && html`<p class="notice bad" role="alert">${t("try.token.wrong")}</p>`}
    <label class="field"><span>${t("login.token")}</span><input ref=${field} type="password" autocomplete="off" required spellcheck=${false} /></label>
    <div class="actions"><button class="primary">${t("login.submit")}</button></div>
  </form>`;
}
