import { polygonArea } from "../../../core/detections.ts";
import { visionLimits } from "../../../core/vision-limits.ts";
import type { Point } from "../../../core/types.ts";
import { largestOutline, simplified } from "../contour.ts";
import type { Candidates, Outlined } from "../nms.ts";
import { BOX_ROWS, boxRowsDoubt, readBoxRows } from "./box-rows.ts";
import type { DecodeContext, Family, Outputs, OutputTensor, Sign, Signature } from "./family.ts";
import { isBatchOfOne, isGrid, outputAt, taskOf, wrongOutput } from "./shapes.ts";

/**
 * YOLOv8 and YOLO11 with outlines: the boxes and classes of `yolo8`, then a weight for each of the masks of the second
 * output [1, masks, h, w], of which usually 32. A cell's mask is their weighted sum; above zero is inside.
 */

const USUAL_MASKS = 32;
/** Input pixels: a quarter of a mask's sample, of which one stands for four pixels. */
const TOLERANCE_PIXELS = 1;
/** In mask samples: less is no outline but a speck. */
const AREA_MIN = 1;

let sums = new Float32Array(0);

export const yolo8Seg: Family = {
  name: "yolo8-seg",
  defaults: { mean: 0, std: 255, order: "rgb", fit: "letterbox", pad: 114, threshold: 0.25, nmsIou: 0.45 },

  sign(signature: Signature): Sign | undefined {
    const [boxes, masks, third] = signature.outputs;
    if (boxes === undefined || masks === undefined || third !== undefined) return undefined;
    if (!isBatchOfOne(boxes, 3) || !isBatchOfOne(masks, 4)) return undefined;
    const [, rows, cells] = boxes.shape;
    const weights = masks.shape[1];
    if (typeof rows !== "number" || typeof weights !== "number" || cells === undefined) return undefined;
    const classes = rows - BOX_ROWS - weights;
    const task = taskOf(signature);
    if (classes < 1 || (task !== undefined && task !== "segment")) return undefined;
    if (typeof cells === "number" && (cells <= rows || !isGrid(signature, cells))) return undefined;
    const labels = signature.labels?.length;
    if (labels !== undefined && labels !== classes) return undefined;
    const certain =
      task === "segment" || labels !== undefined || (weights === USUAL_MASKS && typeof cells === "number");
    return { certainty: certain ? "sure" : "possible", classes };
  },

  decode(outputs: Outputs, context: DecodeContext, into: Candidates): void {
    const { boxes } = tensors(outputs, context.classes);
    readBoxRows(boxes.data, boxes.dims[2] ?? 0, context, into);
  },

  doubt(outputs: Outputs, context: DecodeContext): string | undefined {
    const { boxes } = tensors(outputs, context.classes);
    return boxRowsDoubt(boxes.data, boxes.dims[2] ?? 0, context.classes);
  },

  outline(outputs: Outputs, context: DecodeContext, candidate: Outlined): readonly Point[] | undefined {
    const { boxes, masks } = tensors(outputs, context.classes);
    const scaleX = context.inputWidth / (masks.dims[3] ?? 1);
    const scaleY = context.inputHeight / (masks.dims[2] ?? 1);
    const window = windowOf(candidate, scaleX, scaleY, masks);
    if (window.width <= 0 || window.height <= 0) return undefined;
    addMasks(boxes, candidate.row, BOX_ROWS + context.classes, masks, window);
    const outline = largestOutline(sums, window.width, window.height);
    if (polygonArea(outline) < AREA_MIN) return undefined;
    const { left, top, right, bottom } = candidate;
    const inInput = outline.map(({ x, y }) => ({
      x: Math.min(Math.max((window.left + x + 0.5) * scaleX, left), right),
      y: Math.min(Math.max((window.top + y + 0.5) * scaleY, top), bottom),
    }));
    return simplified(inInput, TOLERANCE_PIXELS, visionLimits.outlinePointsMax);
  },
};

/** Whole samples of the masks. */
interface Window {
  readonly left: number;
  readonly top: number;
  readonly width: number;
  readonly height: number;
}

/** The samples whose centres lie in the box, and one more at each side for what is interpolated there. */
function windowOf({ left, top, right, bottom }: Outlined, scaleX: number, scaleY: number, masks: OutputTensor): Window {
  const first = (edge: number, scale: number) => Math.max(0, Math.ceil(edge / scale - 0.5) - 1);
  const end = (edge: number, scale: number, size = 0) => Math.min(size, Math.floor(edge / scale - 0.5) + 2);
  const [startX, startY] = [first(left, scaleX), first(top, scaleY)];
  return {
    left: startX,
    top: startY,
    width: end(right, scaleX, masks.dims[3]) - startX,
    height: end(bottom, scaleY, masks.dims[2]) - startY,
  };
}

/** Leaves the weighted sum of the masks in `sums`. Mask by mask, as the memory lies. */
function addMasks(boxes: OutputTensor, cell: number, firstRow: number, masks: OutputTensor, window: Window): void {
  const [, count = 0, height = 0, width = 0] = masks.dims;
  const cells = boxes.dims[2] ?? 0;
  const size = window.width * window.height;
  if (sums.length < size) sums = new Float32Array(size);
  sums.fill(0, 0, size);
  // A module's variable is read anew at every step, a local one is not: a third of the time.
  const { data } = masks;
  const into = sums;
  for (let mask = 0; mask < count; mask += 1) {
    const weight = boxes.data[(firstRow + mask) * cells + cell] ?? 0;
    for (let y = 0; y < window.height; y += 1) {
      const from = (mask * height + window.top + y) * width + window.left;
      const to = y * window.width;
      for (let x = 0; x < window.width; x += 1) {
        into[to + x] = (into[to + x] ?? 0) + weight * (data[from + x] ?? 0);
      }
    }
  }
}

function tensors(outputs: Outputs, classes: number): { readonly boxes: OutputTensor; readonly masks: OutputTensor } {
  const boxes = outputAt(outputs, 0, 3);
  const masks = outputAt(outputs, 1, 4);
  if (boxes.dims[1] === BOX_ROWS + classes + (masks.dims[1] ?? 0)) return { boxes, masks };
  throw wrongOutput(`[${boxes.dims.join(",")}] does not hold ${classes} classes and ${masks.dims[1] ?? 0} weights`);
}
