import { AgentError } from "../core/errors.ts";
import { scanJpeg, withoutMetadata } from "../core/jpeg.ts";
import { pipelineLimits } from "../core/limits.ts";
import type { EncodedImage, Vision } from "../core/ports.ts";

export interface UprightImage extends EncodedImage {
  /** True when it had to be encoded once more. */
  readonly turned: boolean;
}

/**
 * The picture as it may be stored: EXIF orientation baked in, all metadata gone. An upright picture keeps its bytes, so
 * nothing is lost to a second encoding. Fails with `IMAGE_CORRUPT`, or as the vision process does.
 */
export async function uprightImage(
  jpeg: Buffer,
  vision: Pick<Vision, "reencode">,
  signal: AbortSignal,
): Promise<UprightImage> {
  const scan = scanJpeg(jpeg);
  if (scan.kind === "damaged") {
    throw new AgentError("IMAGE_CORRUPT", `reading a picture of ${jpeg.length} bytes: ${scan.why}`, {
      disposition: "reject",
    });
  }
  const { facts } = scan;
  if (facts.orientation === 1) {
    return { jpeg: withoutMetadata(jpeg, facts), width: facts.width, height: facts.height, turned: false };
  }
  const encoded = await vision.reencode(jpeg, { quality: pipelineLimits.uprightQuality }, signal);
  return { ...encoded, turned: true };
}
