// What is around every page: brand, navigation, who is logged in, and the way out.
import { html, useEffect, useRef, useState } from "../view.js";
import { t } from "../i18n.js";
import { nameOf, PAGES } from "../routes.js";
import { Trouble } from "./basics.js";
import { Choices } from "./choices.js";
import { useMe } from "./me.js";

export function Shell({ where, onLeave, children }) {
  const me = useMe();
  const [isOpen, setOpen] = useState(false);
  const [problem, setProblem] = useState(null);
  const main = useRef(null);
  const first = useRef(true);
  useEffect(() => {
    setOpen(false);
    if (!first.current) main.current?.focus({ preventScroll: true }); // so that a screen reader says where one is now
    first.current = false;
    scrollTo(0, 0);
  }, [where]);
  const skip = (event) => {
    event.preventDefault();
    main.current?.focus();
  };
  return html`<a class="skip" href="#main" onClick=${skip}>${t("skip")}</a>
    <div class="shell">
      <header class="bar">
        <a class="brand" href="#/overview"><img src="icon.svg" alt="" width="28" height="28" />${t("brand")}</a>
        <button class="menu" aria-expanded=${isOpen} aria-controls="side" onClick=${() => setOpen(!isOpen)}>${t("menu")}</button>
      </header>
      <div class=${`side ${isOpen ? "open" : ""}`} id="side">
        <nav aria-label=${t("nav")}>
          <ul>${PAGES.map((name) => html`<li>
            <a href=${`#/${name}`} aria-current=${nameOf(where) === name ? "page" : null}>${t(`nav.${name}`)}</a></li>`)}</ul>
        </nav>
        <div class="who">
          <p><strong>${me.name}</strong><span>${t(`role.${me.role}`)}, ${me.isOfFederation ? t("scope.all") : t("scope.own")}</span></p>
          <${Choices} />
          ${problem && html`<${Trouble} problem=${problem} />`}
          <button class="plain" onClick=${() => onLeave().catch(setProblem)}>${t("leave")}</button>
        </div>
      </div>
      <main id="main" tabindex="-1" ref=${main}>${children}</main>
    </div>`;
}
