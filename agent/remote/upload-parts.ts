import { AgentError } from "../../src/core/errors.ts";
import type { DeliveryHealth } from "../../src/core/health.ts";
import type { Agent } from "../compose.ts";

/** What sends records, of a running agent. */
export type UploadParts = Pick<Agent, "spool" | "targets" | "loops" | "upload">;

/** How delivery stands, of one target or of all. Fails with `TARGET_UNKNOWN`. */
export function deliveriesOf(parts: UploadParts, target: string | undefined): readonly DeliveryHealth[] {
  const all = parts.loops.map((loop) => loop.health());
  const found = target === undefined ? all : all.filter(({ targetId }) => targetId === target);
  if (target !== undefined && found.length === 0) throw targetUnknown(target, parts);
  return found;
}

export function targetUnknown(target: string, { targets }: Pick<UploadParts, "targets">): AgentError {
  const known = targets.map(({ id }) => id).join(", ") || "none";
  return new AgentError("TARGET_UNKNOWN", `no target ${target}; the config has ${known}`, { disposition: "reject" });
}
