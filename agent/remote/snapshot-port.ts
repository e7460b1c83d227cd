import type { Clock } from "../../src/core/clock.ts";
import { AgentError } from "../../src/core/errors.ts";
import { remoteLimits } from "../../src/core/remote-limits.ts";
import type { SnapshotPort } from "../../src/remote/commands/snapshot.ts";
import type { Agent } from "../compose.ts";
import { processedFacts } from "../processed-text.ts";
import { cameraNamed } from "./camera-away.ts";
import { pictureNow } from "./picture-now.ts";

/** A picture now, through the running pipeline. */
export function snapshotPort(
  { cameras, pipeline, localOnly }: Pick<Agent, "cameras" | "pipeline" | "localOnly">,
  /** Of a whole packet at the broker, at this moment. */
  packetBytesMax: () => number,
  clock: Clock,
): SnapshotPort {
  return {
    async snapshot({ camera: id, inline }, { dry, signal }) {
      if (inline && localOnly) throw staysHere();
      const camera = cameraNamed(cameras, id);
      const processed = await pictureNow({ camera, pipeline, clock }, dry, signal);
      const sequence = processed.kind === "stored" ? { sequence: processed.record.sequence } : {};
      const facts = { ...processedFacts(processed), ...sequence };
      if (!inline) return facts;
      const roomBytes = packetBytesMax() - remoteLimits.packetOverheadBytes - Buffer.byteLength(JSON.stringify(facts));
      return { ...facts, image: inlined(processed.seen.image.jpeg, roomBytes) };
    },
  };
}

function staysHere(): AgentError {
  const message = "/args/inline: privacy.localOnly keeps every picture on the device";
  return new AgentError("PRIVACY_LOCAL_ONLY", message, { disposition: "reject", facts: { path: "/args/inline" } });
}

/** A reply that the broker does not take would be none. */
function inlined(jpeg: Buffer, roomBytes: number): object {
  const bytesMax = Math.min(remoteLimits.inlineBytesMax, Math.max(0, Math.floor(roomBytes / 4) * 3));
  if (jpeg.length > bytesMax) return { leftOut: "too_large", sizeBytes: jpeg.length, bytesMax };
  return { contentType: "image/jpeg", sizeBytes: jpeg.length, base64: jpeg.toString("base64") };
}
