// Small things that every page is made of.
import { html, useEffect } from "../view.js";
import { has, t } from "../i18n.js";

export const Loading = () => html`<p class="loading" role="status">${t("loading")}</p>`;

/** The server does not answer. */
export const Away = ({ retry }) => html`<section class="notice bad stand-alone" role="alert">
  <h1>${t("away.title")}</h1>
  <p>${t("away.text")}</p>
  <button onClick=${retry}>${t("retry")}</button>
</section>`;

/** The heading of a page, which is also the title of the window. */
export function Title({ children, lead, actions }) {
  const text = [children].flat(Infinity).filter((each) => typeof each === "string").join("").trim(); // and no badges
  useEffect(() => {
    document.title = `${text} – ${t("brand")}`;
  }, [text]);
  return html`<header class="title">
    <div><h1 tabindex="-1">${children}</h1>${lead && html`<p class="lead">${lead}</p>`}</div>
    ${actions && html`<div class="actions">${actions}</div>`}
  </header>`;
}

/** What an answer shows when it is there: an error, a wait, or what `children` makes of the data. */
export function Answer({ of, children }) {
  const trouble = of.problem && html`<${Trouble} problem=${of.problem} retry=${of.reload} />`;
  if (of.data === null) return trouble ?? html`<${Loading} />`;
  return html`${trouble}${children(of.data)}`;
}

export function Trouble({ problem, retry }) {
  const text = problem.status === 0 ? t("away.text") : problem.message || t("failed");
  return html`<div class="notice bad" role="alert"><p>${text}</p>${retry && html`<button onClick=${retry}>${t("retry")}</button>`}</div>`;
}

export const Empty = ({ title, text, children }) => html`<div class="empty">
  <p class="empty-title">${title}</p>
  ${text && html`<p>${text}</p>`}
  ${children}
</div>`;

export const Section = ({ title, lead, actions, children }) => html`<section class="section">
  <header><h2>${title}</h2>${actions}</header>
  ${lead && html`<p class="lead">${lead}</p>`}
  ${children}
</section>`;

const TONES = {
  running: "live", queued: "quiet", done: "good", failed: "bad", stopped: "quiet",
  stable: "good", candidate: "live", "rolling-out": "live", paused: "warn", "rolled-back": "bad", superseded: "quiet",
  online: "good", offline: "quiet", away: "warn", revoked: "bad",
  open: "live", used: "good", expired: "quiet", withdrawn: "quiet",
  accepted: "good", late: "warn", rejected: "bad", evaluated: "quiet",
  asked: "quiet", working: "live", answered: "good",
  healthy: "good", "failed-self-test": "bad", crashed: "bad", slow: "warn", unusable: "bad",
  "not-worse": "good", worse: "bad", undecided: "quiet",
  met: "good", unmet: "quiet", enabled: "good", disabled: "quiet", ended: "quiet", drift: "warn", "no-drift": "good",
};

/** How something stands, in a word; the colour says nothing that the word does not. */
export const Badge = ({ of }) => html`<span class=${`badge ${TONES[of] ?? "quiet"}`}>${t(`state.${of}`)}</span>`;

/** Words of the server, which speaks English. */
export const Said = ({ children }) => html`<span lang="en">${children}</span>`;

/** A code of the server in words; one that is newer than these pages, as it is. */
export const worded = (family, code) => (has(`${family}.${code}`) ? t(`${family}.${code}`) : code);

export const Facts = ({ of }) => html`<dl class="facts">
  ${of.filter(Boolean).map(([name, value]) => html`<div><dt>${name}</dt><dd>${value}</dd></div>`)}
</dl>`;

export const Tile = ({ label, value, note, href }) => html`<div class="tile">
  <p class="tile-label">${href ? html`<a href=${href}>${label}</a>` : label}</p>
  <p class="tile-value">${value}</p>
  ${note && html`<p class="tile-note">${note}</p>`}
</div>`;

export function Meter({ value, most, label }) {
  return html`<progress class="meter" value=${value} max=${Math.max(most, 1)} aria-label=${label}></progress>`;
}
