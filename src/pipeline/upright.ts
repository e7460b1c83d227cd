import { AgentError } from "../core/errors.ts";
import { scanJpeg, withoutMetadata, type JpegFacts } from "../core/jpeg.ts";
import { pipelineLimits } from "../core/limits.ts";
import type { EncodedImage, Vision } from "../core/vision-port.ts";
import type { Frame } from "../core/types.ts";

export interface UprightImage extends EncodedImage {
  /** True when it had to be encoded once more. */
  readonly turned: boolean;
}

/**
 * The picture as it may be stored: EXIF orientation baked in, all metadata gone. An upright picture keeps its bytes, so
 * nothing is lost to a second encoding. Fails with `IMAGE_CORRUPT`, or as the vision process does.
 */
export async function uprightImage(
  { jpeg, facts = factsOf(jpeg) }: Pick<Frame, "jpeg" | "facts">,
  vision: Pick<Vision, "reencode">,
  signal: AbortSignal,
): Promise<UprightImage> {
  if (facts.orientation === 1) {
    return { jpeg: withoutMetadata(jpeg, facts), width: facts.width, height: facts.height, turned: false };
  }
  const encoded = await vision.reencode(jpeg, { quality: pipelineLimits.uprightQuality }, signal);
  return { ...encoded, turned: true };
}

function factsOf(jpeg: Buffer): JpegFacts {
  const scan = scanJpeg(jpeg);
  if (scan.kind === "complete") return scan.facts;
  const message = `reading a picture of ${jpeg.length} bytes: ${scan.why}`;
  throw new AgentError("IMAGE_CORRUPT", message, { disposition: "reject" });
}
