import { z } from "zod";
import { capacity, fraction, lifetime } from "../config/values.ts";

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

/** What the spool has to know of a target, for every target: spread into its own strict object. */
export const queueFields = {
  newestShare: fraction
    .default(0)
    .describe("Share of what is sent that goes to the newest records while many are waiting; 0 sends the oldest first"),
  backfill: z
    .boolean()
    .default(false)
    .describe("Also send the records that are in the spool already when this target is new"),
  backlog: z
    .strictObject({
      maxRecords: z.int().min(1).max(10_000_000).optional().describe("Most records that wait for this target"),
      maxBytes: capacity.optional().describe("Most bytes that wait for this target"),
      maxAge: lifetime.optional().describe("Longest that a record waits for this target"),
    })
    .prefault({})
    .describe("Bounds of what waits for this target alone; beyond them its oldest records are given up"),
};

/** The keys of filterFields as an object of their own. Its output is a RecordFilter. */
export const recordFilter = z.strictObject(filterFields);
