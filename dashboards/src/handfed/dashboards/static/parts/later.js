// A page whose code is fetched when it is first shown.
import { html, useEffect, useState } from "../view.js";
import { Away, Loading } from "./basics.js";

export function Later({ load, number }) {
  const [page, setPage] = useState(null);
  const [isAway, setAway] = useState(false);
  const fetchPage = () => load().then((module) => setPage(() => module.Page), () => setAway(true));
  useEffect(() => {
    fetchPage();
  }, []);
  if (page) return html`<${page} number=${number} />`;
  return isAway ? html`<${Away} retry=${() => location.reload()} />` : html`<${Loading} />`;
}
