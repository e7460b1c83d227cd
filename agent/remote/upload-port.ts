import type { UploadPort } from "../../src/remote/commands/upload.ts";
import type { ExplainUploadPort } from "../../src/remote/commands/explain-upload.ts";
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
      const { limitWaitMs = 0, budget } = parts.upload.health();
      return deliveries.map((delivery) => {
        const { pending = 0, quarantined = 0 } = backlogs.find(({ targetId }) => targetId === delivery.targetId) ?? {};
        const dueInMs = parts.spool.dueInMs(delivery.targetId);
        return {
          ...{ delivery, pending, quarantined, limitWaitMs },
          ...(budget === undefined ? {} : { budget }),
          ...(dueInMs === undefined ? {} : { dueInMs }),
        };
      });
    },
  };
}
