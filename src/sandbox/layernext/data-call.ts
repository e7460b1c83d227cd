import { isObject, jsonObjectBody, onlyKeys, violated, type JsonObject } from "../checks.ts";
import { text, type SandboxApi } from "./contract.ts";

/** The data call: annotations for images that the server has. */

export interface DataCall {
  readonly sessionId: string;
  readonly total: number;
  readonly uploaded: number;
  readonly images: readonly UpdatedImage[];
}

export type SandboxAddress =
  | { readonly by: "job"; readonly jobId: string; readonly fileName: string }
  | { readonly by: "key"; readonly objectKey: string }
  | { readonly by: "path"; readonly storagePath: string };

export interface UpdatedImage {
  readonly address: SandboxAddress;
  readonly shapes: readonly SandboxShape[];
}

export interface SandboxShape {
  readonly id: string;
  readonly type: "rectangle" | "polygon" | "line" | "points";
  readonly box?: { readonly x: number; readonly y: number; readonly w: number; readonly h: number };
  readonly points: readonly (readonly [number, number])[];
  readonly confidence?: number;
  readonly labelText: string;
  readonly ref: string;
  readonly color: string;
  /** Value references by attribute reference. */
  readonly attributes: ReadonlyMap<string, readonly string[]>;
}

const imagesMax = 1_000;

/** `mode`: 1 for ground truth, 2 for a model run. */
export function parseDataCall(contentType: string, body: Buffer, api: SandboxApi, mode: number | undefined) {
  const payload = jsonObjectBody(contentType, body);
  const inBody = mode === undefined ? ["operationMode", "operationType"] : [];
  const required = ["metaUpdatesArray", "sessionId", "totalImageCount", "uploadedImageCount", ...inBody];
  onlyKeys(payload, required, "the data call");
  if (mode === undefined && payload["operationType"] !== 1) violated("operationType is not 1");
  const operationMode = mode ?? payload["operationMode"];
  if (operationMode !== 1 && operationMode !== 2) return violated("the mode is neither 1 nor 2");
  const { metaUpdatesArray } = payload;
  if (typeof metaUpdatesArray !== "string") return violated("metaUpdatesArray is no text: it is encoded twice");
  const elements = parsedArray(metaUpdatesArray);
  if (elements.length > imagesMax) violated(`${elements.length} images in one call`);
  const sessionId = text(payload, "sessionId");
  if (!/^\d{9,}\.\d+$/.test(sessionId)) violated("sessionId is no time in seconds with a fraction");
  const call: DataCall = {
    sessionId,
    total: count(payload, "totalImageCount"),
    uploaded: count(payload, "uploadedImageCount"),
    images: elements.map((element) => parseElement(element, api)),
  };
  const ids = call.images.flatMap(({ shapes }) => shapes.map(({ id }) => id));
  if (new Set(ids).size < ids.length) violated("two shapes have the same id");
  return { ...call, mode: operationMode };
}

function parsedArray(json: string): readonly unknown[] {
  let value: unknown;
  try {
    value = JSON.parse(json);
  } catch {
    return violated("metaUpdatesArray is no JSON");
  }
  return Array.isArray(value) ? value : violated("metaUpdatesArray is no list");
}

function parseElement(element: unknown, api: SandboxApi): UpdatedImage {
  if (!isObject(element)) return violated("an element is no object");
  const unused = { "3.x": ["storagePath", "bucketName", "jobId", "fileName"], "1.x": ["storagePath", "bucketName"] };
  onlyKeys(element, ["objectKey", "data", ...(api === "layerx" ? [] : unused[api])], "an element");
  const { data } = element;
  if (!isObject(data)) return violated("data is no object");
  onlyKeys(data, ["annotationObjects", "isUserAnnotated"], "data");
  if (data["isUserAnnotated"] !== false) violated("isUserAnnotated is not false");
  const { annotationObjects } = data;
  if (!Array.isArray(annotationObjects)) return violated("annotationObjects is no list");
  const shapes = annotationObjects.map((item: unknown, at) => parseShape(item, at + 1, api));
  return { address: addressOf(element), shapes };
}

function addressOf(element: JsonObject): SandboxAddress {
  const used = ["objectKey", "storagePath", "jobId"].filter((key) => (element[key] ?? null) !== null);
  if (used.length !== 1) violated("an image is not addressed in exactly one way");
  if (used[0] === "objectKey") return { by: "key", objectKey: text(element, "objectKey") };
  if (used[0] === "storagePath") return { by: "path", storagePath: text(element, "storagePath") };
  return { by: "job", jobId: text(element, "jobId"), fileName: text(element, "fileName") };
}

function parseShape(value: unknown, number: number, api: SandboxApi): SandboxShape {
  if (!isObject(value)) return violated("an annotation is no object");
  const { type, id, shapeId, createdAt, confidence } = value;
  if (type !== "rectangle" && type !== "polygon" && type !== "line" && type !== "points") {
    return violated("an annotation's type is none of rectangle, polygon, line and points");
  }
  if (api !== "3.x" && type === "points") violated("this generation knows no points");
  const own = [...(type === "rectangle" ? ["boxBoundariesAndDimensions"] : []), ...(api === "3.x" ? ["metadata"] : [])];
  const required = ["points", "id", "shapeId", "createdAt", "type", "label", ...own];
  onlyKeys(value, required, "an annotation", ["confidence"]);
  if (typeof id !== "string" || !/^shape_[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/.test(id)) {
    return violated("an annotation's id is not shape_ and a UUID");
  }
  if (shapeId !== number) violated(`shapeId is ${String(shapeId)} instead of ${number}`);
  const at = isObject(createdAt) ? createdAt["$date"] : undefined;
  if (typeof at !== "string" || !/^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{6}$/.test(at)) {
    violated("createdAt is not {$date} with a local time");
  }
  if (confidence !== undefined && (typeof confidence !== "number" || confidence < 0 || confidence > 1)) {
    violated("confidence is not between 0 and 1");
  }
  const points = parsePoints(value["points"]);
  return {
    id,
    type,
    points,
    ...(type === "rectangle" ? { box: boxOf(value["boxBoundariesAndDimensions"], points) } : {}),
    ...(typeof confidence === "number" ? { confidence } : {}),
    ...parseLabel(value["label"], api),
  };
}

function parsePoints(value: unknown): SandboxShape["points"] {
  if (!Array.isArray(value) || value.length === 0) return violated("points is no list of points");
  return value.map((point: unknown) => {
    const [x, y, more] = Array.isArray(point) ? (point as readonly unknown[]) : [];
    if (more !== undefined || typeof x !== "number" || typeof y !== "number") return violated("a point is not [x, y]");
    return [x, y] as const;
  });
}

/** The corners must be those of the box, clockwise from the top left. */
function boxOf(value: unknown, points: SandboxShape["points"]): NonNullable<SandboxShape["box"]> {
  if (!isObject(value)) return violated("boxBoundariesAndDimensions is no object");
  onlyKeys(value, ["x", "y", "w", "h"], "a box");
  const [x, y, w, h] = ["x", "y", "w", "h"].map((key) => {
    const number = value[key];
    return typeof number === "number" && Number.isFinite(number) ? number : violated(`a box's ${key} is no number`);
  }) as [number, number, number, number];
  if (w <= 0 || h <= 0) violated("a box is empty");
  const corners = [
    [x, y],
    [x + w, y],
    [x + w, y + h],
    [x, y + h],
  ];
  const far = (a: number | undefined, b: number | undefined) => Math.abs((a ?? NaN) - (b ?? NaN)) > 1e-6;
  const wrong =
    points.length !== 4 || corners.some(([cx, cy], at) => far(cx, points[at]?.[0]) || far(cy, points[at]?.[1]));
  if (wrong) violated("the points of a rectangle are not its corners, clockwise from the top left");
  return { x, y, w, h };
}

function parseLabel(value: unknown, api: SandboxApi): Pick<SandboxShape, "labelText" | "ref" | "color" | "attributes"> {
  if (!isObject(value)) return violated("label is no object");
  const required = ["label", "labelText", "key", "color", "attributeValues", ...(api === "layerx" ? [] : ["metadata"])];
  onlyKeys(value, required, "a label");
  const ref = text(value, "label");
  if (value["key"] !== ref) violated("a label's key is not its reference");
  const { attributeValues } = value;
  if (!isObject(attributeValues)) return violated("attributeValues is no object");
  const attributes = Object.entries(attributeValues).map(([name, given]) => [name, valuesOf(given, api)] as const);
  return { labelText: text(value, "labelText"), ref, color: text(value, "color"), attributes: new Map(attributes) };
}

function valuesOf(given: unknown, api: SandboxApi): readonly string[] {
  if (api === "layerx") return typeof given === "string" ? [given] : violated("an attribute's value is no reference");
  if (!Array.isArray(given)) return violated("an attribute's values are no list");
  return given.map((item: unknown) => {
    if (!isObject(item)) return violated("an attribute's value is no object");
    onlyKeys(item, ["value", "confidence"], "an attribute's value");
    if (typeof item["confidence"] !== "number") violated("an attribute's confidence is no number");
    return text(item, "value");
  });
}

function count(payload: JsonObject, key: string): number {
  const value = payload[key];
  return typeof value === "number" && Number.isSafeInteger(value) && value >= 0
    ? value
    : violated(`${key} is no count`);
}
