import type { Candidates } from "../nms.ts";
import type { DecodeContext, Family, Outputs, Sign, Signature } from "./family.ts";
import { cellsAlong, fitsLevels, highestAt, levelStrides, scoresDoubt, tableColumns } from "./levels.ts";
import { objectMin, scoreRule } from "./score-rule.ts";
import { wrongOutput } from "./shapes.ts";

/**
 * YuNet face detectors: for each stride cls_8 [1, n, classes], obj_8 [1, n, 1], bbox_8 [1, n, 4] and key points that
 * are not read; one row a cell. A box is its centre's offset from the cell's corner and the logarithms of its sides, in
 * strides.
 */

const USUAL_RULE = "sqrt(object*class)";
const BOX = 4;

const levels = levelStrides.map((stride) => ({
  stride,
  cls: `cls_${stride}`,
  obj: `obj_${stride}`,
  bbox: `bbox_${stride}`,
  kps: `kps_${stride}`,
}));

export const yunet: Family = {
  name: "yunet",
  defaults: {
    mean: 0,
    std: 1,
    order: "bgr",
    fit: "topleft",
    pad: 0,
    threshold: 0.6,
    nmsIou: 0.45,
    labels: ["face"],
  },

  sign(signature: Signature): Sign | undefined {
    const columns = new Map(signature.outputs.map((output) => [output.name, tableColumns(output)]));
    const classes = columns.get("cls_8");
    if (typeof classes !== "number" || classes < 1) return undefined;
    const isLevel = ({ cls, obj, bbox }: (typeof levels)[number]) =>
      columns.get(cls) === classes && columns.get(obj) === 1 && columns.get(bbox) === BOX;
    const named = new Set(levels.flatMap(({ cls, obj, bbox, kps }) => [cls, obj, bbox, kps]));
    if (!levels.every(isLevel) || [...columns.keys()].some((name) => !named.has(name))) return undefined;
    if (signature.labels !== undefined && signature.labels.length !== classes) return undefined;
    return fitsLevels(signature, 1) ? { certainty: "sure", classes } : undefined;
  },

  decode(outputs: Outputs, context: DecodeContext, into: Candidates): void {
    for (const level of levels) decodeLevel(outputs, context, level, into);
  },

  doubt(outputs: Outputs, context: DecodeContext): string | undefined {
    const tables = levels.flatMap(({ stride, cls, obj }) => {
      const cells = cellsAlong(context.inputWidth, stride) * cellsAlong(context.inputHeight, stride);
      return [tableNamed(outputs, cls, cells * context.classes), tableNamed(outputs, obj, cells)];
    });
    return scoresDoubt(...tables);
  },
};

function decodeLevel(
  outputs: Outputs,
  context: DecodeContext,
  { stride, cls, obj, bbox }: (typeof levels)[number],
  into: Candidates,
): void {
  const { classes, inputWidth, inputHeight, scoreMin, reading } = context;
  const scoreOf = scoreRule(reading.score, USUAL_RULE);
  const least = objectMin(reading.score, USUAL_RULE, scoreMin);
  const columns = cellsAlong(inputWidth, stride);
  const cells = columns * cellsAlong(inputHeight, stride);
  const classScores = tableNamed(outputs, cls, cells * classes);
  const objects = tableNamed(outputs, obj, cells);
  const boxes = tableNamed(outputs, bbox, cells * BOX);
  for (let cell = 0; cell < cells; cell += 1) {
    const object = Math.min(objects[cell] ?? 0, 1);
    if (!(object >= least)) continue;
    const best = highestAt(classScores, cell * classes, classes);
    const score = scoreOf(object, Math.min(classScores[best] ?? 0, 1));
    if (!(score >= scoreMin)) continue;
    const at = cell * BOX;
    const x = ((cell % columns) + (boxes[at] ?? 0)) * stride;
    const y = (Math.floor(cell / columns) + (boxes[at + 1] ?? 0)) * stride;
    const halfWidth = (Math.exp(boxes[at + 2] ?? 0) * stride) / 2;
    const halfHeight = (Math.exp(boxes[at + 3] ?? 0) * stride) / 2;
    into.add(x - halfWidth, y - halfHeight, x + halfWidth, y + halfHeight, score, best - cell * classes);
  }
}

/** Names are all that tells a table of classes from one of objects. */
function tableNamed(outputs: Outputs, name: string, values: number): Float32Array {
  const output = outputs.get(name);
  if (output?.data.length === values) return output.data;
  throw wrongOutput(`${name} is ${output === undefined ? "missing" : `[${output.dims.join(",")}]`}`);
}
