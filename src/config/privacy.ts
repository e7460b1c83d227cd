import { z } from "zod";
import { privacyLimits } from "../core/privacy-limits.ts";
import type { PrivacyMask } from "../core/privacy.ts";
import { label } from "./label-rules.ts";

/** What nobody may see, and what may not leave the machine. */

const side = z.int().min(16).max(16_384);
const polygon = z
  .array(z.tuple([z.number(), z.number()]))
  .min(3)
  .max(privacyLimits.pointsMax);

const mask = z
  .strictObject({
    size: z
      .strictObject({ width: side, height: side })
      .describe("The picture's, upright, that the polygons were drawn for: one of another size is not let through"),
    polygons: z
      .array(polygon)
      .min(1)
      .max(privacyLimits.polygonsMax)
      .describe("Lists of corners, [x, y] in pixels from the upper left; what they enclose or touch is painted black"),
  })
  .superRefine(({ size, polygons }: PrivacyMask, context) => {
    for (const [at, points] of polygons.entries()) {
      const outside = points.findIndex(([x, y]) => x < 0 || y < 0 || x > size.width || y > size.height);
      if (outside === -1) continue;
      const message = `lies outside of the ${size.width}x${size.height} picture`;
      context.addIssue({ code: "custom", message, path: ["polygons", at, outside] });
    }
  })
  .describe("Painted over every picture before anything else sees it");

const blur = z
  .strictObject({
    labels: z
      .array(label)
      .min(1)
      .max(privacyLimits.labelsMax)
      .describe("What is made unrecognisable; the model must know each of them, else no frame is kept"),
    margin: z
      .number()
      .min(0)
      .max(1)
      .default(privacyLimits.blurMargin)
      .describe("Share of a box's sides by which it is made larger on each side"),
    minScore: z
      .number()
      .min(0.05)
      .max(1)
      .default(privacyLimits.blurMinScore)
      .describe("From this score on, whatever the detector's threshold"),
  })
  .describe("Make what the detector finds unrecognisable before it is stored, shown or sent");

/** Belongs into every camera. */
export const cameraPrivacy = z
  .strictObject({ mask: mask.optional(), blur: blur.optional() })
  .describe("What nobody may see of this camera's pictures");

export const privacy = z
  .strictObject({
    localOnly: z
      .boolean()
      .default(false)
      .describe("No picture leaves this machine: only folder targets are served, and no reply holds a picture"),
    remoteChanges: z
      .boolean()
      .default(false)
      .describe("Let remote commands with the scope admin change privacy settings; only this file can say so"),
  })
  .describe("What may not leave this machine, and who may change what is hidden");
