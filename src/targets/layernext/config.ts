import { z } from "zod";
import { capacity, identifier, tls } from "../../config/values.ts";
import { layernextLimits } from "../../core/platform-limits.ts";
import {
  connectionFields,
  connectionWarnings,
  filterFields,
  headerSecret,
  queueFields,
  reduceFields,
  serverUrl,
} from "../config.ts";
import { operationIdProblem } from "./operation-id.ts";

/** Both are part of a file's key, which with the file's name has to stay below `idBytesMax`. */
const keyPartBytesMax = 100;

const accessFields = {
  url: serverUrl("https://api.example.layernext.ai", /\/(api|datalake)\//).describe(
    "Address of the LayerNext server, for example https://api.example.layernext.ai",
  ),
  apiKey: headerSecret.regex(/^[^:]+$/, "expected no colon").describe("API key of the LayerNext account"),
  secret: headerSecret.describe("Secret that belongs to the API key"),
  api: z
    .enum(["3.x", "1.x", "layerx"])
    .default("3.x")
    .describe("Generation of the server: 3.x also for 2.x, layerx for the time before 1.0"),
  basePath: z
    .string()
    .regex(/^(\/[A-Za-z0-9._-]+)*$/, "expected a path such as /datalake, or nothing")
    .optional()
    .describe("Between url and /api: nothing on 3.x and /datalake before, unless this says otherwise"),
  otherStorage: z
    .enum(["refuse", "unproven"])
    .default("refuse")
    .describe("What to do where the server stores in Google's or Azure's cloud, which was never tried with a live one"),
  ...connectionFields,
};

/** What reaches the account, out of a target's config or the environment. */
export const layernextAccess = z.object(accessFields);

export const layernextConfig = z.strictObject({
  id: identifier.describe("Name of this target in logs, commands and the spool"),
  kind: z.literal("layernext"),
  ...accessFields,
  storageTls: tls.optional().describe("Certificates of the storage's host, which is another one than the server's"),
  collection: z
    .string()
    .min(1)
    .refine((name) => Buffer.byteLength(name) <= keyPartBytesMax, `expected at most ${keyPartBytesMax} bytes`)
    .regex(/^[^\p{C}]*$/u, "expected no control characters")
    .describe("Collection of images; made by the server where it is new"),
  operationId: z
    .string()
    .max(100)
    .default("{model} {version}")
    .superRefine((template, context) => {
      const message = operationIdProblem(template);
      if (message !== undefined) context.addIssue({ code: "custom", message });
    })
    .describe("Name of the model run; {model}, {version} and {date} are filled in"),
  geometry: z
    .enum(["outline", "rectangle"])
    .default("outline")
    .describe("outline sends a polygon or line where the model gives one, else its box"),
  metadata: z
    .record(z.string(), z.union([z.string(), z.number(), z.boolean()]))
    .default({})
    .describe("Metadata of every image"),
  storagePrefix: z
    .string()
    .min(1)
    .refine((path) => Buffer.byteLength(path) <= keyPartBytesMax, `expected at most ${keyPartBytesMax} bytes`)
    .optional()
    .describe("Folder in the server's bucket"),
  batch: z
    .strictObject({
      maxRecords: z
        .int()
        .min(1)
        .max(layernextLimits.batchRecordsMax)
        .default(layernextLimits.batchRecordsDefault)
        .describe("Most records in one upload and model run"),
      maxBytes: capacity.default(layernextLimits.batchBytesDefault).describe("Most bytes in one upload"),
    })
    .prefault({})
    .describe("How much goes together"),
  ...filterFields,
  ...queueFields,
  ...reduceFields,
});

export type LayernextConfig = z.infer<typeof layernextConfig>;

/** What an operator should know although it is allowed. Holds no secret. */
export function layernextWarnings(config: LayernextConfig): readonly string[] {
  const unproven = config.otherStorage === "unproven";
  return [
    ...connectionWarnings(config, "the secret and the labels"),
    ...(unproven ? [`${config.id}: storage other than S3 was never tried with a live server (otherStorage)`] : []),
  ];
}
