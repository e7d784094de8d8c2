// Writing, and what a release reads, as one writes: all of it in this browser.
import { html, useEffect, useRef, useState } from "../view.js";
import { t } from "../i18n.js";
import { percent } from "../format.js";
import { pngOf } from "../reading/grey.js";
import { Reader } from "../reading/reader.js";
import { Section } from "./basics.js";
import { Correction } from "./correction.js";
import { DrawingPad } from "./drawing-pad.js";
import { Seen } from "./seen.js";

const SHOWN = 4; // the reading, and three others
const CALM_MS = 600; // a screen reader is told what is read once the pen rests

/** A reader of a release, and what kept it from being made. */
function useReader(release, fetchModel) {
  const [state, setState] = useState({ reader: null, problem: null });
  useEffect(() => {
    const made = new Reader(release);
    let isOver = false;
    fetchModel(release).then((model) => made.open(model)).then(
      (reader) => isOver || setState({ reader, problem: null }),
      (problem) => isOver || setState({ reader: null, problem }),
    );
    return () => {
      isOver = true;
      setState({ reader: null, problem: null });
      made.close();
    };
  }, [release]);
  return state;
}

/** Reads what was written last; what was overtaken meanwhile is passed over. */
function useReading(reader, image) {
  const [found, setFound] = useState(null);
  const last = useRef(null);
  const isBusy = useRef(false);
  const look = async () => {
    if (isBusy.current || !reader) return;
    isBusy.current = true;
    try {
      for (let read; read !== last.current; ) {
        read = last.current;
        const reading = read && (read.grey ? await reader.read(read) : { code: read.code ?? "failed" });
        setFound(reading && { ...reading, image: read });
      }
    } catch {
      setFound(null); // the page was left, or another release was chosen
    }
    isBusy.current = false;
  };
  useEffect(() => {
    last.current = image;
    look();
  }, [reader, image]);
  return found;
}

/**
 * @param release {release, alphabet, temperature}.
 * @param fetchModel Gives an ArrayBuffer, the twin for browsers of a release.
 * @param keep Stores a correction: given a PNG, what was read and what it says, it gives {known}. Null to store none.
 */
export function TryIt({ release, fetchModel, keep = null }) {
  const [image, setImage] = useState(null);
  const { reader, problem } = useReader(release, fetchModel);
  const found = useReading(reader, image);
  const [isWrong, setWrong] = useState(false);
  const [kept, setKept] = useState(null);
  const change = (given) => {
    setKept(null);
    setImage(given);
  };
  const store = async (correct) => {
    const read = found.readings[0].text;
    const { known } = await keep({ picture: await pngOf(found.image), read, correct });
    setKept(known ? t("try.known") : t("try.kept", { read, correct }));
  };
  return html`<div class="columns try" aria-busy=${(found?.image ?? null) !== image}>
    <${Section} title=${t("try.write")}><${DrawingPad} onChange=${change} /><//>
    <${Section} title=${t("try.reading")}>
      ${problem ? html`<p class="notice bad" role="alert">${t("try.failed")} ${problem.message}</p>`
        : !reader ? html`<p class="hint" role="status">${t("try.loading")}</p>`
        : html`<${Found} of=${found} />`}
      ${found?.readings && html`<div class="actions"><button type="button" onClick=${() => setWrong(true)}>${t("try.wrong")}</button></div>`}
      <div role="status">${kept && html`<p class="notice good">${kept}</p>`}</div>
    <//>
    <${Told} of=${found} />
    ${isWrong && found?.readings && html`<${Correction} of=${found} release=${release} keep=${keep && store} onClose=${() => setWrong(false)} />`}
  </div>`;
}

function Found({ of }) {
  if (!of) return html`<p class="hint">${t("try.empty")}</p>`;
  if (of.code) return html`<p class="notice warn">${t(`try.code.${of.code}`)}</p>`;
  const [first] = of.readings;
  return html`<div class="found">
      <p class="glyph large" aria-hidden="true">${first.text}</p>
      <figure><${Seen} of=${of.picture} /><figcaption class="hint">${t("try.sees")}</figcaption></figure>
    </div>
    <ol class="ranks" aria-label=${t("try.alternatives")}>${of.readings.slice(0, SHOWN).map(({ text, probability }) => html`<li>
      <span class="glyph">${text}</span>
      <progress class="meter" value=${probability} max="1" aria-hidden="true"></progress>
      <span class="share">${percent(probability)}</span></li>`)}</ol>`;
}

/** Says what is read to who does not see it, when the pen rests. */
function Told({ of }) {
  const [words, setWords] = useState("");
  useEffect(() => {
    const [first] = of?.readings ?? [];
    const now = first ? t("try.says", { text: first.text, percent: percent(first.probability) }) : "";
    const timer = setTimeout(() => setWords(now), CALM_MS);
    return () => clearTimeout(timer);
  }, [of]);
  return html`<p class="unseen" role="status" aria-live="polite">${words}</p>`;
}
