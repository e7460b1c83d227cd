import { z } from "zod";

/** The schema of a model manifest (`model.json`): what cannot be read from the model file itself. */

const size = z.int().min(8).max(8_192);
const perChannel = z.union([z.number(), z.tuple([z.number(), z.number(), z.number()])]);

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
    labels: z.array(z.string().min(1).max(64)).min(1).max(10_000).optional().describe("In class order, no background"),
    threshold: z.number().min(0.05).max(1).optional().describe("Detections below it are stored but not shown or sent"),
    nms: z
      .strictObject({
        iou: z.number().min(0).max(1).optional(),
        classAgnostic: z.boolean().optional(),
      })
      .optional(),
  })
  .describe("A model manifest");

export type ModelManifest = z.infer<typeof manifestSchema>;
