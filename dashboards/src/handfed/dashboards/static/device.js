// A device's own page: what `handfed edge serve` reads with, tried in the browser of the same device. A correction is
// kept in the device's store (docs/feedback.md).
import { html, render, useEffect, useState } from "./view.js";
import { load, t } from "./i18n.js";
import { applyTheme } from "./preferences.js";
import { Answer, Empty, Title } from "./parts/basics.js";
import { useAnswer } from "./parts/asking.js";
import { Choices } from "./parts/choices.js";
import { Token } from "./parts/token.js";
import { TryIt } from "./parts/try-it.js";
import { fetchModel, keep, release } from "./reading/device.js";
import { whyNot } from "./reading/release.js";

function App() {
  const [, setTold] = useState(0);
  const answer = useAnswer(release);
  useEffect(() => {
    const told = () => setTold((count) => count + 1);
    addEventListener("handfed:language", told);
    return () => removeEventListener("handfed:language", told);
  }, []);
  return html`<header class="device-bar"><p class="brand"><img src="icon.svg" alt="" width="28" height="28" />${t("brand")}</p><${Choices} /></header>
    <main class="device">
      <${Title} lead=${t("try.device.lead")}>${t("nav.try")}<//>
      ${answer.problem?.status === 401 ? html`<${Token} onGiven=${answer.reload} />` : html`<${Answer} of=${answer}>${(found) => html`<${Device} of=${found} />`}<//>`}
    </main>`;
}

function Device({ of }) {
  const why = whyNot(of);
  if (why) return html`<${Empty} title=${t("try.cannot", { n: of.release ?? "–" })} text=${t(`try.why.${why}`)} />`;
  return html`<${TryIt} release=${of} fetchModel=${fetchModel} keep=${keep} />`;
}

applyTheme();
await load();
render(html`<${App} />`, document.getElementById("app"));
