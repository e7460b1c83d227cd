import { createHash } from "node:crypto";
import type { OutgoingRequest } from "./request.ts";

/** A staged roll-out: which devices are among the first so many percent, the same at every run of its id. */

/** Raising the percentage keeps those who were chosen before. Another roll-out begins with other devices. */
export function isChosen(device: string, rollout: string, percent: number): boolean {
  const place = createHash("sha256").update(`${rollout}\n${device}`).digest().readUInt32BE(0) / 2 ** 32;
  return place * 100 < percent;
}

/**
 * The same for the same request of the same roll-out: a device that has done it answers with its first result and does
 * nothing again, so that a run that was broken off, or is widened, may be repeated.
 */
export function rolloutRequestId(
  rollout: string,
  command: string,
  { args, ifRevision }: Pick<OutgoingRequest, "args" | "ifRevision">,
): string {
  const digest = createHash("sha256")
    .update(JSON.stringify([command, args, ifRevision ?? null]))
    .digest("hex")
    .slice(0, 12);
  return `${rollout}:${digest}`;
}
