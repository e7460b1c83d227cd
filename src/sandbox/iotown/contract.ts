import { createHash } from "node:crypto";
import { scanJpeg } from "../../core/jpeg.ts";
import type { Box } from "../../core/types.ts";

/**
 * IoT.own's `nn/image` as a strict server would read it: everything that the vendor's documents and client promise is
 * demanded, and nothing is forgiven. Written from those facts alone and never from our own encoder.
 */

export interface SandboxLabel {
  readonly name: string;
  /** Fractions of the image; x and y are the centre. */
  readonly x: number;
  readonly y: number;
  readonly w: number;
  readonly h: number;
}

export interface SandboxImage {
  readonly jpeg: Buffer;
  readonly sha256: string;
  readonly width: number;
  readonly height: number;
  readonly labels: readonly SandboxLabel[];
}

/** What an image is known to show: pixels, origin top-left. */
export interface SandboxTruth {
  readonly boxes: readonly { readonly label: string; readonly box: Box }[];
}

/** A request against the contract; the message is one sentence. */
export class ContractViolation extends Error {
  override readonly name = "ContractViolation";
}

export function parseImageUpload(contentType: string, body: Buffer): SandboxImage {
  if (!/^application\/json\s*(;|$)/i.test(contentType)) violated(`the content type is "${contentType}", not JSON`);
  const payload = jsonObject(body);
  onlyKeys(payload, ["image", "type", "labels"], "the payload");
  if (payload["type"] !== "jpg") violated('"type" is not "jpg"');
  const jpeg = base64Image(payload["image"]);
  const scan = scanJpeg(jpeg);
  if (scan.kind === "damaged") return violated(`the image is no whole JPEG: ${scan.why}`);
  const { width, height, sizeBytes } = scan.facts;
  if (sizeBytes !== jpeg.length) violated("bytes follow the end of the JPEG");
  if (!Array.isArray(payload["labels"])) return violated('"labels" is not an array');
  const labels = payload["labels"].map((label: unknown) => parseLabel(label));
  return { jpeg, sha256: createHash("sha256").update(jpeg).digest("hex"), width, height, labels };
}

/** Every true box must be there once, each edge within one pixel, and no other. */
export function requireTruth(image: SandboxImage, truth: SandboxTruth): void {
  const left = [...image.labels];
  for (const { label, box } of truth.boxes) {
    const at = left.findIndex((candidate) => candidate.name === label && worstEdgePixels(candidate, box, image) <= 1);
    if (at === -1) violated(`no label "${label}" lies where the image shows one (left ${box.left}, top ${box.top})`);
    left.splice(at, 1);
  }
  const [extra] = left;
  if (extra !== undefined) violated(`the label "${extra.name}" lies where the image shows nothing`);
}

function worstEdgePixels(label: SandboxLabel, box: Box, image: SandboxImage): number {
  const left = (label.x - label.w / 2) * image.width;
  const top = (label.y - label.h / 2) * image.height;
  return Math.max(
    Math.abs(left - box.left),
    Math.abs(top - box.top),
    Math.abs(left + label.w * image.width - box.left - box.width),
    Math.abs(top + label.h * image.height - box.top - box.height),
  );
}

function parseLabel(label: unknown): SandboxLabel {
  if (!isObject(label)) return violated("a label is not an object");
  onlyKeys(label, ["name", "x", "y", "w", "h"], "a label");
  const { name } = label;
  if (typeof name !== "string" || name === "") return violated("a label's name is not a non-empty string");
  const [x, y, w, h] = [fraction(label, "x"), fraction(label, "y"), fraction(label, "w"), fraction(label, "h")];
  if (w <= 0 || h <= 0) violated(`the box of a label "${name}" is empty`);
  return { name, x, y, w, h };
}

function fraction(label: Readonly<Record<string, unknown>>, key: string): number {
  const value = label[key];
  if (typeof value !== "number" || !Number.isFinite(value)) return violated(`a label's ${key} is not a JSON number`);
  if (value < 0 || value > 1) violated(`a label's ${key} is ${value}, not a fraction`);
  return value;
}

function base64Image(value: unknown): Buffer {
  if (typeof value !== "string" || value === "") return violated('"image" is not a non-empty string');
  if (value.startsWith("data:")) violated('"image" has a data: prefix');
  if (value.length % 4 !== 0) violated('"image" is base64 of the wrong length');
  const bytes = Buffer.from(value, "base64");
  // Node's decoder forgives; encoding again shows whether it had to.
  if (bytes.toString("base64") !== value) violated('"image" is not standard base64');
  return bytes;
}

function jsonObject(body: Buffer): Readonly<Record<string, unknown>> {
  let value: unknown;
  try {
    value = JSON.parse(body.toString("utf8"));
  } catch {
    return violated("the body is not JSON although its content type says so");
  }
  return isObject(value) ? value : violated("the body is JSON but not an object");
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function onlyKeys(object: Readonly<Record<string, unknown>>, keys: readonly string[], what: string): void {
  for (const key of keys) if (!(key in object)) violated(`${what} lacks "${key}"`);
  for (const key of Object.keys(object)) if (!keys.includes(key)) violated(`${what} has the unknown key "${key}"`);
}

function violated(sentence: string): never {
  throw new ContractViolation(sentence);
}
