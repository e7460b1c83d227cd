import { createHash } from "node:crypto";
import { strictBase64, violated, wholeJpeg, type LabelledBox, type SandboxPicture } from "../checks.ts";
import type { SandboxRequest } from "../http-sandbox.ts";
import { multipartBody, type SandboxPart } from "../multipart.ts";
import { parseVoc } from "./voc.ts";

/**
 * `POST /Images/UploadChunk` as a strict server would read it: the parts that the document's code sends, by exactly these
 * names, and none that only its prose names.
 */
export interface SandboxChunk {
  readonly datasetId: string;
  readonly uploadId: string;
  readonly categoryId: string;
  readonly name: string;
  /** Undefined where the image is no JPEG or PNG and the request asks to skip such. */
  readonly picture: SandboxPicture | undefined;
  /** Undefined where no annotation came along. */
  readonly boxes: readonly LabelledBox[] | undefined;
}

const names = {
  datasetId: "datasetId",
  uploadId: "datasetUploadId",
  name: "imagesMetadata[0][name]",
  type: "imagesMetadata[0][annotationType]",
  annotation: "imagesMetadata[0][annotation]",
  category: "imagesMetadata[0][classifyCategoryId]",
  file: "imagesFiles",
} as const;

export function parseChunk({ headers, query, body }: SandboxRequest): SandboxChunk {
  const parts = partsByName(multipartBody(headers["content-type"] ?? "", body));
  const skips = skipsUnsupported(query);
  const name = textOf(parts, names.name);
  const file = parts.get(names.file) ?? violated(`there is no part "${names.file}"`);
  if (file.fileName !== name) violated(`the image's name is "${name}", its file part's is "${file.fileName ?? ""}"`);
  if (!/^[^/\\]+\.(jpg|png)$/i.test(name)) violated(`"${name}" is no name of a .jpg or .png file`);
  const picture = pictureOf(file.body, skips);
  return {
    datasetId: textOf(parts, names.datasetId),
    uploadId: textOf(parts, names.uploadId),
    categoryId: textOf(parts, names.category),
    name,
    picture,
    boxes: annotationOf(parts, picture),
  };
}

function partsByName(parts: readonly SandboxPart[]): ReadonlyMap<string, SandboxPart> {
  const known: readonly string[] = Object.values(names);
  const byName = new Map<string, SandboxPart>();
  for (const part of parts) {
    if (!known.includes(part.name)) violated(`the part "${part.name}" is unknown`);
    if (byName.has(part.name)) violated(`the part "${part.name}" comes twice`);
    if ((part.fileName !== undefined) !== (part.name === names.file)) {
      violated(`only "${names.file}" is a file, and it must be one`);
    }
    byName.set(part.name, part);
  }
  return byName;
}

/** In any letter case: Python writes `False`. */
function skipsUnsupported(query: URLSearchParams): boolean {
  const values = query.getAll("skipUnsupportedImages");
  if (query.size !== 1 || values.length !== 1) violated("the query is not skipUnsupportedImages alone");
  const [value = ""] = values;
  return /^(true|false)$/i.test(value)
    ? value.toLowerCase() === "true"
    : violated(`skipUnsupportedImages is "${value}", neither true nor false`);
}

function textOf(parts: ReadonlyMap<string, SandboxPart>, name: string): string {
  const text = parts.get(name)?.body.toString("utf8") ?? violated(`there is no part "${name}"`);
  return text === "" ? violated(`the part "${name}" is empty`) : text;
}

function pictureOf(bytes: Buffer, skips: boolean): SandboxPicture | undefined {
  if (bytes.subarray(0, 3).equals(jpegSignature)) return wholeJpeg(bytes);
  if (bytes.subarray(0, 8).equals(pngSignature)) return wholePng(bytes);
  return skips ? undefined : violated("the image is neither a JPEG nor a PNG");
}

const jpegSignature = Buffer.from([0xff, 0xd8, 0xff]);
const pngSignature = Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]);
const pngEnd = Buffer.from([0, 0, 0, 0, 0x49, 0x45, 0x4e, 0x44, 0xae, 0x42, 0x60, 0x82]);

function wholePng(png: Buffer): SandboxPicture {
  if (png.length < 45 || png.toString("latin1", 12, 16) !== "IHDR") violated("the PNG has no header");
  if (!png.subarray(-12).equals(pngEnd)) violated("the PNG has no end");
  const sha256 = createHash("sha256").update(png).digest("hex");
  return { sha256, width: png.readUInt32BE(16), height: png.readUInt32BE(20), sizeBytes: png.length };
}

/** The part with the content is there in any case, empty without an annotation; the one with its type only with one. */
function annotationOf(
  parts: ReadonlyMap<string, SandboxPart>,
  picture: SandboxPicture | undefined,
): readonly LabelledBox[] | undefined {
  const type = parts.get(names.type)?.body.toString("utf8");
  const content = parts.get(names.annotation)?.body.toString("utf8");
  if (content === undefined) return violated(`there is no part "${names.annotation}"`);
  if (type === undefined && content === "") return undefined;
  if (type === undefined) violated("an annotation came without its type");
  if (type !== "0") violated(`the annotation's type is "${type}"; 0 is the only known one`);
  if (content === "") violated("an annotation's type came without an annotation");
  const { width, height, boxes } = parseVoc(strictBase64(content, "the annotation"));
  if (picture !== undefined && (width !== picture.width || height !== picture.height)) {
    violated(`the annotation is for ${width}x${height}, the image has ${picture.width}x${picture.height}`);
  }
  return boxes;
}
