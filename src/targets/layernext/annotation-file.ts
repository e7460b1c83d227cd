import { AgentError } from "../../core/errors.ts";
import type { Point } from "../../core/types.ts";
import { isObject, type JsonObject } from "../json.ts";
import type { Annotation, AttributeValue, Geometry } from "./annotations.ts";

/**
 * The JSON of the vendor's document: `{"images":[{"image","annotations":[{"bbox"|"polygon"|"line"|"points","label",
 * "metadata"?,"attributes"?,"confidence"?,"type"?}]}]}`. The vendor's own clients drop what they cannot read without a
 * word; here every flaw is an `ANNOTATIONS_INVALID` that names its place.
 */

export interface AnnotatedFile {
  /** A file name, a unique name or a path, as the upload says. */
  readonly image: string;
  readonly annotations: readonly Annotation[];
}

export interface FileReading {
  /** For annotations without a `type` of their own. */
  readonly geometry?: Geometry | undefined;
  /** Whether `metadata` is free, or attributes of the label with their value, as clients before 2.x read it. */
  readonly metadata: "free" | "attributes";
}

const geometries: readonly Geometry[] = ["rectangle", "polygon", "line", "points"];

export function parseAnnotationFile(json: Buffer, reading: FileReading): readonly AnnotatedFile[] {
  let value: unknown;
  try {
    value = JSON.parse(json.toString("utf8"));
  } catch {
    throw invalid("the file", "it is no JSON");
  }
  const images = isObject(value) ? value["images"] : undefined;
  if (!Array.isArray(images)) throw invalid("the file", 'it has no list "images"');
  return (images as readonly unknown[]).map((item, at) => imageOf(item, `images[${at}]`, reading));
}

function imageOf(value: unknown, where: string, reading: FileReading): AnnotatedFile {
  if (!isObject(value)) throw invalid(where, "it is no object");
  const { image, annotations = [] } = value;
  if (typeof image !== "string" || image === "") throw invalid(where, 'it has no "image"');
  if (!Array.isArray(annotations)) throw invalid(where, '"annotations" is no list');
  const each = annotations as readonly unknown[];
  return { image, annotations: each.map((item, at) => annotationOf(item, `${where}.annotations[${at}]`, reading)) };
}

function annotationOf(value: unknown, where: string, { geometry, metadata: as }: FileReading): Annotation {
  if (!isObject(value)) throw invalid(where, "it is no object");
  const { label, confidence, metadata = {}, attributes = {}, type = geometry } = value;
  if (typeof label !== "string" || label === "") throw invalid(where, 'it has no "label"');
  if (confidence !== undefined && !isFinite(confidence)) throw invalid(where, '"confidence" is no number');
  if (!isObject(metadata)) throw invalid(where, '"metadata" is no object');
  if (!isObject(attributes)) throw invalid(where, '"attributes" is no object');
  if (type === undefined) throw invalid(where, 'it has no "type", and no geometry was given');
  const known = geometries.find((name) => name === type);
  if (known === undefined) throw invalid(where, `"type" is none of ${geometries.join(", ")}`);
  const scored = confidence === undefined ? {} : { confidence };
  const values = as === "attributes" ? single(metadata, scored) : many(attributes, where);
  return {
    label,
    shape: shapeOf(known, value, where),
    ...scored,
    ...(as === "free" ? { metadata } : {}),
    ...(values.size > 0 ? { attributes: values } : {}),
  };
}

function shapeOf(type: Geometry, value: JsonObject, where: string): Annotation["shape"] {
  if (type === "rectangle") {
    const { bbox } = value;
    const [x, y, w, h, more] = Array.isArray(bbox) ? (bbox as readonly unknown[]) : [];
    if (more === undefined && isFinite(x) && isFinite(y) && isFinite(w) && isFinite(h)) return { type, x, y, w, h };
    throw invalid(where, '"bbox" is not [x, y, width, height]');
  }
  const points = value[type];
  if (!Array.isArray(points) || points.length === 0) throw invalid(where, `"${type}" is no list of points`);
  return { type, points: (points as readonly unknown[]).map((point) => pointOf(point, type, where)) };
}

function pointOf(value: unknown, type: Geometry, where: string): Point {
  const [x, y, more] = Array.isArray(value) ? (value as readonly unknown[]) : [];
  if (more === undefined && isFinite(x) && isFinite(y)) return { x, y };
  throw invalid(where, `a point of "${type}" is not [x, y]`);
}

function single(
  metadata: JsonObject,
  scored: Pick<AttributeValue, "confidence">,
): Map<string, readonly AttributeValue[]> {
  return new Map(Object.entries(metadata).map(([name, value]) => [name, [{ value: String(value), ...scored }]]));
}

function many(attributes: JsonObject, where: string): Map<string, readonly AttributeValue[]> {
  const entries = Object.entries(attributes).map(([name, values]) => {
    if (!Array.isArray(values)) throw invalid(where, `attribute "${name}" is no list`);
    return [name, (values as readonly unknown[]).map((item) => attributeValueOf(item, name, where))] as const;
  });
  return new Map(entries);
}

function attributeValueOf(item: unknown, name: string, where: string): AttributeValue {
  const { value, confidence } = isObject(item) ? item : {};
  if (typeof value !== "string") throw invalid(where, `attribute "${name}" has an item without a "value"`);
  return { value, ...(isFinite(confidence) ? { confidence } : {}) };
}

function isFinite(value: unknown): value is number {
  return typeof value === "number" && Number.isFinite(value);
}

function invalid(where: string, what: string): AgentError {
  return new AgentError("ANNOTATIONS_INVALID", `the annotations: ${where}: ${what}`, { disposition: "reject" });
}
