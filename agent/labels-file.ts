import { readFile } from "node:fs/promises";
import { basename } from "node:path";
import { AgentError, messageOf } from "../src/core/errors.ts";
import type { Detection } from "../src/core/types.ts";

/**
 * JSON Lines as `detect --json` prints them: `image` and `detections` of each line. A picture is found by its path, else
 * by its name. Fails with `USAGE_LABELS`, naming the line.
 */
export async function readLabels(file: string): Promise<(image: string) => readonly Detection[]> {
  let text: string;
  try {
    text = await readFile(file, "utf8");
  } catch (error) {
    throw labelsError(`cannot read ${file}: ${messageOf(error)}`);
  }
  const byPath = new Map<string, readonly Detection[]>();
  const byName = new Map<string, readonly Detection[]>();
  for (const [index, line] of text.split("\n").entries()) {
    if (line.trim() === "") continue;
    const { image, detections } = parseLine(line, `${file}:${index + 1}`);
    byPath.set(image, detections);
    byName.set(basename(image), detections);
  }
  return (image) => {
    const found = byPath.get(image) ?? byName.get(basename(image));
    if (found === undefined) throw labelsError(`${file} has no line for ${image}`);
    return found;
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

function detectionOf(value: unknown, where: string): Detection {
  const { label, score = 1, box } = fieldsOf(value);
  if (typeof label !== "string" || label === "") throw labelsError(`${where}: "label" must be a text`);
  if (typeof score !== "number" || !(score >= 0 && score <= 1)) throw labelsError(`${where}: "score" must be 0 to 1`);
  const { left, top, width, height } = fieldsOf(box);
  if (!isPixels(left) || !isPixels(top) || !isPixels(width) || !isPixels(height) || width <= 0 || height <= 0) {
    throw labelsError(`${where}: "box" must hold left, top, width and height in pixels`);
  }
  return { label, score, box: { left, top, width, height } };
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
