import type { KnownFamily, Sign, Signature } from "./family.ts";
import { isBatchOfOne, isGrid, onlyOutput, taskOf } from "./shapes.ts";

/**
 * Families that are recognised but not read yet: their files must be refused by name, never taken for a family whose
 * outputs have the same shape. One leaves this list when it gets a file of its own.
 */

type Rule = (signature: Signature) => Sign | undefined;

const sureIf = (condition: boolean): Sign | undefined => (condition ? { certainty: "sure", classes: 0 } : undefined);
/** RT-DETR asks 300; no grid of a usual input is this small. */
const QUERIES_MAX = 1_000;
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

/** [1, queries, 4 + classes]; with two classes it has the columns of an end-to-end model. */
const rtdetr: Rule = (signature) => {
  const [, rows, columns] = onlyOutput(signature, 3)?.shape ?? [];
  const labels = signature.labels?.length;
  if (labels === undefined || columns !== 4 + labels) return undefined;
  if (typeof rows !== "number" || rows > QUERIES_MAX || isGrid(signature, rows)) return undefined;
  return columns === 6 ? possible : sureIf(true);
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

/** 3 anchors × (4 box values + 1) and the classes in the last dimension: pictures, or one flat list. */
const anchorsLast: Rule = ({ outputs }) =>
  sureIf(
    outputs.every(({ shape }) => {
      const [first, height, width, columns] = shape;
      if (shape.length === 2)
        return typeof height === "number" && height > 15 && typeof first === "number" && first > height;
      return (
        typeof columns === "number" &&
        columns > 15 &&
        typeof width === "number" &&
        width < columns &&
        shape.length === 4
      );
    }),
  );

/** [1, 5 + classes, h, w]. */
const scoresFirst: Rule = (signature) => {
  const [, rows, height, width] = onlyOutput(signature, 4)?.shape ?? [];
  if (typeof rows !== "number" || typeof height !== "number" || typeof width !== "number") return undefined;
  return sureIf(rows > 5 && Math.min(height, width) > 1 && anchorsLast(signature) === undefined);
};

/** Scores and boxes of three strides, with key points or without. */
const triples: Rule = ({ outputs }) => {
  const lasts = outputs.map(({ shape }) => shape.at(-1));
  const isTriples = outputs.length === 6 || outputs.length === 9;
  return sureIf(
    isTriples && lasts.filter((last) => last === 1).length === 3 && lasts.filter((last) => last === 4).length === 3,
  );
};

/** As many outputs of classes as of distances: four sides, each a distribution over eight or more. */
const distances: Rule = ({ outputs }) => {
  const lasts = outputs.map(({ shape }) => shape.at(-1));
  const wide = lasts.filter((last) => typeof last === "number" && last >= 32 && last % 4 === 0);
  return sureIf(outputs.length >= 6 && outputs.length % 2 === 0 && wide.length >= outputs.length / 2);
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
  { name: "yolo8-pose", sign: wideGrid("pose", poseRows) },
  { name: "yolo8-obb", sign: wideGrid("obb", rotatedRows) },
  { name: "yolo-fastestv2", sign: anchorsLast },
  { name: "fastestdet", sign: scoresFirst },
  { name: "yunet", sign: (signature) => sureIf(hasOutputs(signature, "cls_8", "obj_8", "bbox_8")) },
  { name: "scrfd", sign: triples },
  { name: "nanodet", sign: distances },
  { name: "tf-ssd", sign: (signature) => sureIf(hasOutputs(signature, "detection_boxes", "detection_scores")) },
  {
    name: "detr",
    sign: (signature) =>
      sureIf(
        signature.inputs.some(({ name }) => name === "orig_target_sizes") ||
          hasOutputs(signature, "labels", "boxes", "scores"),
      ),
  },
  { name: "rtdetr", sign: rtdetr },
  { name: "detr-raw", sign: logitsAndBoxes },
];

function hasOutputs(signature: Signature, ...names: readonly string[]): boolean {
  return names.every((name) => signature.outputs.some((output) => output.name === name));
}
