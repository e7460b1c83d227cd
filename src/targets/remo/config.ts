import { z } from "zod";
import { duration, identifier, secret } from "../../config/values.ts";
import { connectionFields, connectionWarnings, filterFields, queueFields, reduceFields, serverUrl } from "../config.ts";
import { remoTasks } from "./uploads.ts";

const accessFields = {
  url: serverUrl("http://localhost:8123", /\/api\//)
    .default("http://localhost:8123")
    .describe("Address of the remo server"),
  email: z.email().describe("E-mail address of the remo account"),
  password: secret.describe("Password of the remo account"),
  ...connectionFields,
};

/** What reaches the account, out of a target's config or the environment. */
export const remoAccess = z.object(accessFields);

const id = z.int().min(1);

/** The same for whoever reads labels; from the environment numbers come as texts. */
export const remoLabelAccess = z.object({
  ...accessFields,
  datasetId: z.coerce.number().int().min(1),
  annotationSetId: z.coerce.number().int().min(1).optional(),
});

export const remoConfig = z.strictObject({
  id: identifier.describe("Name of this target in logs, commands and the spool"),
  kind: z.literal("remo"),
  ...accessFields,
  datasetId: id.describe("Dataset that the pictures go to; its number is in its address in remo"),
  task: z
    .enum(remoTasks)
    .default("Object detection")
    .describe("What the annotations are: boxes, polygons, or classes of whole pictures"),
  annotationSetId: id
    .optional()
    .describe("Annotation set of the dataset; when left out the only one of this task, or a new one"),
  annotationSetName: z
    .string()
    .min(1)
    .max(200)
    .default("framepost")
    .describe("Name of the annotation set, where one has to be made"),
  folderId: id.optional().describe("Folder of the dataset that the pictures go to"),
  sessions: z
    .boolean()
    .default(true)
    .describe("Upload in sessions, as servers since May 2020 want it; false for older ones"),
  sessionTimeout: duration
    .refine((ms) => ms >= 1_000 && ms <= 25_000, "expected 1s to 25s")
    .prefault("15s")
    .describe("How long a delivery waits for the server to work through what it was sent; it looks again later"),
  ...filterFields,
  ...queueFields,
  ...reduceFields,
});

export type RemoConfig = z.infer<typeof remoConfig>;

/** What an operator should know although it is allowed. Holds no secret. */
export function remoWarnings(config: RemoConfig): readonly string[] {
  const warnings = [...connectionWarnings(config, "the password and the pictures")];
  if (!config.sessions) {
    warnings.push(`${config.id}: sessions is false, which servers since May 2020 refuse or leave unprocessed`);
  }
  if (config.folderId !== undefined) {
    warnings.push(`${config.id}: server 0.6.1 answers 500 to every upload with folderId, and the target would wait`);
  }
  return warnings;
}
