import { closeSync, fstatSync, openSync, readSync } from "node:fs";
import { AgentError, errnoOf, messageOf } from "../../core/errors.ts";

/**
 * Reads the outermost fields of an ONNX file (the protocol buffer `ModelProto` of onnx.proto): its metadata, which
 * onnxruntime-node does not show, and whether it is a whole ONNX file at all, which its error texts do not say.
 *
 * The graph and its weights are stepped over by their length, so that the cost is a few reads whatever the file's size.
 * Every length is checked against the file before it is believed.
 */

const FIELDS_MAX = 10_000;
const METADATA_BYTES_MAX = 1024 * 1024;
const VARINT_BYTES_MAX = 10;
const LFS_POINTER = "version https://git-lfs";

const IR_VERSION = 1;
const GRAPH = 7;
const OPSET_IMPORT = 8;
const METADATA_PROPS = 14;
/** Field numbers of ModelProto and the wire type of each; anything else is another kind of file. */
const wireTypes: ReadonlyMap<number, number> = new Map([
  [IR_VERSION, 0],
  [2, 2],
  [3, 2],
  [4, 2],
  [5, 0],
  [6, 2],
  [GRAPH, 2],
  [OPSET_IMPORT, 2],
  [METADATA_PROPS, 2],
  [20, 2],
  [25, 2],
  [26, 2],
]);

/** Fails with `MODEL_NOT_FOUND`, `MODEL_NOT_ONNX` or `MODEL_TRUNCATED`. */
export function readOnnxMetadata(file: string): ReadonlyMap<string, string> {
  let descriptor: number;
  try {
    descriptor = openSync(file, "r");
  } catch (error) {
    const code = errnoOf(error) === "ENOENT" ? "MODEL_NOT_FOUND" : "MODEL_FAILED";
    throw new AgentError(code, `cannot open the model ${file}: ${messageOf(error)}`, {
      disposition: "fatal",
      cause: error,
    });
  }
  try {
    return new ModelWalk(file, descriptor, fstatSync(descriptor).size).metadata();
  } finally {
    closeSync(descriptor);
  }
}

class ModelWalk {
  readonly #file: string;
  readonly #descriptor: number;
  readonly #sizeBytes: number;
  #at = 0;

  constructor(file: string, descriptor: number, sizeBytes: number) {
    this.#file = file;
    this.#descriptor = descriptor;
    this.#sizeBytes = sizeBytes;
  }

  metadata(): ReadonlyMap<string, string> {
    if (this.#sizeBytes === 0) throw this.#truncated("it is empty");
    if (this.#peek(LFS_POINTER.length).toString("latin1") === LFS_POINTER) {
      throw this.#notOnnx("it is a Git LFS pointer, not the model itself");
    }
    const found = new Map<string, string>();
    const seen = new Set<number>();
    let metadataBytes = 0;
    for (let fields = 0; this.#at < this.#sizeBytes; fields += 1) {
      if (fields === FIELDS_MAX) throw this.#notOnnx("it has too many parts");
      const tag = this.#varint();
      const field = Math.floor(tag / 8);
      const wireType = tag % 8;
      if (wireTypes.get(field) !== wireType) throw this.#notOnnx("its parts are not those of an ONNX file");
      seen.add(field);
      const value = this.#varint();
      if (wireType === 0) continue;
      if (this.#at + value > this.#sizeBytes) throw this.#cutOrForeign(seen);
      if (field === METADATA_PROPS) {
        metadataBytes += value;
        if (metadataBytes > METADATA_BYTES_MAX) throw this.#notOnnx("its metadata is too long");
        const entry = readEntry(this.#peek(value));
        if (entry !== undefined) found.set(entry.key, entry.value);
      }
      this.#at += value;
    }
    if (!seen.has(IR_VERSION)) throw this.#notOnnx("it names no format version");
    if (!seen.has(GRAPH)) throw this.#truncated("it ends before its graph");
    if (!seen.has(OPSET_IMPORT)) throw this.#truncated("it ends before the list of its operator sets");
    return found;
  }

  /** A part longer than the file: a cut ONNX file if what came before was one, otherwise something else by chance. */
  #cutOrForeign(seen: ReadonlySet<number>): AgentError {
    return seen.has(IR_VERSION)
      ? this.#truncated("a part of it is longer than what is left of the file")
      : this.#notOnnx("its first part is longer than the file");
  }

  #varint(): number {
    const bytes = this.#peek(VARINT_BYTES_MAX);
    let value = 0;
    for (let index = 0; index < bytes.length; index += 1) {
      const byte = bytes[index] ?? 0;
      value += (byte & 0x7f) * 2 ** (7 * index);
      if (byte < 0x80) {
        this.#at += index + 1;
        return value;
      }
    }
    throw bytes.length < VARINT_BYTES_MAX
      ? this.#truncated("it ends inside a number")
      : this.#notOnnx("a number in it has no end");
  }

  /** Up to `length` bytes from the current place; fewer at the end of the file. */
  #peek(length: number): Buffer {
    const bytes = Buffer.allocUnsafe(Math.min(length, this.#sizeBytes - this.#at));
    let filled = 0;
    while (filled < bytes.length) {
      const read = readSync(this.#descriptor, bytes, filled, bytes.length - filled, this.#at + filled);
      if (read === 0) break;
      filled += read;
    }
    return bytes.subarray(0, filled);
  }

  #truncated(why: string): AgentError {
    return new AgentError("MODEL_TRUNCATED", `the model ${this.#file} is not complete: ${why}`, {
      disposition: "fatal",
    });
  }

  #notOnnx(why: string): AgentError {
    return new AgentError("MODEL_NOT_ONNX", `${this.#file} is not an ONNX file: ${why}`, { disposition: "fatal" });
  }
}

/** `StringStringEntryProto`: field 1 is the key, field 2 the value. Undefined for an entry that is neither. */
function readEntry(bytes: Buffer): { readonly key: string; readonly value: string } | undefined {
  const texts = new Map<number, string>();
  let at = 0;
  while (at < bytes.length) {
    const tag = bytes[at];
    at += 1;
    let length = 0;
    for (let shift = 0; ; shift += 7) {
      const byte = bytes[at];
      if (byte === undefined || shift > 28) return undefined;
      at += 1;
      length += (byte & 0x7f) * 2 ** shift;
      if (byte < 0x80) break;
    }
    if ((tag !== 0x0a && tag !== 0x12) || at + length > bytes.length) return undefined;
    texts.set(tag >> 3, bytes.toString("utf8", at, at + length));
    at += length;
  }
  const key = texts.get(1);
  return key === undefined ? undefined : { key, value: texts.get(2) ?? "" };
}
