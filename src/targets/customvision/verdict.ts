import { AgentError, type AgentErrorOptions } from "../../core/errors.ts";
import type { Outcome } from "../../core/outcome.ts";
import type { Delivery } from "../../core/ports.ts";
import type { Cursor } from "../../core/types.ts";
import { customVisionLimits } from "./limits.ts";
import type { CreatedImage } from "./models.ts";

/** What the status of one image means. Neither the status of HTTP nor `isBatchSuccessful` says anything about an image. */
export type Verdict =
  | { readonly kind: "accepted"; readonly remoteId?: string }
  | { readonly kind: "refused"; readonly error: AgentError }
  /** The project is full: nobody's image can be stored. */
  | { readonly kind: "full" }
  /** A tag of it is not the project's (any more). */
  | { readonly kind: "invalid-tag" }
  /** The service's own store failed. */
  | { readonly kind: "storage" }
  /** `ErrorUnknown`, a status that is new to us, or no answer at all. */
  | { readonly kind: "unknown"; readonly status: string };

const refusing: ReadonlySet<string> = new Set([
  "ErrorSource",
  "ErrorImageFormat",
  "ErrorImageDimensions",
  "ErrorTagLimitExceed",
  "ErrorRegionLimitExceed",
  "ErrorNegativeAndRegularTagOnSameImage",
]);

export function verdictOf(result: CreatedImage | undefined, { record }: Delivery): Verdict {
  if (result === undefined) return { kind: "unknown", status: "no answer" };
  const { status, image } = result;
  if (status === "OK" || status === "OKDuplicate") {
    return { kind: "accepted", ...(image === undefined ? {} : { remoteId: image.id }) };
  }
  if (status === "ErrorImageSize") return { kind: "refused", error: tooLarge(record.name, record.imageBytes) };
  if (refusing.has(status)) return { kind: "refused", error: refused(`${record.name} was refused: ${status}`) };
  if (status === "ErrorLimitExceed") return { kind: "full" };
  if (status === "ErrorInvalidTag") return { kind: "invalid-tag" };
  if (status === "ErrorStorage") return { kind: "storage" };
  return { kind: "unknown", status: status.slice(0, 64) };
}

/** A smaller copy may be taken: `bytesMax` says how small. */
export function tooLarge(name: string, sizeBytes: number): AgentError {
  const { imageBytesMax } = customVisionLimits;
  // What is refused although it keeps to the documented limit gets another chance at three quarters.
  const bytesMax = sizeBytes > imageBytesMax ? imageBytesMax : Math.floor((sizeBytes * 3) / 4);
  return reject("IMAGE_TOO_LARGE", `${name} has ${sizeBytes} bytes, too many for the service`, { facts: { bytesMax } });
}

export function refused(what: string): AgentError {
  return reject("IMAGE_REFUSED", what, {});
}

function reject(code: string, message: string, more: Pick<AgentErrorOptions, "facts">): AgentError {
  return new AgentError(code, message, { disposition: "reject", ...more });
}

/** Tries alone after an answer that is neither yes nor no, with growing waits: the last is some ten minutes later. */
const waitsMs = [5_000, 60_000, 600_000] as const;

/** The next try of an image that the service says neither yes nor no to, or its end. */
export function uncertain({ record, cursor }: Delivery, status: string): Outcome {
  const tries = triesIn(cursor, "unknown");
  const error = new AgentError("IMAGE_UNCERTAIN", `${record.name}: ${status}, ${tries + 1} times`, {
    disposition: "retry",
  });
  const afterMs = waitsMs[tries];
  if (afterMs === undefined) return { kind: "rejected", error };
  return { kind: "retry", scope: "record", error, afterMs, cursor: `unknown:${tries + 1}` };
}

/** Once with tags that were read anew, then no more. */
export function invalidTag({ record, cursor }: Delivery, why: string): Outcome {
  const error = refused(`${record.name}: ${why}`);
  if (triesIn(cursor, "tag") > 0) return { kind: "rejected", error };
  return { kind: "retry", scope: "record", error, cursor: "tag:1" };
}

/** What else a cursor says is another's affair and counts as none. */
function triesIn(cursor: Cursor | undefined, kind: "unknown" | "tag"): number {
  const [word, count] = (cursor ?? "").split(":");
  return word === kind && /^\d$/.test(count ?? "") ? Number(count) : 0;
}
