import { createHash } from "node:crypto";
import { clipBox } from "./detections.ts";
import type { Box, Detection } from "./types.ts";

/** What of a camera's picture nobody may see: neither who stores it, nor who looks at it, nor who gets it. */

/** A corner of a polygon: x and y in pixels, from the upper left corner of the picture. */
export type MaskPoint = readonly [number, number];

export interface PrivacyMask {
  /** Of the upright picture that the polygons were drawn for; they say nothing about any other. */
  readonly size: { readonly width: number; readonly height: number };
  readonly polygons: readonly (readonly MaskPoint[])[];
}

export interface BlurRules {
  readonly labels: readonly string[];
  /** Share of a box's sides by which it is made larger on each of its sides. */
  readonly margin: number;
  /** From this score on, whatever score is shown and sent. */
  readonly minScore: number;
}

export interface CameraPrivacy {
  readonly mask?: PrivacyMask | undefined;
  readonly blur?: BlurRules | undefined;
}

/**
 * Stands in each record for what was hidden in its picture: the same for the same settings on every device, and another
 * as soon as anything of them changes. Undefined where nothing is hidden.
 */
export function maskVersionOf({ mask, blur }: CameraPrivacy = {}): string | undefined {
  if (mask === undefined && blur === undefined) return undefined;
  const hidden = {
    mask: mask === undefined ? null : [mask.size.width, mask.size.height, mask.polygons],
    blur: blur === undefined ? null : [[...new Set(blur.labels)].sort(), blur.margin, blur.minScore],
  };
  return createHash("sha256").update(JSON.stringify(hidden)).digest("hex").slice(0, 16);
}

/** What has to be made unrecognisable in a picture of this size. */
export function blurredBoxes(
  detections: readonly Detection[],
  { labels, margin, minScore }: BlurRules,
  { width, height }: { readonly width: number; readonly height: number },
): readonly Box[] {
  return detections.flatMap(({ label, score, box }) => {
    if (score < minScore || !labels.includes(label)) return [];
    const [across, down] = [box.width * margin, box.height * margin];
    const wider = {
      left: box.left - across,
      top: box.top - down,
      width: box.width + 2 * across,
      height: box.height + 2 * down,
    };
    return clipBox(wider, width, height) ?? [];
  });
}
