import { z } from "zod";
import { fraction } from "../config/values.ts";

/** The keys of a RecordFilter, for every target that takes images: spread into the target's own strict object. */
export const filterFields = {
  labels: z
    .array(z.string().min(1))
    .min(1)
    .optional()
    .describe("Send only records that show at least one of these labels"),
  minScore: fraction
    .default(0)
    .describe("Send only detections at or above this score; the model's threshold still holds"),
  includeEmpty: z.boolean().default(false).describe("Also send frames on which nothing was detected"),
  includeUnlabelled: z
    .boolean()
    .default(false)
    .describe("Also send frames that the detector never saw, for example while it was restarting"),
};

/** The same keys as an object of their own. Its output is a RecordFilter. */
export const recordFilter = z.strictObject(filterFields);
