import type { UploadPort } from "../../src/remote/commands/upload.ts";
import type { DeliveryHealth, UploadHealth } from "../../src/core/health.ts";
import type { ExplainUploadPort, UploadFacts } from "../../src/remote/commands/explain-upload.ts";
import { deliveriesOf, type UploadParts } from "./upload-parts.ts";

/** Pauses and the limit of a running agent. */
export function uploadPort(parts: UploadParts): UploadPort {
  const { upload } = parts;
  const idsOf = (target: string | undefined) => deliveriesOf(parts, target).map(({ targetId }) => targetId);
  return {
    async pause(target, durationMs, { dry }) {
      const ids = idsOf(target);
      if (!dry) await upload.pause(ids, durationMs);
      return { paused: ids, ...(durationMs === undefined ? {} : { durationMs }) };
    },
    async resume(target, { dry }) {
      const paused = upload.paused();
      const ids = idsOf(target).filter((id) => paused.includes(id));
      if (!dry && ids.length > 0) await upload.resume(ids);
      return { resumed: ids };
    },
    async limit(bytesPerSecond, { dry }) {
      const before = upload.health().limitBytesPerSecond ?? 0;
      if (!dry) await upload.limit(bytesPerSecond === 0 ? undefined : bytesPerSecond);
      // Where a command ends its own limit, that of the config holds again.
      return { bytesPerSecond: bytesPerSecond === 0 ? (upload.configuredLimit ?? 0) : bytesPerSecond, before };
    },
  };
}

export function explainUploadPort(parts: UploadParts): ExplainUploadPort {
  return {
    async facts(target) {
      const deliveries = deliveriesOf(parts, target);
      const { targets: backlogs } = await parts.spool.stats();
      return deliveries.map((delivery) => {
        const { pending = 0, quarantined = 0 } = backlogs.find(({ targetId }) => targetId === delivery.targetId) ?? {};
        return uploadFacts({ ...delivery, pending, quarantined }, parts.upload.health(), parts.spool);
      });
    },
  };
}

/** What tells why nothing is being sent to a target. */
export function uploadFacts(
  delivery: DeliveryHealth & Pick<UploadFacts, "pending" | "quarantined">,
  { limitWaitMs = 0, budget }: UploadHealth,
  spool: Pick<UploadParts["spool"], "dueInMs">,
): UploadFacts {
  const { targetId, kind, pending, quarantined } = delivery;
  const dueInMs = spool.dueInMs(targetId);
  return {
    ...{ delivery, pending, quarantined },
    // A disk is no line that could be too slow.
    limitWaitMs: kind === "folder" ? 0 : limitWaitMs,
    ...(budget === undefined ? {} : { budget }),
    ...(dueInMs === undefined ? {} : { dueInMs }),
  };
}
