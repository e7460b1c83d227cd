import { createHash } from "node:crypto";
import { sentDetections } from "../../core/detections.ts";
import { AgentError } from "../../core/errors.ts";
import type { Detection, Point, RecordDraft, StoredRecord } from "../../core/types.ts";
import type { AnnotatedImage, Annotation, ImageAddress } from "./annotations.ts";
import type { LabelReference } from "./answers.ts";
import type { Generation } from "./generation.ts";
import { wire } from "./names.ts";

export interface LayernextEncoding {
  /** Stricter than the model's threshold where it is higher. */
  readonly minScore: number;
  /** `outline`: a polygon or line where the model gives one, else its box. */
  readonly geometry: "outline" | "rectangle";
}

/** The shown detections in pixels of the image. */
export function layernextAnnotations(draft: RecordDraft, encoding: LayernextEncoding): readonly Annotation[] {
  return sentDetections(draft, encoding.minScore).map((detection) => ({
    label: detection.label,
    shape: shapeOf(detection, encoding),
    confidence: detection.score,
  }));
}

function shapeOf(detection: Detection, { geometry }: LayernextEncoding): Annotation["shape"] {
  const { box, polygon, line } = detection;
  if (geometry === "outline" && polygon !== undefined) return { type: "polygon", points: polygon };
  if (geometry === "outline" && line !== undefined) return { type: "line", points: line };
  return { type: "rectangle", x: box.left, y: box.top, w: box.width, h: box.height };
}

export interface WireAnnotations {
  readonly generation: Generation;
  /** Of every label and attribute value that occurs; see `wantedLabels`. */
  readonly references: ReadonlyMap<string, LabelReference>;
  /** People are sure of their attributes. */
  readonly isGroundTruth: boolean;
  /** Wall clock. */
  readonly nowMs: number;
}

/** One element of a data call. Fails with `LABEL_UNKNOWN`. */
export function imageUpdate({ address, annotations, newId }: AnnotatedImage, how: WireAnnotations): object {
  const objects = annotations.map((annotation, at) =>
    annotationObject(annotation, { id: newId(), number: at + 1 }, how),
  );
  return {
    ...addressFields(address, how.generation),
    data: { [wire.annotations]: objects, [wire.isUserAnnotated]: false },
  };
}

/** What a generation does not use it still names, as null. */
function addressFields(address: ImageAddress, { addressesJobs, scoredAttributes }: Generation): object {
  const objectKey = address.by === "key" ? address.objectKey : null;
  if (!scoredAttributes) return { [wire.objectKey]: objectKey };
  const jobs = {
    [wire.jobId]: address.by === "job" ? address.jobId : null,
    [wire.fileName]: address.by === "job" ? address.fileName : null,
  };
  return {
    [wire.objectKey]: objectKey,
    [wire.storagePath]: address.by === "path" ? address.storagePath : null,
    [wire.bucketName]: address.by === "path" ? address.bucketName : null,
    ...(addressesJobs ? jobs : {}),
  };
}

function annotationObject(
  annotation: Annotation,
  { id, number }: { readonly id: string; readonly number: number },
  how: WireAnnotations,
): object {
  const { shape, confidence, metadata = {} } = annotation;
  return {
    ...(shape.type === "rectangle" ? { [wire.box]: { x: shape.x, y: shape.y, w: shape.w, h: shape.h } } : {}),
    [wire.points]: (shape.type === "rectangle" ? cornersOf(shape) : shape.points).map(({ x, y }) => [x, y]),
    id: `shape_${id}`,
    shapeId: number,
    createdAt: { $date: localTime(how.nowMs) },
    type: shape.type,
    ...(confidence === undefined ? {} : { confidence }),
    label: labelObject(annotation, how),
    ...(how.generation.ownMetadata ? { metadata } : {}),
  };
}

/** Clockwise from the top left. */
function cornersOf({ x, y, w, h }: Extract<Annotation["shape"], { type: "rectangle" }>): readonly Point[] {
  return [
    { x, y },
    { x: x + w, y },
    { x: x + w, y: y + h },
    { x, y: y + h },
  ];
}

function labelObject({ label, attributes, metadata, confidence }: Annotation, how: WireAnnotations): object {
  const reference = how.references.get(label) ?? unknownLabel(label);
  const values = [...(attributes ?? [])].map(([name, given]) => {
    const attribute = reference.attributes.get(name) ?? unknownLabel(`${label}: ${name}`);
    const items = given.map((item) => ({
      value: attribute.values.get(item.value) ?? unknownLabel(`${label}: ${name}: ${item.value}`),
      confidence: how.isGroundTruth ? 1 : (item.confidence ?? confidence ?? 0),
    }));
    return [attribute.ref, how.generation.scoredAttributes ? items : items[0]?.value] as const;
  });
  const within = !how.generation.ownMetadata && values.length > 0 ? (metadata ?? {}) : {};
  return {
    label: reference.ref,
    labelText: label,
    ...(how.generation.scoredAttributes ? { metadata: within } : {}),
    key: reference.ref,
    color: reference.color,
    attributeValues: Object.fromEntries(values),
  };
}

function unknownLabel(what: string): never {
  throw labelUnknown([what]);
}

export function labelUnknown(labels: readonly string[]): AgentError {
  const names = labels.map((label) => `"${label}"`).join(", ");
  return new AgentError("LABEL_UNKNOWN", `LayerNext knows no label ${names}: create it there, then send this again`, {
    disposition: "reject",
  });
}

/** `YYYY-MM-DD HH:MM:SS.ffffff`, local and without a zone, as Python prints it. */
function localTime(nowMs: number): string {
  const at = new Date(nowMs);
  const two = (value: number) => String(value).padStart(2, "0");
  const date = `${at.getFullYear()}-${two(at.getMonth() + 1)}-${two(at.getDate())}`;
  const time = `${two(at.getHours())}:${two(at.getMinutes())}:${two(at.getSeconds())}`;
  return `${date} ${time}.${String(at.getMilliseconds() * 1_000).padStart(6, "0")}`;
}

/** The same ids each time: a model run that is sent again, because its answer was lost, is the same model run. */
export function shapeIdsOf({ id }: Pick<StoredRecord, "id">, operationId: string): () => string {
  let count = 0;
  return () => {
    count += 1;
    const hex = createHash("sha256").update(`${id} ${operationId} ${count}`).digest("hex");
    return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-4${hex.slice(13, 16)}-8${hex.slice(17, 20)}-${hex.slice(20, 32)}`;
  };
}
