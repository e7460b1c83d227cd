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

/** A smaller copy may be taken. `bytesMax` says how small, where the documented limit is what was broken. */
export function tooLarge(name: string, sizeBytes: number): AgentError {
  const { imageBytesMax: bytesMax } = customVisionLimits;
  const message = `${name} has ${sizeBytes} bytes, too many for the service`;
  return reject("IMAGE_TOO_LARGE", message, sizeBytes > bytesMax ? { facts: { bytesMax } } : {});
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
  const tries = triesOf(cursor);
  const error = new AgentError("IMAGE_UNCERTAIN", `${record.name}: ${status}, ${tries.unknown + 1} times`, {
    disposition: "retry",
  });
  const afterMs = waitsMs[tries.unknown];
  if (afterMs === undefined) return { kind: "rejected", error };
  const next = cursorOf({ ...tries, unknown: tries.unknown + 1 });
  return { kind: "retry", scope: "record", error, afterMs, cursor: next };
}

/** Once with tags that were read anew, then no more. */
export function invalidTag({ record, cursor }: Delivery, why: string): Outcome {
  const tries = triesOf(cursor);
  const error = refused(`${record.name}: ${why}`);
  if (tries.tag > 0) return { kind: "rejected", error };
  return { kind: "retry", scope: "record", error, cursor: cursorOf({ ...tries, tag: 1 }) };
}

/** Counted apart and carried on together, so that answers that alternate come to an end too. */
interface Tries {
  readonly unknown: number;
  readonly tag: number;
}

/** What else a cursor says is another's affair and counts as none. */
function triesOf(cursor: Cursor | undefined): Tries {
  const [, unknown, tag] = /^unknown:(\d) tag:(\d)$/.exec(cursor ?? "") ?? [];
  return { unknown: Number(unknown ?? 0), tag: Number(tag ?? 0) };
}

function cursorOf({ unknown, tag }: Tries): Cursor {
  return `unknown:${unknown} tag:${tag}`;
}
