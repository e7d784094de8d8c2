// Which releases this page can read with.
import { VERSION } from "./normalise.js";

/** Why a release cannot be tried here, as a code; null where it can. @param release Its manifest, or as a device has it. */
export function whyNot({ kind = "characters", inputs = [], normalisation = VERSION, browser }) {
  if (kind !== "characters") return "texts";
  if (inputs.length) return "inputs";
  if (normalisation !== VERSION) return "newer";
  return browser ? null : "twin";
}
