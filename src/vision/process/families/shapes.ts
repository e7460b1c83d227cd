import { AgentError } from "../../../core/errors.ts";
import type { InputSize, Outputs, OutputTensor, Signature, TensorFacts } from "./family.ts";

/** What several families look at: output shapes, grids, and the tensors of a run. */

/** Sizes of the strides that detectors predict at, finest first. */
const strideSets: readonly (readonly number[])[] = [
  [8, 16, 32],
  [4, 8, 16, 32],
  [8, 16, 32, 64],
  [16, 32],
];

/** The one output of a model that has no other, if it is a batch of one of `rank` dimensions. */
export function onlyOutput(signature: Signature, rank: number): TensorFacts | undefined {
  const [output, second] = signature.outputs;
  return output !== undefined && second === undefined && isBatchOfOne(output, rank) ? output : undefined;
}

export function isBatchOfOne(tensor: TensorFacts, rank: number): boolean {
  const batch = tensor.shape[0];
  return tensor.shape.length === rank && tensor.type === "float32" && (batch === 1 || typeof batch === "string");
}

/** True when `rows` is what a detector with `perCell` predictions a cell gives for the signature's input. */
export function isGrid(signature: Signature, rows: number, perCell = 1): boolean {
  return signature.input !== undefined && gridStrides(signature.input, rows, perCell) !== undefined;
}

/** The strides whose grids together have `rows` predictions, `perCell` a cell. */
export function gridStrides(input: InputSize, rows: number, perCell = 1): readonly number[] | undefined {
  return strideSets.find((strides) => {
    const coarsest = strides.at(-1) ?? 1;
    if (input.width % coarsest !== 0 || input.height % coarsest !== 0) return false;
    const cells = strides.reduce((sum, stride) => sum + (input.width / stride) * (input.height / stride), 0);
    return rows === cells * perCell;
  });
}

/** What the file says it was trained for (`detect`, `segment`, `pose` …), where it says so. */
export function taskOf(signature: Signature): string | undefined {
  return signature.metadata.get("task");
}

/** An output by its place in the file, with the rank it must have. */
export function outputAt(outputs: Outputs, index: number, rank: number): OutputTensor {
  const output = [...outputs.values()][index];
  if (output?.dims.length === rank && output.dims[0] === 1) return output;
  throw wrongOutput(`output ${index} is ${output === undefined ? "missing" : `[${output.dims.join(",")}]`}`);
}

/** An output by its name, as converters write it: some end it in `:0`. */
export function outputNamed(outputs: Outputs, name: string): OutputTensor {
  const output = outputs.get(name) ?? outputs.get(`${name}:0`);
  if (output === undefined) throw wrongOutput(`${name} is missing`);
  return output;
}

/** For outputs whose sizes contradict each other. */
export function unmatchedOutputs(...outputs: readonly OutputTensor[]): AgentError {
  return wrongOutput(`${outputs.map(({ dims }) => `[${dims.join(",")}]`).join(", ")} do not belong together`);
}

export function wrongOutput(why: string): AgentError {
  return new AgentError("MODEL_OUTPUT", `cannot read the model's outputs: ${why}`, { disposition: "fatal" });
}
