import { scanJpeg, type JpegFacts } from "../core/jpeg.ts";
import type { captureLimits } from "../core/capture-limits.ts";

/** The capture area's bounds, any of which a test may lower. */
export type CaptureLimits = Readonly<Record<keyof typeof captureLimits, number>>;

type Judgement =
  | { readonly kind: "good"; readonly facts: JpegFacts }
  /** `why` is a phrase for an error text. */
  | { readonly kind: "bad"; readonly why: string };

/** A picture is judged by itself alone: no exit status, no content type, no log line of a camera program counts. */
export function judgePicture(bytes: Buffer, limits: CaptureLimits): Judgement {
  if (bytes.length === 0) return { kind: "bad", why: "it is empty" };
  if (bytes.length < limits.jpegBytesMin) return { kind: "bad", why: `it has only ${bytes.length} bytes` };
  if (bytes.length > limits.jpegBytesMax) {
    return { kind: "bad", why: `it has ${bytes.length} bytes, more than ${limits.jpegBytesMax}` };
  }
  const scan = scanJpeg(bytes);
  if (scan.kind === "damaged") return { kind: "bad", why: scan.why };
  const { width, height } = scan.facts;
  if (Math.max(width, height) > limits.sideMaxPixels) {
    return { kind: "bad", why: `it is ${width}x${height}, more than ${limits.sideMaxPixels} pixels a side` };
  }
  return { kind: "good", facts: scan.facts };
}
