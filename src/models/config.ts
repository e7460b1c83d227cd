import { z } from "zod";
import { captureLimits } from "../core/capture-limits.ts";
import { modelLimits } from "../core/model-limits.ts";

/** The schema of a release file: which model an operator publishes, and where its files lie. */

/** What a version folder may hold, and how large each may be. No release names any other file. */
const fileBytesMax = {
  "model.onnx": modelLimits.bytesMax,
  "model.json": modelLimits.textBytesMax,
  "golden.jpg": captureLimits.jpegBytesMax,
  "golden.json": modelLimits.textBytesMax,
} as const;

export type ReleasePath = keyof typeof fileBytesMax;

/** A model without a test picture could not be proven. */
const requiredPaths: readonly ReleasePath[] = ["model.onnx", "golden.jpg", "golden.json"];

/** As a folder's name; `current` and `previous` are links beside them. */
const segment = z
  .string()
  .regex(/^[A-Za-z0-9][\w.-]{0,63}$/, "expected letters, digits, dots, dashes and underscores, 64 at most")
  .refine((name) => name !== "current" && name !== "previous", "current and previous are no names of a model");

const releaseFile = z
  .strictObject({
    path: z.enum(["model.onnx", "model.json", "golden.jpg", "golden.json"]),
    url: z.string().min(1).max(2_000).describe("Relative to the release file's address, or https"),
    bytes: z.int().positive(),
    sha256: z.string().regex(/^[0-9a-f]{64}$/, "expected 64 hexadecimal digits"),
  })
  .refine(({ path, bytes }) => bytes <= fileBytesMax[path], "it is too large");

export const releaseSchema = z
  .strictObject({
    format: z.literal(1),
    name: segment,
    version: segment,
    sequence: z.int().positive().describe("Higher with every release"),
    expires: z.iso.datetime({ offset: true }).describe("From then on nobody takes it any more"),
    maxRunMs: z.number().positive().max(60_000).optional().describe("A device on which a run takes longer refuses it"),
    files: z
      .array(releaseFile)
      .max(Object.keys(fileBytesMax).length)
      .refine((files) => new Set(files.map(({ path }) => path)).size === files.length, "a file is named twice")
      .refine(
        (files) => requiredPaths.every((path) => files.some((file) => file.path === path)),
        `expected ${requiredPaths.join(", ")}`,
      ),
  })
  .describe("A release of a model");
