// Where the pages begin: words first, then who asks, then the page that the address names.
import { html, render, useEffect, useState } from "./view.js";
import { applyTheme } from "./preferences.js";
import { load } from "./i18n.js";
import { get, remove, whenSessionIsOver } from "./api.js";
import { Login } from "./parts/login.js";
import { Shell } from "./parts/shell.js";
import { Away, Loading } from "./parts/basics.js";
import { Me } from "./parts/me.js";
import { pageOf } from "./routes.js";

// Asked at once, while the words are fetched.
const first = get("/me");
first.catch(() => {}); // what is wrong is told when it is awaited

const place = () => location.hash.replace(/^#\/?/, "");

function App() {
  const [me, setMe] = useState(undefined); // undefined: not known yet; null: nobody
  const [isOver, setOver] = useState(false);
  const [isAway, setAway] = useState(false);
  const [where, setWhere] = useState(place());
  const [, setTold] = useState(0);

  const identify = async (asked) => {
    try {
      setMe(await asked);
      setAway(false);
    } catch (problem) {
      if (problem.status === 401) setMe(null);
      else setAway(true);
    }
  };
  useEffect(() => {
    whenSessionIsOver(() =>
      setMe((known) => {
        if (known) setOver(true);
        return null;
      }),
    );
    const moved = () => setWhere(place());
    const told = () => setTold((count) => count + 1);
    addEventListener("hashchange", moved);
    addEventListener("handfed:language", told);
    identify(first);
    return () => {
      removeEventListener("hashchange", moved);
      removeEventListener("handfed:language", told);
    };
  }, []);

  if (isAway && !me) return html`<${Away} retry=${() => identify(get("/me"))} />`;
  if (me === undefined) return html`<${Loading} />`;
  if (me === null) {
    const begun = (who) => {
      setOver(false);
      setMe(who);
    };
    return html`<${Login} isOver=${isOver} onLogin=${begun} />`;
  }
  const leave = async () => {
    await remove("/session").catch((problem) => {
      if (problem.status !== 401) throw problem; // the cookie is still good, and the next person would be this one
    });
    setMe(null);
  };
  return html`<${Me.Provider} value=${me}>
    <${Shell} where=${where} onLeave=${leave}>${pageOf(where)}<//>
  <//>`;
}

applyTheme();
await load();
render(html`<${App} />`, document.getElementById("app"));
