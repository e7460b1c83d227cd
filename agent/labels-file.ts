import { readFile } from "node:fs/promises";
import { basename } from "node:path";
import { boxAround, parseLine as parsePath, parsePolygon } from "../src/core/detections.ts";
import { AgentError } from "../src/core/errors.ts";
import { visionLimits } from "../src/core/vision-limits.ts";
import type { Box, Detection, Point } from "../src/core/types.ts";
import { fileProblem } from "./files.ts";

/**
 * JSON Lines as `detect --json` prints them: `image` and `detections` of each line. A picture is found by its path, else
 * by its name. Fails with `USAGE_LABELS`, naming the line.
 */
export async function readLabels(file: string): Promise<(image: string) => readonly Detection[]> {
  let text: string;
  try {
    text = await readFile(file, "utf8");
  } catch (error) {
    throw labelsError(`cannot read ${file}: ${fileProblem(error)}`);
  }
  const byPath = new Map<string, readonly Detection[]>();
  const byName = new Map<string, readonly Detection[]>();
  const ambiguous = new Set<string>();
  for (const [index, line] of text.split("\n").entries()) {
    if (line.trim() === "") continue;
    const { image, detections } = parseLine(line, `${file}:${index + 1}`);
    const name = basename(image);
    if (byName.has(name)) ambiguous.add(name);
    byPath.set(image, detections);
    byName.set(name, detections);
  }
  return (image) => {
    const name = basename(image);
    const found = byPath.get(image) ?? (ambiguous.has(name) ? undefined : byName.get(name));
    if (found !== undefined) return found;
    const why = ambiguous.has(name) ? `several lines for ${name} and none for` : "no line for";
    throw labelsError(`${file} has ${why} ${image}`);
  };
}

function parseLine(line: string, where: string): { readonly image: string; readonly detections: readonly Detection[] } {
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch {
    throw labelsError(`${where}: this is no JSON`);
  }
  const { image, detections } = fieldsOf(value);
  if (typeof image !== "string") throw labelsError(`${where}: "image" must be the picture's path`);
  if (!Array.isArray(detections)) throw labelsError(`${where}: "detections" must be a list`);
  return {
    image,
    detections: detections.map((item: unknown, index) => detectionOf(item, `${where}: detection ${index}`)),
  };
}

/** Where an outline or a line says where the object is, its box may be left out. */
function detectionOf(value: unknown, where: string): Detection {
  const { label, score = 1, box, polygon, line } = fieldsOf(value);
  if (typeof label !== "string" || label === "") throw labelsError(`${where}: "label" must be a text`);
  if (typeof score !== "number" || !(score >= 0 && score <= 1)) throw labelsError(`${where}: "score" must be 0 to 1`);
  const outline = polygon === undefined ? undefined : parsePolygon(polygon);
  if (polygon !== undefined && outline === undefined) throw pointsError(where, "polygon", 3);
  const path = line === undefined ? undefined : parsePath(line);
  if (line !== undefined && path === undefined) throw pointsError(where, "line", 2);
  return {
    label,
    score,
    box: boxOf(box, [...(outline ?? []), ...(path ?? [])], where),
    ...(outline === undefined ? {} : { polygon: outline }),
    ...(path === undefined ? {} : { line: path }),
  };
}

function boxOf(box: unknown, points: readonly Point[], where: string): Box {
  if (box === undefined && points.length > 0) return boxAround(points);
  const { left, top, width, height } = fieldsOf(box);
  if (!isPixels(left) || !isPixels(top) || !isPixels(width) || !isPixels(height) || width <= 0 || height <= 0) {
    throw labelsError(`${where}: "box" must hold left, top, width and height in pixels`);
  }
  return { left, top, width, height };
}

function pointsError(where: string, key: string, pointsMin: number): AgentError {
  const { outlinePointsMax } = visionLimits;
  return labelsError(`${where}: "${key}" must hold ${pointsMin} to ${outlinePointsMax} points with x and y in pixels`);
}

function isPixels(value: unknown): value is number {
  return typeof value === "number" && Number.isFinite(value);
}

function fieldsOf(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null ? (value as Readonly<Record<string, unknown>>) : {};
}

function labelsError(message: string): AgentError {
  return new AgentError("USAGE_LABELS", message, { disposition: "fatal" });
}
