// What a LiteRT file says of its two ends: how grey levels become its integers, and its integers logits.
//
// Source: the FlatBuffers binary format (a table begins with the distance to its vtable, which has
// the place of each field) and LiteRT's schema: Model.subgraphs is field 2, SubGraph.tensors 0, .inputs 1 and .outputs 2,
// Tensor.quantization 4, QuantizationParameters.scale 2 and .zero_point 3.

const SUBGRAPHS = 2;
const [TENSORS, INPUTS, OUTPUTS] = [0, 1, 2];
const QUANTIZATION = 4;
const [SCALE, ZERO_POINT] = [2, 3];

/**
 * @param file ArrayBuffer of a `.tflite` file with one input and one output.
 * @returns {input, output}, each {scale, zero}: real = scale * (integer - zero).
 */
export function endsOf(file) {
  const view = new DataView(file);
  const follow = (place) => place + view.getUint32(place, true);
  const field = (table, number) => {
    const vtable = table - view.getInt32(table, true);
    const slot = 4 + 2 * number;
    const distance = slot < view.getUint16(vtable, true) ? view.getUint16(vtable + slot, true) : 0;
    if (!distance) throw new Error("the model says too little of its ends");
    return follow(table + distance);
  };
  const items = (vector) => vector + 4; // behind its length
  const graph = follow(items(field(follow(0), SUBGRAPHS)));
  const end = (side) => {
    const tensor = follow(items(field(graph, TENSORS)) + 4 * view.getInt32(items(field(graph, side)), true));
    const quantization = field(tensor, QUANTIZATION);
    return {
      scale: view.getFloat32(items(field(quantization, SCALE)), true),
      zero: Number(view.getBigInt64(items(field(quantization, ZERO_POINT)), true)),
    };
  };
  return { input: end(INPUTS), output: end(OUTPUTS) };
}

/** Uint8Array of 256: the input integer of each grey level, as `handfed.shared.litert` has it, in float32. */
export function levelsOf({ scale, zero }) {
  return Uint8Array.from({ length: 256 }, (_, level) => {
    const steps = Math.floor(Math.fround(Math.fround(level / 255) / Math.fround(scale)) + 0.5);
    return Math.min(Math.max(steps + zero, 0), 255);
  });
}

/**
 * The classes in the order of their probability; of equal ones the first.
 * @param logits Integers of the model's output.
 * @param temperature Of the release: what makes a confidence as often right as it says.
 * @returns [{label, probability}]
 */
export function ranked(logits, { scale, zero }, temperature) {
  const real = Array.from(logits, (each) => (scale * (each - zero)) / temperature);
  const most = Math.max(...real);
  const shares = real.map((each) => Math.exp(each - most));
  const whole = shares.reduce((sum, each) => sum + each, 0);
  return shares
    .map((share, label) => ({ label, probability: share / whole }))
    .sort((one, other) => other.probability - one.probability || one.label - other.label);
}
