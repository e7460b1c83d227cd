import { createHash } from "node:crypto";
import { scanJpeg } from "../core/jpeg.ts";
import type { Box } from "../core/types.ts";

/** What every strict stand-in server demands alike. Written from the vendors' contracts, never from our own encoders. */

/** A request against the contract; the message is one sentence. Answered with 400, or the status of its own. */
export class ContractViolation extends Error {
  override readonly name = "ContractViolation";
  readonly status: number;

  constructor(sentence: string, status = 400) {
    super(sentence);
    this.status = status;
  }
}

export function violated(sentence: string, status?: number): never {
  throw new ContractViolation(sentence, status);
}

export type JsonObject = Readonly<Record<string, unknown>>;

export function isObject(value: unknown): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** The body of a request that says it is JSON and is. */
export function jsonBody(contentType: string, body: Buffer): unknown {
  if (!/^application\/json\s*(;|$)/i.test(contentType)) violated(`the content type is "${contentType}", not JSON`);
  try {
    return JSON.parse(body.toString("utf8"));
  } catch {
    return violated("the body is not JSON although its content type says so");
  }
}

export function jsonObjectBody(contentType: string, body: Buffer): JsonObject {
  const value = jsonBody(contentType, body);
  return isObject(value) ? value : violated("the body is JSON but not an object");
}

/** All of `required`, and nothing beside these and `optional`. */
export function onlyKeys(
  object: JsonObject,
  required: readonly string[],
  what: string,
  optional: readonly string[] = [],
): void {
  for (const key of required) if (!(key in object)) violated(`${what} lacks "${key}"`);
  for (const key of Object.keys(object)) {
    if (!required.includes(key) && !optional.includes(key)) violated(`${what} has the unknown key "${key}"`);
  }
}

/** Standard base64 without line breaks, prefix or missing padding. */
export function strictBase64(value: unknown, what: string): Buffer {
  if (typeof value !== "string" || value === "") return violated(`${what} is not a non-empty string`);
  if (value.startsWith("data:")) violated(`${what} has a data: prefix`);
  if (value.length % 4 !== 0) violated(`${what} is base64 of the wrong length`);
  const bytes = Buffer.from(value, "base64");
  // Node's decoder forgives; encoding again shows whether it had to.
  if (bytes.toString("base64") !== value) violated(`${what} is not standard base64`);
  return bytes;
}

export interface SandboxPicture {
  readonly sha256: string;
  readonly width: number;
  readonly height: number;
  readonly sizeBytes: number;
}

/** Of a whole JPEG with nothing behind its end. */
export function wholeJpeg(jpeg: Buffer): SandboxPicture {
  const scan = scanJpeg(jpeg);
  if (scan.kind === "damaged") return violated(`the image is no whole JPEG: ${scan.why}`);
  const { width, height, sizeBytes } = scan.facts;
  if (sizeBytes !== jpeg.length) violated("bytes follow the end of the JPEG");
  return { sha256: createHash("sha256").update(jpeg).digest("hex"), width, height, sizeBytes };
}

export interface LabelledBox {
  readonly label: string;
  /** Pixels, origin top-left. */
  readonly box: Box;
}

/** What an image is known to show. */
export interface SandboxTruth {
  readonly boxes: readonly LabelledBox[];
}

/** Every true box must be there once, each edge within one pixel, and no other. */
export function requireTruth(boxes: readonly LabelledBox[], truth: SandboxTruth): void {
  const left = [...boxes];
  for (const { label, box } of truth.boxes) {
    const at = left.findIndex((candidate) => candidate.label === label && worstEdgePixels(candidate.box, box) <= 1);
    if (at === -1) violated(`no label "${label}" lies where the image shows one (left ${box.left}, top ${box.top})`);
    left.splice(at, 1);
  }
  const [extra] = left;
  if (extra !== undefined) violated(`the label "${extra.label}" lies where the image shows nothing`);
}

function worstEdgePixels(a: Box, b: Box): number {
  return Math.max(
    Math.abs(a.left - b.left),
    Math.abs(a.top - b.top),
    Math.abs(a.left + a.width - b.left - b.width),
    Math.abs(a.top + a.height - b.top - b.height),
  );
}
