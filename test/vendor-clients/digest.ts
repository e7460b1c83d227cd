import { createHash } from "node:crypto";

import type { Digest } from "./fixture.ts";

/** Size and SHA-256 of bytes: what a fixture says instead of the bytes. */
export function digest(bytes: Uint8Array): Digest {
  return { sizeBytes: bytes.byteLength, sha256: createHash("sha256").update(bytes).digest("hex") };
}
