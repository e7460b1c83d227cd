import {
  isObject,
  jsonObjectBody,
  onlyKeys,
  strictBase64,
  violated,
  wholeJpeg,
  type JsonObject,
  type LabelledBox,
  type SandboxPicture,
} from "../checks.ts";

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

export interface SandboxImage extends SandboxPicture {
  readonly jpeg: Buffer;
  readonly labels: readonly SandboxLabel[];
}

export function parseImageUpload(contentType: string, body: Buffer): SandboxImage {
  const payload = jsonObjectBody(contentType, body);
  onlyKeys(payload, ["image", "type", "labels"], "the payload");
  if (payload["type"] !== "jpg") violated('"type" is not "jpg"');
  const jpeg = strictBase64(payload["image"], '"image"');
  const picture = wholeJpeg(jpeg);
  if (!Array.isArray(payload["labels"])) return violated('"labels" is not an array');
  const labels = payload["labels"].map((label: unknown) => parseLabel(label));
  return { ...picture, jpeg, labels };
}

/** In pixels of the image. */
export function labelledBoxes({ labels, width, height }: SandboxImage): readonly LabelledBox[] {
  return labels.map(({ name, x, y, w, h }) => ({
    label: name,
    box: { left: (x - w / 2) * width, top: (y - h / 2) * height, width: w * width, height: h * height },
  }));
}

export function parseLabel(label: unknown): SandboxLabel {
  if (!isObject(label)) return violated("a label is not an object");
  onlyKeys(label, ["name", "x", "y", "w", "h"], "a label");
  const { name } = label;
  if (typeof name !== "string" || name === "") return violated("a label's name is not a non-empty string");
  const [x, y, w, h] = [fraction(label, "x"), fraction(label, "y"), fraction(label, "w"), fraction(label, "h")];
  if (w <= 0 || h <= 0) violated(`the box of a label "${name}" is empty`);
  return { name, x, y, w, h };
}

function fraction(label: JsonObject, key: string): number {
  const value = label[key];
  if (typeof value !== "number" || !Number.isFinite(value)) return violated(`a label's ${key} is not a JSON number`);
  if (value < 0 || value > 1) violated(`a label's ${key} is ${value}, not a fraction`);
  return value;
}
