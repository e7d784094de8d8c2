// The server's public API, as a page asks it: by the session's cookie, and with the header that only a page of this
// server can send. See docs/server-api.md.

import { hear } from "./clock.js";

const API = "/api/v1";
const AGAIN_MS = 1000;
const AGAIN_AT_MOST_MS = 60_000;

/** A refusal of the server (RFC 9457), or that it cannot be reached: then `status` is 0. */
export class Problem extends Error {
  constructor(status, kind, detail) {
    super(detail);
    this.status = status;
    this.kind = kind;
  }
}

let onSessionOver = () => {};

/** Has a function called when the server no longer knows who asks. */
export const whenSessionIsOver = (callback) => (onSessionOver = callback);

async function ask(path, options = {}) {
  let answer;
  try {
    answer = await fetch(path, { ...options, headers: { Accept: "application/json", ...options.headers } });
  } catch {
    throw new Problem(0, "away", "");
  }
  hear(answer);
  if (answer.ok) return answer;
  const problem = await answer.json().catch(() => ({}));
  const found = new Problem(answer.status, String(problem.type ?? "").split("/").pop(), problem.detail ?? answer.statusText);
  if (answer.status === 401 && path !== `${API}/session`) onSessionOver();
  throw found;
}

export const get = async (path) => (await ask(API + path)).json();

/** A file, as an ArrayBuffer. */
export const bytesOf = async (path) => (await ask(API + path)).arrayBuffer();

/** All items of a list, page by page as the header `Link` leads. */
export async function all(path, most = Infinity) {
  const items = [];
  let next = `${API}${path}${path.includes("?") ? "&" : "?"}limit=500`;
  while (next && items.length < most) {
    const answer = await ask(next);
    items.push(...(await answer.json()).items);
    next = answer.headers.get("Link")?.match(/<([^>]+)>; rel="next"/)?.[1];
  }
  return items;
}

async function write(method, path, body) {
  const headers = { "X-Handfed-Page": "1" };
  if (body !== undefined) headers["Content-Type"] = "application/json";
  const answer = await ask(API + path, { method, headers, body: body === undefined ? undefined : JSON.stringify(body) });
  return answer.status === 204 ? null : answer.json();
}

export const post = (path, body) => write("POST", path, body);
export const patch = (path, body) => write("PATCH", path, body);
export const remove = (path) => write("DELETE", path);

/**
 * The rounds of a run as they end, while the page is seen: a browser has six connections to a server, and each tab would
 * keep one. Whoever listens may get a round again. Gives what ends it.
 */
export function follow(run, { onRound, onStatus, onEnd, onTrouble }) {
  let source = null;
  let timer = null;
  let pause = AGAIN_MS;
  const close = () => {
    source?.close();
    clearTimeout(timer);
  };
  const open = () => {
    source = new EventSource(`${API}/runs/${run}/events`);
    source.addEventListener("round", (event) => onRound(JSON.parse(event.data)));
    source.addEventListener("status", (event) => onStatus(JSON.parse(event.data).status));
    source.addEventListener("end", (event) => {
      stop();
      onEnd(JSON.parse(event.data).status);
    });
    source.addEventListener("open", () => {
      pause = AGAIN_MS;
      onTrouble(false);
    });
    source.addEventListener("error", () => {
      onTrouble(true);
      if (source.readyState !== EventSource.CLOSED) return; // the browser asks again by itself
      timer = setTimeout(again, pause); // of a refusal it does not
      pause = Math.min(2 * pause, AGAIN_AT_MOST_MS);
    });
  };
  const again = () => {
    get("/me").catch(() => {}); // which tells where the session is over
    open();
  };
  const look = () => {
    close();
    if (!document.hidden) open();
  };
  const stop = () => {
    close();
    document.removeEventListener("visibilitychange", look);
  };
  document.addEventListener("visibilitychange", look);
  look();
  return stop;
}

export const urlOf = (path) => API + path;
