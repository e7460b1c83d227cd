import { labelsFrom } from "../../src/vision/process/labels.ts";
import type { Signature, TensorFacts } from "../../src/vision/process/families/family.ts";

/**
 * What an ONNX file says of itself, read without the runtime: enough for recognition, and fast enough for every model
 * there is. Field numbers are those of onnx.proto.
 */

interface Field {
  readonly number: number;
  /** The whole field with its tag, and what it holds. */
  readonly whole: Buffer;
  readonly content: Buffer;
  readonly value: number;
}

const types: Readonly<Record<number, string>> = { 1: "float32", 2: "uint8", 3: "int8", 6: "int32", 7: "int64" };

/** Of a file with fixed sizes, as they stand in it. */
export function signatureOf(file: Buffer, labels?: readonly string[]): Signature {
  const model = [...fields(file)];
  const graph = [...fields(model.find(({ number }) => number === 7)?.content ?? Buffer.alloc(0))];
  const constants = new Set(graph.filter(({ number }) => number === 5).map(({ content }) => text(content, 8)));
  const tensors = (number: number) =>
    graph.filter((field) => field.number === number).map(({ content }) => tensorOf(content));
  const inputs = tensors(11).filter(({ name }) => !constants.has(name));
  const metadata = new Map(
    model.filter(({ number }) => number === 14).map(({ content }) => [text(content, 1), text(content, 2)] as const),
  );
  const picture = inputs.find(({ shape }) => shape.length === 4)?.shape ?? [];
  const [height, width] = picture[3] === 3 ? picture.slice(1, 3) : picture.slice(2);
  const isFixed = typeof width === "number" && typeof height === "number";
  return {
    inputs,
    outputs: tensors(12),
    metadata,
    labels: labels ?? labelsFrom(metadata.get("names")),
    input: isFixed ? { width, height } : undefined,
  };
}

/** The same model, without a word about itself. */
export function withoutMetadata(file: Buffer): Buffer {
  return Buffer.concat([...fields(file)].filter(({ number }) => number !== 14).map(({ whole }) => whole));
}

function tensorOf(info: Buffer): TensorFacts {
  const tensor = inside(inside(info, 2), 1);
  const dims = [...fields(inside(tensor, 2))].map(({ content }) => {
    const [dim] = fields(content);
    return dim?.number === 1 ? dim.value : (dim?.content.toString() ?? "");
  });
  const element = [...fields(tensor)].find(({ number }) => number === 1)?.value ?? 0;
  return { name: text(info, 1), type: types[element] ?? "other", shape: dims };
}

function text(message: Buffer, number: number): string {
  return inside(message, number).toString();
}

function inside(message: Buffer, number: number): Buffer {
  for (const field of fields(message)) if (field.number === number) return field.content;
  return Buffer.alloc(0);
}

/** Of wire types 0 (number), 1 and 5 (fixed), and 2 (bytes). */
function* fields(message: Buffer): Generator<Field> {
  for (let at = 0; at < message.length;) {
    const start = at;
    const varint = () => {
      let value = 0;
      for (let factor = 1; ; factor *= 128) {
        const byte = message[at] ?? 0;
        at += 1;
        value += (byte & 0x7f) * factor;
        if (byte < 0x80) return value;
      }
    };
    const tag = varint();
    const wire = tag % 8;
    const value = wire === 0 || wire === 2 ? varint() : 0;
    const from = at;
    at += wire === 2 ? value : wire === 1 ? 8 : wire === 5 ? 4 : 0;
    yield {
      number: Math.floor(tag / 8),
      whole: message.subarray(start, at),
      content: message.subarray(from, at),
      value,
    };
  }
}
