// The page's side of reading: asks the worker, and puts its answers into words.
import { ranked } from "./model.js";

/** Reads with one release; `close` ends it. */
export class Reader {
  #worker = new Worker(new URL("./worker.js", import.meta.url));
  #waiting = new Map();
  #count = 0;

  /** @param release {alphabet, temperature, ...}: what is known of the release. */
  constructor(release) {
    this.release = release;
    this.#worker.onmessage = ({ data }) => {
      const { settle, refuse } = this.#waiting.get(data.id);
      this.#waiting.delete(data.id);
      if (data.error) refuse(new Error(data.error));
      else settle(data);
    };
    this.#worker.onerror = (event) => this.#fail(new Error(event.message || "the worker cannot be started"));
  }

  /** Makes a model ready; ArrayBuffer of the twin for browsers. */
  async open(model) {
    await this.#ask({ model }, [model]);
    return this;
  }

  /** What the release takes one picture for: {readings: [{text, probability}], picture}; {code} of one without ink. */
  async read(image) {
    return (await this.readAll([image]))[0];
  }

  async readAll(pictures) {
    const { alphabet, temperature } = this.release;
    const { readings } = await this.#ask({ pictures });
    return readings.map(({ code, picture, logits, output }) =>
      code ? { code } : {
        picture,
        logits,
        readings: ranked(logits, output, temperature).map(({ label, probability }) => ({ text: alphabet[label], probability })),
      });
  }

  close() {
    this.#worker.terminate();
    this.#fail(new Error("closed"));
  }

  #ask(question, handed = []) {
    const id = ++this.#count;
    return new Promise((settle, refuse) => {
      this.#waiting.set(id, { settle, refuse });
      this.#worker.postMessage({ id, ...question }, handed);
    });
  }

  #fail(error) {
    for (const { refuse } of this.#waiting.values()) refuse(error);
    this.#waiting.clear();
  }
}
