import type { AgentError } from "../src/core/errors.ts";
import type { Target } from "../src/core/ports.ts";

/** A target that is never connected to, because of `why`. What it wants is owed to it until it is served again. */
export function unservedTarget(target: Target, why: AgentError): Target {
  const { id, kind } = target;
  return {
    id,
    kind,
    capacity: () => target.capacity(),
    wants: (draft) => target.wants(draft),
    start: async () => undefined,
    probe: () => Promise.reject(why),
    deliver: () => Promise.reject(why),
    close: async () => undefined,
  };
}
