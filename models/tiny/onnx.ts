/**
 * A writer for ONNX files: the part of the protocol buffers of onnx.proto that the tiny models need. The same graph
 * always gives the same bytes.
 */

export interface TensorType {
  readonly name: string;
  /** Default: float32. */
  readonly type?: keyof typeof elementTypes;
  /** A text stands for a size that is left open. */
  readonly shape: readonly (number | string)[];
}

type Attribute = number | readonly number[];

const FLOAT = 1;
const INT64 = 7;
/** As `Cast` and the types of inputs and outputs name them. */
export const elementTypes = { float32: FLOAT, uint8: 2, int64: INT64 } as const;
const IR_VERSION = 8;
const OPSET = 13;

/** Nodes and constants are added in order; every method returns the name of what it made. */
export class GraphWriter {
  readonly #nodes: Buffer[] = [];
  readonly #constants: Buffer[] = [];
  #names = 0;

  floats(values: readonly number[], shape: readonly number[] = [values.length]): string {
    const bytes = Buffer.alloc(values.length * 4);
    values.forEach((value, index) => bytes.writeFloatLE(value, index * 4));
    return this.#constant(FLOAT, shape, bytes);
  }

  ints(values: readonly number[], shape: readonly number[] = [values.length]): string {
    const bytes = Buffer.alloc(values.length * 8);
    values.forEach((value, index) => bytes.writeBigInt64LE(BigInt(value), index * 8));
    return this.#constant(INT64, shape, bytes);
  }

  /** Adds a node with one output; an empty input name is an input left out. */
  node(operator: string, inputs: readonly string[], attributes: Readonly<Record<string, Attribute>> = {}): string {
    const [output = ""] = this.nodes(operator, inputs, 1, attributes);
    return output;
  }

  nodes(
    operator: string,
    inputs: readonly string[],
    outputs: number,
    attributes: Readonly<Record<string, Attribute>> = {},
  ): readonly string[] {
    const names = Array.from({ length: outputs }, () => this.#name());
    this.#nodes.push(nodeBytes(operator, inputs, names, attributes));
    return names;
  }

  /** Gives a value the name of a model output. */
  output(value: string, name: string): void {
    this.#nodes.push(nodeBytes("Identity", [value], [name], {}));
  }

  /**
   * The finished file. The graph comes last, so that a file cut anywhere lacks a part of it and is recognised as cut.
   */
  model(
    name: string,
    inputs: TensorType | readonly TensorType[],
    outputs: readonly TensorType[],
    metadata: Readonly<Record<string, string>>,
  ): Buffer {
    const graph = [
      ...this.#nodes.map((node) => part(1, node)),
      text(2, name),
      ...this.#constants.map((constant) => part(5, constant)),
      ...[inputs].flat().map((input) => part(11, valueInfo(input))),
      ...outputs.map((output) => part(12, valueInfo(output))),
    ];
    return Buffer.concat([
      number(1, IR_VERSION),
      text(2, "framepost"),
      part(8, number(2, OPSET)),
      ...Object.entries(metadata).map(([key, value]) => part(14, text(1, key), text(2, value))),
      part(7, ...graph),
    ]);
  }

  #constant(type: number, shape: readonly number[], bytes: Buffer): string {
    const name = this.#name();
    const dims = shape.map((size) => number(1, size));
    this.#constants.push(Buffer.concat([...dims, number(2, type), text(8, name), part(9, bytes)]));
    return name;
  }

  #name(): string {
    this.#names += 1;
    return `v${this.#names}`;
  }
}

/** Attributes are integers or lists of integers: nothing else is needed. */
function nodeBytes(
  operator: string,
  inputs: readonly string[],
  outputs: readonly string[],
  attributes: Readonly<Record<string, Attribute>>,
): Buffer {
  return Buffer.concat([
    ...inputs.map((name) => text(1, name)),
    ...outputs.map((name) => text(2, name)),
    text(4, operator),
    ...Object.entries(attributes).map(([name, value]) =>
      typeof value === "number"
        ? part(5, text(1, name), number(3, value), number(20, 2))
        : part(5, text(1, name), ...value.map((item) => number(8, item)), number(20, 7)),
    ),
  ]);
}

function valueInfo({ name, type = "float32", shape }: TensorType): Buffer {
  const dims = shape.map((size) => part(1, typeof size === "number" ? number(1, size) : text(2, size)));
  const tensor = Buffer.concat([number(1, elementTypes[type]), part(2, ...dims)]);
  return Buffer.concat([text(1, name), part(2, part(1, tensor))]);
}

function number(field: number, value: number): Buffer {
  return Buffer.concat([varint(field * 8), varint(value)]);
}

function text(field: number, value: string): Buffer {
  return part(field, Buffer.from(value));
}

function part(field: number, ...content: readonly Buffer[]): Buffer {
  const bytes = Buffer.concat(content);
  return Buffer.concat([varint(field * 8 + 2), varint(bytes.length), bytes]);
}

/** Of a number that is not negative. */
function varint(value: number): Buffer {
  const bytes: number[] = [];
  let rest = value;
  while (rest >= 0x80) {
    bytes.push((rest % 0x80) | 0x80);
    rest = Math.floor(rest / 0x80);
  }
  bytes.push(rest);
  return Buffer.from(bytes);
}
