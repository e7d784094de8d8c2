// Theme and language.
import { html, useState } from "../view.js";
import { current, LANGUAGES, speak, t } from "../i18n.js";
import { setTheme, theme, THEMES } from "../preferences.js";

export function Choices() {
  const [shown, setShown] = useState(theme());
  const pick = (event) => {
    setTheme(event.target.value);
    setShown(event.target.value);
  };
  return html`<div class="choices">
    <label><span>${t("language")}</span>
      <select value=${current()} onChange=${(event) => speak(event.target.value)}>
        ${Object.entries(LANGUAGES).map(([code, name]) => html`<option value=${code} lang=${code}>${name}</option>`)}
      </select></label>
    <label><span>${t("theme")}</span>
      <select value=${shown} onChange=${pick}>
        ${THEMES.map((name) => html`<option value=${name}>${t(`theme.${name}`)}</option>`)}
      </select></label>
  </div>`;
}
