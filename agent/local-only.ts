import { AgentError } from "../src/core/errors.ts";
import type { Target } from "../src/core/ports.ts";
import type { FramepostConfig, TargetConfig } from "./config-schema.ts";
import { unservedTarget } from "./unserved-target.ts";

/** Whether its records leave this machine. */
export function isElsewhere({ kind }: Pick<TargetConfig, "kind">): boolean {
  return kind !== "folder";
}

/** Whether nothing may go there for as long as this config is in force. */
export function isWithheld(target: Pick<TargetConfig, "kind">, { privacy }: Pick<FramepostConfig, "privacy">): boolean {
  return privacy.localOnly && isElsewhere(target);
}

/**
 * A target of a device that lets nothing leave: it is never connected to, and what is captured meanwhile is not owed to
 * it, so that none of it leaves later either.
 */
export function withheldTarget(target: Target): Target {
  const message = `${target.id} is not served: privacy.localOnly keeps everything on this machine`;
  const why = new AgentError("TARGET_LOCAL_ONLY", message, { disposition: "retry" });
  return { ...unservedTarget(target, why), wants: () => false };
}
