import { z } from "zod";
import { label, labelList, labelRules } from "../config/label-rules.ts";
import { proofLimits } from "../core/model-limits.ts";

/**
 * The schemas of what may lie beside a model: its manifest (`model.json`), which says what cannot be read from the model
 * file itself, and what it finds on its golden picture (`golden.json`).
 */

const size = z.int().min(8).max(8_192);
const perChannel = z.union([z.number(), z.tuple([z.number(), z.number(), z.number()])]);
const labelScores = z.record(label, z.number().min(0.05).max(1));

/** How a family's outputs are read where its habit does not hold. Each family reads the keys that concern it. */
const readingSchema = z.strictObject({
  score: z
    .enum(["class", "object*class", "sqrt(object*class)", "object^0.6*class^0.4"])
    .optional()
    .describe("How a score is made of the objectness and the class's own"),
  background: z.enum(["first", "last", "none"]).optional().describe("Which class stands for nothing"),
  firstClass: z
    .int()
    .min(0)
    .max(1_000)
    .optional()
    .describe("The number of the first label: 0, or 1 as TensorFlow counts"),
  anchors: z
    .array(z.array(z.number().positive()).min(2).max(32))
    .min(1)
    .max(8)
    .optional()
    .describe("Width and height of each anchor in input pixels, one list for each stride, finest first"),
  strides: z.array(z.int().min(1).max(256)).min(1).max(8).optional().describe("Input pixels a cell, finest first"),
});

export type Reading = z.infer<typeof readingSchema>;
export type PerChannel = z.infer<typeof perChannel>;

export const manifestSchema = z
  .strictObject({
    name: z.string().min(1).max(64).optional().describe("Name in records and reports; default: the file's"),
    file: z.string().min(1).max(255).optional().describe("The ONNX file this manifest belongs to, in the same folder"),
    sha256: z
      .string()
      .regex(/^[0-9a-f]{64}$/, "expected 64 hexadecimal digits")
      .optional()
      .describe("Refuse any other content of the file"),
    bytes: z.int().positive().optional(),
    licence: z.string().max(200).optional(),
    source: z.string().max(500).optional(),
    family: z.string().min(1).max(32).optional().describe("How the outputs are read; always wins over recognition"),
    input: z
      .strictObject({
        width: size.optional(),
        height: size.optional(),
        mean: perChannel.optional().describe("The tensor value is (pixel - mean) / std"),
        std: perChannel.optional(),
        order: z.enum(["rgb", "bgr"]).optional(),
        fit: z.enum(["letterbox", "topleft", "stretch"]).optional(),
        pad: z.int().min(0).max(255).optional(),
      })
      .optional(),
    outputs: readingSchema.optional(),
    labels: labelList.optional().describe("In class order, no background"),
    threshold: z.number().min(0.05).max(1).optional().describe("Detections below it are stored but not shown or sent"),
    nms: z
      .strictObject({
        iou: z.number().min(0).max(1).optional(),
        classAgnostic: z.boolean().optional(),
        candidatesMax: z.int().min(1).max(10_000).optional(),
        detectionsMax: z.int().min(1).max(100).optional(),
      })
      .optional(),
    thresholds: labelScores.optional().describe("Scores for single labels instead of the threshold"),
    ...labelRules,
  })
  .describe("A model manifest");

export type ModelManifest = z.infer<typeof manifestSchema>;

export type LabelRules = Pick<ModelManifest, "thresholds" | keyof typeof labelRules>;

/** What the config says above the manifest. */
export type DetectorRules = LabelRules & Pick<ModelManifest, "threshold">;

const coordinate = z.number().min(0).max(100_000);

const goldenDetection = z.strictObject({
  label,
  score: z.number().min(0).max(1),
  box: z.strictObject({
    left: coordinate,
    top: coordinate,
    width: coordinate.positive(),
    height: coordinate.positive(),
  }),
});

export const goldenSchema = z
  .strictObject({
    sha256: z
      .string()
      .regex(/^[0-9a-f]{64}$/, "expected 64 hexadecimal digits")
      .optional()
      .describe("Of golden.jpg: the expected boxes belong to no other picture"),
    expected: z
      .array(goldenDetection)
      .min(1)
      .max(proofLimits.expectedMax)
      .describe("What the model finds, in pixels of the upright picture"),
    threshold: z
      .number()
      .min(0.05)
      .max(1)
      .optional()
      .describe("From this score on nothing else may be found; default: the model's threshold"),
    iouMin: z.number().min(0.1).max(1).default(proofLimits.iouMin).describe("Share that two boxes must have in common"),
    scoreTolerance: z.number().min(0).max(0.5).default(proofLimits.scoreTolerance),
  })
  .describe("What a model finds on its golden picture");

export type GoldenFacts = z.infer<typeof goldenSchema>;
