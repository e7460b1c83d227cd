import { closeSync, fstatSync, openSync, readSync } from "node:fs";
import { proofLimits } from "../../core/model-limits.ts";
import type { GraphFacts, Precision } from "../inspection.ts";

/**
 * Walks the graph of an ONNX file (`ModelProto.graph` of onnx.proto) for what it computes with: which operators, and
 * weights of which type. Values of weights are stepped over by their length.
 *
 * It only reports: a file that cannot be followed to its end gives nothing, and whether it can be used the runtime says.
 * Every length is checked against the part that it lies in, and the parts are counted, so that any bytes end it soon.
 */

const WINDOW_BYTES = 64 * 1024;
const VARINT_BYTES_MAX = 10;
/** Longer texts are no operator's name. */
const NAME_BYTES_MAX = 64;

/** Field numbers of onnx.proto. */
const model = { graph: 7, opsetImport: 8 } as const;
const opset = { domain: 1, version: 2 } as const;
const graph = { node: 1, initializer: 5 } as const;
const node = { operator: 4, attribute: 5 } as const;
const attribute = { tensor: 5 } as const;
const tensor = { dims: 1, type: 2 } as const;
/** `TensorProto.DataType`. */
const FLOAT16 = 10;
const BFLOAT16 = 16;
const FLOAT = 1;

/** Undefined for a file that cannot be read or followed. */
export function readOnnxGraph(file: string): GraphFacts | undefined {
  let descriptor: number;
  try {
    descriptor = openSync(file, "r");
  } catch {
    return undefined;
  }
  try {
    return new GraphWalk(descriptor, fstatSync(descriptor).size).facts();
  } catch (error) {
    if (error instanceof Unfollowable) return undefined;
    throw error;
  } finally {
    closeSync(descriptor);
  }
}

class Unfollowable extends Error {}

/** One field of a message: where its content lies, or what number it is. */
interface Part {
  readonly field: number;
  readonly start: number;
  readonly end: number;
  readonly value: number;
}

class GraphWalk {
  readonly #descriptor: number;
  readonly #sizeBytes: number;
  readonly #window = Buffer.allocUnsafe(WINDOW_BYTES);
  #windowStart = 0;
  #windowEnd = 0;
  #parts = 0;
  readonly #operators = new Set<string>();
  /** Values of weights, by data type. */
  readonly #values = new Map<number, number>();
  #nodes = 0;
  #opset = 0;

  constructor(descriptor: number, sizeBytes: number) {
    this.#descriptor = descriptor;
    this.#sizeBytes = sizeBytes;
  }

  facts(): GraphFacts {
    for (const part of this.#fields(0, this.#sizeBytes)) {
      if (part.field === model.graph) this.#graph(part);
      if (part.field === model.opsetImport) this.#operatorSet(part);
    }
    const parameters = [...this.#values.values()].reduce((sum, values) => sum + values, 0);
    if (this.#nodes === 0 || !Number.isSafeInteger(parameters)) throw new Unfollowable();
    const precision = precisionOf(this.#operators, this.#values);
    return { opset: this.#opset, precision, nodes: this.#nodes, parameters };
  }

  /** Operators of the default domain, which has no name, decide what the file needs of the runtime. */
  #operatorSet({ start, end }: Part): void {
    let isDefault = true;
    let version = 0;
    for (const part of this.#fields(start, end)) {
      if (part.field === opset.domain) isDefault = part.end === part.start || this.#text(part) === "ai.onnx";
      if (part.field === opset.version) version = part.value;
    }
    if (isDefault) this.#opset = version;
  }

  #graph({ start, end }: Part): void {
    for (const part of this.#fields(start, end)) {
      if (part.field === graph.node) this.#node(part);
      if (part.field === graph.initializer) this.#tensor(part);
    }
  }

  #node({ start, end }: Part): void {
    this.#nodes += 1;
    for (const part of this.#fields(start, end)) {
      if (part.field === node.operator) this.#operators.add(this.#text(part));
      if (part.field === node.attribute) this.#attribute(part);
    }
  }

  /** Some exporters keep weights in attributes of constant nodes. */
  #attribute({ start, end }: Part): void {
    for (const part of this.#fields(start, end)) if (part.field === attribute.tensor) this.#tensor(part);
  }

  #tensor({ start, end }: Part): void {
    let type = 0;
    let values = 1;
    for (const part of this.#fields(start, end)) {
      if (part.field === tensor.type) type = part.value;
      if (part.field !== tensor.dims) continue;
      // One number each, or all of them packed into one part.
      if (part.end === part.start) values *= part.value;
      else for (let at = part.start; at < part.end;) [values, at] = this.#times(values, at);
    }
    this.#values.set(type, (this.#values.get(type) ?? 0) + values);
  }

  #times(values: number, at: number): readonly [number, number] {
    const [size, next] = this.#varint(at);
    return [values * size, next];
  }

  *#fields(start: number, end: number): Generator<Part> {
    for (let at = start; at < end;) {
      this.#parts += 1;
      if (this.#parts > proofLimits.graphPartsMax) throw new Unfollowable();
      const [tag, after] = this.#varint(at);
      const field = Math.floor(tag / 8);
      const part = this.#part(field, tag % 8, after);
      if (part.end > end) throw new Unfollowable();
      at = part.end;
      yield part.value >= 0 ? { ...part, start: part.end } : part;
    }
  }

  /** A value of -1 stands for content instead of a number. */
  #part(field: number, wireType: number, at: number): Part {
    if (wireType === 0) {
      const [value, end] = this.#varint(at);
      return { field, start: end, end, value };
    }
    if (wireType === 2) {
      const [length, start] = this.#varint(at);
      return { field, start, end: start + length, value: -1 };
    }
    if (wireType === 1) return { field, start: at, end: at + 8, value: -1 };
    if (wireType === 5) return { field, start: at, end: at + 4, value: -1 };
    throw new Unfollowable();
  }

  #text({ start, end }: Part): string {
    if (end - start > NAME_BYTES_MAX) throw new Unfollowable();
    const bytes = Array.from({ length: end - start }, (_, index) => this.#byte(start + index));
    return String.fromCharCode(...bytes);
  }

  /** The number at a place, and the place after it. */
  #varint(at: number): readonly [number, number] {
    let value = 0;
    for (let index = 0; index < VARINT_BYTES_MAX; index += 1) {
      const byte = this.#byte(at + index);
      value += (byte & 0x7f) * 2 ** (7 * index);
      if (byte < 0x80) return [value, at + index + 1];
    }
    throw new Unfollowable();
  }

  #byte(at: number): number {
    if (at < this.#windowStart || at >= this.#windowEnd) this.#look(at);
    return this.#window[at - this.#windowStart] ?? 0;
  }

  #look(at: number): void {
    const read = at < this.#sizeBytes ? readSync(this.#descriptor, this.#window, 0, WINDOW_BYTES, at) : 0;
    if (read === 0) throw new Unfollowable();
    this.#windowStart = at;
    this.#windowEnd = at + read;
  }
}

function precisionOf(operators: ReadonlySet<string>, values: ReadonlyMap<number, number>): Precision {
  const has = (pattern: RegExp) => [...operators].some((operator) => pattern.test(operator));
  if (has(/^(Dynamic[Qq]uantize|MatMulInteger|ConvInteger)/)) return "int8 dynamic";
  if (has(/^(QLinear|QuantizeLinear$)/)) return "int8 static";
  if (has(/^MatMulNBits$/)) return "int4 weights only";
  if (has(/^DequantizeLinear$/)) return "int8 weights only";
  const halves = (values.get(FLOAT16) ?? 0) + (values.get(BFLOAT16) ?? 0);
  return halves > (values.get(FLOAT) ?? 0) ? "float16" : "float32";
}
