import { parseLine, parsePolygon, sentDetections } from "../../core/detections.ts";
import type { Box, Detection, StoredRecord, TimeQuality } from "../../core/types.ts";
import { isObject } from "../json.ts";

/** One line of `annotations.jsonl`: the truth of the data set, from which every other format is made. */
export interface Annotation {
  readonly id: string;
  /** Of the image, in `images/`. */
  readonly name: string;
  readonly device: string;
  readonly camera: string;
  /** ISO 8601, UTC. */
  readonly capturedAt: string;
  /** What `capturedAt` is worth; absent in lines of older versions. */
  readonly clock?: TimeQuality;
  readonly width: number;
  readonly height: number;
  /** False when no detector has seen the image: it is then no negative. */
  readonly labelled: boolean;
  /** Pixels of the image. */
  readonly detections: readonly Detection[];
  readonly model?: { readonly name: string; readonly sha256: string; readonly threshold: number };
  /** Of what is hidden in the image; absent when nothing is. */
  readonly maskVersion?: string;
}

/** With its line end. `id` comes first: `idMark` relies on it. */
export function annotationLine(record: StoredRecord, minScore: number): string {
  const annotation: Annotation = {
    id: record.id,
    name: record.name,
    device: record.device,
    camera: record.cameraId,
    capturedAt: new Date(record.capturedAtMs).toISOString(),
    clock: record.clockQuality,
    width: record.imageWidth,
    height: record.imageHeight,
    labelled: record.labelled,
    detections: sentDetections(record, minScore),
    ...(record.model === undefined ? {} : { model: modelOf(record.model) }),
    ...(record.maskVersion === undefined ? {} : { maskVersion: record.maskVersion }),
  };
  return `${JSON.stringify(annotation)}\n`;
}

/** How the line of a record starts. */
export function idMark(id: string): string {
  return `{"id":${JSON.stringify(id)},`;
}

/** Undefined for a line that is none of ours, or that a crash cut short. */
export function parseAnnotation(line: string): Annotation | undefined {
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch {
    return undefined;
  }
  if (!isObject(value)) return undefined;
  const { id, name, device, camera, capturedAt, width, height, labelled, detections } = value;
  if (typeof id !== "string" || typeof name !== "string" || !isFileName(name)) return undefined;
  if (typeof device !== "string" || typeof camera !== "string" || typeof capturedAt !== "string") return undefined;
  if (!isSide(width) || !isSide(height) || typeof labelled !== "boolean" || !Array.isArray(detections)) {
    return undefined;
  }
  const parsed = (detections as readonly unknown[]).map(parseDetection);
  const good = parsed.filter((detection) => detection !== undefined);
  if (good.length < parsed.length) return undefined;
  const { maskVersion } = value;
  const hidden = typeof maskVersion === "string" ? { maskVersion } : {};
  return { id, name, device, camera, capturedAt, width, height, labelled, ...hidden, detections: good };
}

/** Neither a way out of the folder nor hidden. */
export function isFileName(name: string): boolean {
  return /^[^/\\\0.][^/\\\0]{0,254}$/.test(name);
}

function modelOf({ name, sha256, threshold }: NonNullable<StoredRecord["model"]>): Annotation["model"] & object {
  return { name, sha256, threshold };
}

function parseDetection(value: unknown): Detection | undefined {
  if (!isObject(value)) return undefined;
  const { label, score, box, polygon, line } = value;
  if (typeof label !== "string" || label.length === 0 || typeof score !== "number") return undefined;
  const parsed = parseBox(box);
  if (parsed === undefined) return undefined;
  const outline = parsePolygon(polygon);
  const path = parseLine(line);
  if ((outline === undefined) !== (polygon === undefined) || (path === undefined) !== (line === undefined)) {
    return undefined;
  }
  return {
    label,
    score,
    box: parsed,
    ...(outline === undefined ? {} : { polygon: outline }),
    ...(path === undefined ? {} : { line: path }),
  };
}

function parseBox(value: unknown): Box | undefined {
  if (!isObject(value)) return undefined;
  const { left, top, width, height } = value;
  if (!isFinite(left) || !isFinite(top) || !isFinite(width) || !isFinite(height)) return undefined;
  return { left, top, width, height };
}

function isFinite(value: unknown): value is number {
  return Number.isFinite(value);
}

function isSide(value: unknown): value is number {
  return typeof value === "number" && Number.isInteger(value) && value > 0;
}
