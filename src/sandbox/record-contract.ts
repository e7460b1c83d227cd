import { scanJpeg } from "../core/jpeg.ts";

/**
 * What a record on MQTT must be, written from the target's README and not from its code. Answers with the first thing
 * that is wrong.
 */
export function recordViolation(payload: Buffer, qos: number): string | undefined {
  if (qos === 0) return "published with QoS 0, which loses records without a trace";
  let record: unknown;
  try {
    record = JSON.parse(payload.toString("utf8"));
  } catch {
    return "the payload is not JSON";
  }
  if (!isObject(record)) return "the payload is not an object";
  return imageViolation(record) ?? namesViolation(record) ?? labelsViolation(record) ?? detectionsViolation(record);
}

type Fields = Readonly<Record<string, unknown>>;

function imageViolation({ image, type, width, height }: Fields): string | undefined {
  if (type !== "jpg") return "type is not jpg";
  if (typeof image !== "string" || !isBase64(image)) return "image is not base64 without line breaks";
  const scan = scanJpeg(Buffer.from(image, "base64"));
  if (scan.kind === "damaged") return `image is not a complete JPEG: ${scan.why}`;
  if (scan.facts.width !== width || scan.facts.height !== height) return "width and height are not those of the image";
  if (scan.facts.metadata.length > 0) return "image still holds metadata";
  return undefined;
}

/** Length first: an expression over a text of megabytes is not what costs here, but its failure must not be either. */
function isBase64(text: string): boolean {
  return text.length > 0 && text.length % 4 === 0 && /^[A-Za-z0-9+/]+={0,2}$/.test(text);
}

function namesViolation(record: Fields): string | undefined {
  for (const key of ["id", "name", "device", "camera"]) {
    const value = record[key];
    if (typeof value !== "string" || value.length === 0) return `${key} is missing`;
  }
  const { capturedAt } = record;
  if (typeof capturedAt !== "string" || !/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/.test(capturedAt)) {
    return "capturedAt is not an ISO time in UTC";
  }
  return undefined;
}

function labelsViolation({ labels }: Fields): string | undefined {
  if (!Array.isArray(labels)) return "labels is not a list";
  for (const label of labels as readonly unknown[]) {
    if (!isObject(label) || Object.keys(label).sort().join() !== "h,name,w,x,y") {
      return "a label has other keys than name, x, y, w and h";
    }
    if (typeof label["name"] !== "string" || label["name"].length === 0) return "a label has no name";
    for (const key of ["x", "y", "w", "h"]) {
      const value = label[key];
      if (typeof value !== "number" || value < 0 || value > 1) return `a label's ${key} is not a fraction`;
    }
  }
  return undefined;
}

function detectionsViolation({ labels, detections, width, height }: Fields): string | undefined {
  if (!Array.isArray(detections) || !Array.isArray(labels)) return "detections is not a list";
  if (detections.length !== labels.length) return "detections and labels differ in length";
  for (const [at, detection] of (detections as readonly unknown[]).entries()) {
    if (!isObject(detection) || !isObject(detection["box"])) return "a detection has no box";
    const label: unknown = labels[at];
    if (!isObject(label) || detection["label"] !== label["name"]) return "detections and labels differ in order";
    const { left, top, width: across, height: down } = detection["box"];
    if (!within(left, across, width) || !within(top, down, height)) return "a box reaches out of the image";
    const wrong = pointsViolation(detection, "polygon", 3) ?? pointsViolation(detection, "line", 2);
    if (wrong !== undefined) return wrong;
  }
  return undefined;
}

function pointsViolation(detection: Fields, key: "polygon" | "line", pointsMin: number): string | undefined {
  const points = detection[key];
  if (points === undefined) return undefined;
  if (!Array.isArray(points) || points.length < pointsMin) return `a ${key} has fewer than ${pointsMin} points`;
  const good = (points as readonly unknown[]).every(
    (point) => isObject(point) && Number.isFinite(point["x"]) && Number.isFinite(point["y"]),
  );
  return good ? undefined : `a point of a ${key} has no x and y`;
}

/** A hundredth of a pixel is rounding. */
function within(start: unknown, length: unknown, side: unknown): boolean {
  if (typeof start !== "number" || typeof length !== "number" || typeof side !== "number") return false;
  return start >= 0 && length > 0 && start + length <= side + 0.01;
}

function isObject(value: unknown): value is Fields {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
