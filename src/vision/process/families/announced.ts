import type { KnownFamily, Sign, Signature } from "./family.ts";
import { tableColumns } from "./levels.ts";
import { isBatchOfOne, isGrid, onlyOutput, taskOf } from "./shapes.ts";

/**
 * Families that are recognised but not read yet: their files must be refused by name, never taken for a family whose
 * outputs have the same shape. One leaves this list when it gets a file of its own.
 */

type Rule = (signature: Signature) => Sign | undefined;

const sureIf = (condition: boolean): Sign | undefined => (condition ? { certainty: "sure", classes: 0 } : undefined);
/** RT-DETR asks 300; no grid of a usual input is this small. */
const QUERIES_MIN = 50;
const QUERIES_MAX = 1_000;
/** Of the largest sets of labels in use. */
const COLUMNS_MAX = 4 + 1_000;
const possible: Sign = { certainty: "possible", classes: 0 };

/** The grid of yolo8 with more rows than boxes and classes: told by its task, else possible where the number fits. */
const wideGrid =
  (task: string, fits: (rows: number) => boolean): Rule =>
  (signature) => {
    const output = onlyOutput(signature, 3);
    const rows = output?.shape[1];
    const cells = output?.shape[2];
    if (typeof rows !== "number" || typeof cells !== "number" || !isGrid(signature, cells)) return undefined;
    if (taskOf(signature) !== undefined) return sureIf(taskOf(signature) === task);
    return signature.labels === undefined && fits(rows) ? possible : undefined;
  };

/** [1, cells, 4 + classes]: YOLOv8 as some converters turn it round. With a class less it would be YOLOX. */
const turned: Rule = (signature) => {
  const [, rows, columns] = onlyOutput(signature, 3)?.shape ?? [];
  if (typeof rows !== "number" || typeof columns !== "number" || columns <= 4) return undefined;
  if (rows <= columns || !isGrid(signature, rows)) return undefined;
  const labels = signature.labels?.length;
  return labels === undefined ? possible : sureIf(columns === 4 + labels);
};

/** [1, queries, 4 + classes]; with two classes, or where nobody says how many, it may be an end-to-end model. */
const rtdetr: Rule = (signature) => {
  const [, rows, columns] = onlyOutput(signature, 3)?.shape ?? [];
  const labels = signature.labels?.length;
  if (typeof columns !== "number" || columns <= 4 || (labels !== undefined && columns !== 4 + labels)) return undefined;
  if (typeof rows !== "number" || rows < QUERIES_MIN || rows > QUERIES_MAX || columns > COLUMNS_MAX) return undefined;
  if (isGrid(signature, rows) || isGrid(signature, rows, 3)) return undefined;
  return labels === undefined || columns === 6 ? possible : sureIf(true);
};

/** Boxes and masks as in yolo8-seg, but a row a prediction: of an end-to-end head, or of YOLOv5. */
const rowsOfSegments =
  (fits: (signature: Signature, rows: number | string, columns: number) => boolean): Rule =>
  (signature) => {
    const [boxes, masks, third] = signature.outputs;
    if (boxes === undefined || masks === undefined || third !== undefined) return undefined;
    if (!isBatchOfOne(boxes, 3) || !isBatchOfOne(masks, 4)) return undefined;
    const [, rows, columns] = boxes.shape;
    const weights = masks.shape[1];
    if (rows === undefined || typeof columns !== "number" || typeof weights !== "number") return undefined;
    return sureIf(fits(signature, rows, columns - weights));
  };

/** One output of both: [1, N, classes + 32], where N has a fourth stride. */
const nanodetPlus: Rule = (signature) => {
  const { input, labels } = signature;
  const [, rows, columns] = onlyOutput(signature, 3)?.shape ?? [];
  if (typeof columns !== "number" || columns <= 32 || rows === undefined) return undefined;
  if (labels !== undefined && columns !== labels.length + 32) return undefined;
  if (typeof rows === "string" || input === undefined) return possible;
  const cells = [8, 16, 32, 64].map((stride) => Math.ceil(input.width / stride) * Math.ceil(input.height / stride));
  return sureIf(rows === cells.reduce((sum, count) => sum + count, 0));
};

/** The tables of NanoDet for four strides; its input is another. */
const picodet: Rule = ({ outputs }) => {
  const columns = outputs.map(tableColumns);
  return sureIf(
    columns.length === 8 && columns.filter((count) => count === 32).length >= 4 && new Set(columns).size <= 2,
  );
};

const logitsAndBoxes: Rule = (signature) => {
  const [first, second, third] = signature.outputs;
  if (first?.shape.length !== 3 || second?.shape.length !== 3 || third !== undefined) return undefined;
  if (first.shape[2] !== 4 && second.shape[2] !== 4) return undefined;
  if (first.name.includes("logits") || second.name.includes("logits")) return sureIf(true);
  return hasOutputs(signature, "scores", "boxes") ? undefined : possible;
};

/** 17 key points of three or two values: the pose files in circulation. */
const poseRows = (rows: number) => rows === 4 + 1 + 17 * 3 || rows === 4 + 1 + 17 * 2;
/** One row for the angle; 84 is COCO's 80 classes without one. */
const rotatedRows = (rows: number) => rows > 5 && rows !== 84;

export const announcedFamilies: readonly KnownFamily[] = [
  { name: "end-to-end-seg", sign: rowsOfSegments((_, rows, columns) => columns === 6 && Number(rows) <= QUERIES_MAX) },
  {
    name: "yolo5-seg",
    sign: rowsOfSegments(
      (signature, rows, columns) => columns > 5 && typeof rows === "number" && isGrid(signature, rows, 3),
    ),
  },
  { name: "yolo8-turned", sign: turned },
  { name: "yolo8-pose", sign: wideGrid("pose", poseRows) },
  { name: "yolo8-obb", sign: wideGrid("obb", rotatedRows) },
  { name: "nanodet-plus", sign: nanodetPlus },
  { name: "picodet", sign: picodet },
  // Detectors of torchvision: boxes of its own input's pixels or of another's, classes counted from 0 or from 1.
  { name: "torchvision", sign: (signature) => (isTorchvision(signature) ? possible : undefined) },
  { name: "rtdetr", sign: rtdetr },
  { name: "detr-raw", sign: logitsAndBoxes },
];

function isTorchvision(signature: Signature): boolean {
  const asksForSizes = signature.inputs.some(({ name }) => name === "orig_target_sizes");
  return !asksForSizes && hasOutputs(signature, "labels", "boxes", "scores");
}

function hasOutputs(signature: Signature, ...names: readonly string[]): boolean {
  return names.every((name) => signature.outputs.some((output) => output.name === name));
}
