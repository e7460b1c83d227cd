import type { KnownFamily, Sign, Signature } from "./family.ts";
import { isBatchOfOne, isGrid, onlyOutput, taskOf } from "./shapes.ts";

/**
 * Families that are recognised but not read yet: their files must be refused by name, never taken for a family whose
 * outputs have the same shape. One leaves this list when it gets a file of its own.
 */

const named = (signature: Signature, ...names: readonly string[]): boolean =>
  names.every((name) => signature.outputs.some((output) => output.name === name));

const sureIf = (condition: boolean): Sign | undefined => (condition ? { certainty: "sure", classes: 0 } : undefined);

/** [1, N, 5 + classes] with more rows than columns. */
function rowsOfScores(signature: Signature, perCell: number): Sign | undefined {
  const output = onlyOutput(signature, 3);
  const rows = output?.shape[1];
  const columns = output?.shape[2];
  if (typeof columns !== "number" || columns < 6 || rows === undefined) return undefined;
  if (typeof rows === "string") return { certainty: "possible", classes: columns - 5 };
  return sureIf(rows > columns && isGrid(signature, rows, perCell));
}

/** [1, rows, N] whose rows are more than four box values and one score a class. */
function wideGrid(
  signature: Signature,
  task: string,
  rowsWithoutMetadata: readonly number[] | "any",
): Sign | undefined {
  const output = onlyOutput(signature, 3);
  const rows = output?.shape[1];
  const cells = output?.shape[2];
  if (typeof rows !== "number" || typeof cells !== "number" || !isGrid(signature, cells)) return undefined;
  if (taskOf(signature) !== undefined) return sureIf(taskOf(signature) === task);
  if (signature.labels !== undefined) return undefined;
  const fits = rowsWithoutMetadata === "any" ? rows > 5 && rows !== 84 : rowsWithoutMetadata.includes(rows);
  return fits ? { certainty: "possible", classes: 0 } : undefined;
}

export const announcedFamilies: readonly KnownFamily[] = [
  {
    name: "yolo8-seg",
    sign: (signature) =>
      sureIf(
        taskOf(signature) === "segment" ||
          (signature.outputs.length === 2 && isBatchOfOne3And4(signature) && signature.outputs[1]?.shape[1] === 32),
      ),
  },
  // 17 key points of three or two values: the pose files in circulation.
  { name: "yolo8-pose", sign: (signature) => wideGrid(signature, "pose", [56, 39]) },
  { name: "yolo8-obb", sign: (signature) => wideGrid(signature, "obb", "any") },
  { name: "yolo5", sign: (signature) => rowsOfScores(signature, 3) },
  { name: "yolox", sign: (signature) => rowsOfScores(signature, 1) },
  {
    name: "yolo-fastestv2",
    sign: (signature) =>
      sureIf(
        signature.outputs.every(({ shape }) => shape.length === 2 || shape.length === 4) &&
          signature.outputs.some(isFastestV2),
      ),
  },
  {
    name: "fastestdet",
    sign: (signature) => {
      const output = onlyOutput(signature, 4);
      const [, rows, height, width] = output?.shape ?? [];
      return sureIf(
        typeof rows === "number" &&
          rows > 5 &&
          typeof height === "number" &&
          typeof width === "number" &&
          height > 1 &&
          width > 1 &&
          height * width > rows &&
          !isFastestV2(output),
      );
    },
  },
  { name: "yunet", sign: (signature) => sureIf(named(signature, "cls_8", "obj_8", "bbox_8")) },
  {
    name: "scrfd",
    sign: (signature) =>
      sureIf(
        signature.outputs.length >= 6 &&
          signature.outputs.length % 3 === 0 &&
          !named(signature, "cls_8") &&
          endsIn(signature, 1) &&
          endsIn(signature, 4),
      ),
  },
  {
    name: "nanodet",
    sign: (signature) =>
      sureIf(
        signature.outputs.length >= 6 &&
          signature.outputs.length % 2 === 0 &&
          signature.outputs.filter(isDistanceOutput).length >= signature.outputs.length / 2,
      ),
  },
  { name: "tf-ssd", sign: (signature) => sureIf(named(signature, "detection_boxes", "detection_scores")) },
  {
    name: "detr",
    sign: (signature) =>
      sureIf(
        signature.inputs.some(({ name }) => name === "orig_target_sizes") ||
          named(signature, "labels", "boxes", "scores"),
      ),
  },
  {
    name: "detr-raw",
    sign: (signature) => {
      const [first, second] = signature.outputs;
      if (first === undefined || second === undefined || signature.outputs.length !== 2) return undefined;
      if (first.shape.length !== 3 || second.shape.length !== 3 || !endsIn(signature, 4)) return undefined;
      if (signature.outputs.some(({ name }) => name.includes("logits"))) return { certainty: "sure", classes: 0 };
      return named(signature, "scores", "boxes") ? undefined : { certainty: "possible", classes: 0 };
    },
  },
];

function isBatchOfOne3And4(signature: Signature): boolean {
  const [first, second] = signature.outputs;
  return first !== undefined && second !== undefined && isBatchOfOne(first, 3) && isBatchOfOne(second, 4);
}

function endsIn(signature: Signature, columns: number): boolean {
  return signature.outputs.some(({ shape }) => shape.at(-1) === columns);
}

/** Four sides, each a distribution over at least eight distances. */
function isDistanceOutput({ shape }: { readonly shape: readonly (number | string)[] }): boolean {
  const columns = shape.at(-1);
  return typeof columns === "number" && columns >= 32 && columns % 4 === 0;
}

/** 3 anchors × (4 + 1) and the classes behind them, in the last dimension of a picture-shaped or flat output. */
function isFastestV2(output: { readonly shape: readonly (number | string)[] } | undefined): boolean {
  const columns = output?.shape.at(-1);
  const before = output?.shape.at(-2);
  return (
    typeof columns === "number" &&
    columns > 15 &&
    (output?.shape.length === 2 || (typeof before === "number" && before < columns))
  );
}
