// A difference with its interval, on a line through zero.
import { html } from "../view.js";

/**
 * @param of `{difference, low, high}`.
 * @param label What it shows, in a sentence.
 */
export function Interval({ of, label, show }) {
  const reach = Math.max(Math.abs(of.low), Math.abs(of.high), 0.001) * 1.15;
  const at = (value) => `${50 + (50 * value) / reach}%`;
  return html`<div class="interval" role="img" aria-label=${label}>
    <span class="zero"></span>
    <span class="span" style=${{ left: at(of.low), width: `${(50 * (of.high - of.low)) / reach}%` }}></span>
    <span class="dot" style=${{ left: at(of.difference) }}></span>
    <span class="scale"><span>${show(-reach)}</span><span>0</span><span>${show(reach)}</span></span>
  </div>`;
}
