import { violated } from "../checks.ts";

/** remo's plain CSV as a strict server would read it: written from its format alone, never from our own encoder. */

export type RemoTaskName = "Object detection" | "Instance segmentation" | "Image classification";

export const taskNames: readonly RemoTaskName[] = ["Object detection", "Instance segmentation", "Image classification"];

export interface AnnotationRow {
  readonly fileName: string;
  /** As the server keeps them: one capital first letter. */
  readonly classes: readonly string[];
  /** Two points are a box, more a polygon; none for a class of the whole image. */
  readonly points: readonly { readonly x: number; readonly y: number }[];
}

const headers: Readonly<Record<RemoTaskName, string>> = {
  "Object detection": "file_name,class_name,xmin,ymin,xmax,ymax",
  "Instance segmentation": "file_name,class_name,coordinates",
  "Image classification": "file_name,class_name",
};

/** `sizeOf` knows the images of dataset and session; undefined for a name that is in neither. */
export function annotationRows(
  csv: Buffer,
  task: RemoTaskName,
  sizeOf: (name: string) => { readonly width: number; readonly height: number } | undefined,
): readonly AnnotationRow[] {
  const [header, ...rows] = parseCsv(csv.toString("utf8"));
  if (header?.join(",") !== headers[task]) violated(`the CSV's header is "${header?.join(",") ?? ""}" for ${task}`);
  if (rows.length === 0) violated("the CSV has no row");
  return rows.map((row) => {
    if (row.length !== header.length) violated(`a row of the CSV has ${row.length} cells`);
    const [fileName = "", className = "", ...cells] = row;
    const size = sizeOf(fileName) ?? violated(`the CSV names "${fileName}", which is neither in dataset nor session`);
    const classes = className.split(";").map(asKept);
    if (classes.some((name) => name === "")) violated("a row of the CSV has an empty class name");
    return { fileName, classes, points: pointsOf(task, cells, size) };
  });
}

/** As the server writes every class name. */
export function asKept(name: string): string {
  const text = name.trim().toLowerCase();
  return text.charAt(0).toUpperCase() + text.slice(1);
}

function pointsOf(
  task: RemoTaskName,
  cells: readonly string[],
  size: { readonly width: number; readonly height: number },
): AnnotationRow["points"] {
  if (task === "Image classification") return [];
  const texts = task === "Object detection" ? cells : (cells[0] ?? "").split(";").map((text) => text.trim());
  const numbers = texts.map((text) => {
    if (!/^\d+$/.test(text)) violated(`a coordinate is "${text}", no whole pixel`);
    return Number(text);
  });
  if (numbers.length % 2 !== 0) violated("a row has an odd number of coordinates");
  if (numbers.every((value) => value <= 1)) violated("all coordinates of a row are 1 or less: read as fractions");
  const points = Array.from({ length: numbers.length / 2 }, (_, at) => ({
    x: numbers[2 * at] ?? 0,
    y: numbers[2 * at + 1] ?? 0,
  }));
  if (points.some(({ x, y }) => x > size.width || y > size.height)) violated("a coordinate is outside the image");
  if (task === "Instance segmentation") {
    if (points.length < 3) violated("a polygon has fewer than three points");
    return points;
  }
  const [from, to] = points;
  if (points.length !== 2 || from === undefined || to === undefined) return violated("a box is not two points");
  if (from.x >= to.x || from.y >= to.y) violated("a box is empty or turned over");
  return points;
}

/** RFC 4180, strict: a quote inside an unquoted cell and text behind a quoted one are violations. */
function parseCsv(text: string): readonly (readonly string[])[] {
  const rows: string[][] = [];
  let row: string[] = [];
  let at = 0;
  while (at < text.length) {
    const { cell, end } = text[at] === '"' ? quotedCell(text, at) : bareCell(text, at);
    row.push(cell);
    at = end;
    if (text[at] === ",") {
      at += 1;
      if (at === text.length) row.push("");
      continue;
    }
    if (at < text.length && !/^\r?\n/.test(text.slice(at, at + 2))) violated("text follows a quoted cell of the CSV");
    at += text[at] === "\r" ? 2 : 1;
    rows.push(row);
    row = [];
  }
  return rows;
}

function quotedCell(text: string, from: number): { readonly cell: string; readonly end: number } {
  const match = /"((?:[^"]|"")*)"/y;
  match.lastIndex = from;
  const found = match.exec(text) ?? violated("a quoted cell of the CSV has no end");
  return { cell: (found[1] ?? "").replaceAll('""', '"'), end: match.lastIndex };
}

function bareCell(text: string, from: number): { readonly cell: string; readonly end: number } {
  const match = /[^,\r\n]*/y;
  match.lastIndex = from;
  const cell = match.exec(text)?.[0] ?? "";
  if (cell.includes('"')) violated("a cell of the CSV has a quote and is not quoted");
  return { cell, end: match.lastIndex };
}
