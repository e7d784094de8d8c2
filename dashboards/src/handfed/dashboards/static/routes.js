// Which page an address names, and what the navigation lists. A page's own code is fetched when it is first shown.
import { html } from "./view.js";
import { Later } from "./parts/later.js";

/** In the order of the navigation. */
export const PAGES = ["overview", "runs", "devices", "releases", "learning", "try", "fairness", "privacy"];

const files = {
  "": () => import("./pages/overview.js"),
  overview: () => import("./pages/overview.js"),
  runs: () => import("./pages/runs.js"),
  "runs/N": () => import("./pages/run.js"),
  devices: () => import("./pages/devices.js"),
  "devices/N": () => import("./pages/device.js"),
  releases: () => import("./pages/releases.js"),
  "releases/N": () => import("./pages/release.js"),
  learning: () => import("./pages/learning.js"),
  try: () => import("./pages/try.js"),
  fairness: () => import("./pages/fairness.js"),
  privacy: () => import("./pages/privacy.js"),
};

/** The page of an address such as `runs/3`. */
export function pageOf(where) {
  const [name, number] = where.split("/");
  const kind = number ? `${name}/N` : name;
  return html`<${Later} key=${where} load=${files[kind] ?? files[""]} number=${number ? Number(number) : null} />`;
}

export const nameOf = (where) => (PAGES.includes(where.split("/")[0]) ? where.split("/")[0] : "overview");
