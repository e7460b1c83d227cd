import { AgentError } from "../src/core/errors.ts";
import type { Target } from "../src/core/ports.ts";
import type { FramepostConfig, TargetConfig } from "./config-schema.ts";

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
  const { id, kind } = target;
  const refused = () => {
    const message = `${id} is not served: privacy.localOnly keeps everything on this machine`;
    return new AgentError("TARGET_LOCAL_ONLY", message, { disposition: "retry" });
  };
  return {
    id,
    kind,
    capacity: () => target.capacity(),
    wants: () => false,
    start: async () => undefined,
    probe: () => Promise.reject(refused()),
    deliver: () => Promise.reject(refused()),
    close: async () => undefined,
  };
}
