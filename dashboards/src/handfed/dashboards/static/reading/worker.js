// Reads characters with a release, beside the page: a worker with a policy of its own, the only place that may compile
// WebAssembly (`handfed.dashboards.files`). It fetches the runtime from where it comes from itself, and asks for nothing
// else; pictures come to it by message, and stay in it no longer than they are read.
//
// It is a classic script, as LiteRT.js loads its runtime by `importScripts`.
//
//   {id, model: ArrayBuffer}                          -> {id}: the model is ready
//   {id, pictures: [{grey, width, height}]}           -> {id, readings: [{picture, logits}], or {code} of one without ink}

let reader = null;

const begun = Promise.all([import("./normalise.js"), import("./model.js"), import("../vendor/litert.js")]).then(
  async ([normalising, models, litert]) => {
    // Reading a character is too small a task for a graphics processor, and asking for one wakes it.
    Object.defineProperty(self.navigator, "gpu", { value: { requestAdapter: async () => null } });
    // The variant without relaxed SIMD: those instructions may give other digits on another processor.
    const vendored = (name) => new URL(`../vendor/${name}`, self.location.href).href;
    // Where the runtime's script looks for its wasm, and what it has to say: of its course, to who looks for it.
    self.Module = { locateFile: vendored, printErr: (line) => (/^(INFO|WARNING):/.test(line) ? console.debug(line) : console.error(line)) };
    await litert.loadLiteRt(vendored("litert_wasm_compat_internal.js"));
    return { ...normalising, ...models, ...litert };
  },
);

begun.catch(() => {}); // who asks is told; where the page was left meanwhile, nobody asks

async function open(file) {
  const { endsOf, levelsOf, loadAndCompile } = await begun;
  const ends = endsOf(file);
  const model = await loadAndCompile(new Uint8Array(file), { accelerator: "wasm" });
  reader?.model.delete();
  reader = { model, levels: levelsOf(ends.input), output: ends.output };
}

async function read(given) {
  const { InkError, normalise, SIDE, Tensor } = await begun;
  let picture;
  try {
    picture = normalise(given);
  } catch (error) {
    if (error instanceof InkError) return { code: error.code };
    throw error;
  }
  const input = new Tensor(picture.map((level) => reader.levels[level]), [1, SIDE, SIDE, 1]);
  const [output] = await reader.model.run(input);
  const logits = await output.data();
  input.delete();
  output.delete();
  return { picture, logits, output: reader.output };
}

async function answer({ model, pictures }) {
  if (model) {
    await open(model);
    return {};
  }
  const readings = [];
  for (const each of pictures) readings.push(await read(each));
  return { readings };
}

let turn = Promise.resolve(); // one after another, in the order in which they came

self.onmessage = ({ data }) => {
  turn = turn.then(() => answer(data)).then(
    (found) => self.postMessage({ id: data.id, ...found }),
    (error) => self.postMessage({ id: data.id, error: String(error) }),
  );
};
