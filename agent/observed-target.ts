import type { Outcome } from "../src/core/outcome.ts";
import type { Delivery, Target } from "../src/core/ports.ts";

/** A target that also tells somebody each answer: for commands that wait for what they sent. */
export function observedTarget(
  target: Target,
  onOutcome: (targetId: string, recordId: string, outcome: Outcome) => void,
): Target {
  return {
    id: target.id,
    kind: target.kind,
    capacity: () => target.capacity(),
    wants: (draft) => target.wants(draft),
    start: () => target.start(),
    probe: (signal) => target.probe(signal),
    close: () => target.close(),
    async deliver(deliveries: readonly Delivery[], signal: AbortSignal) {
      const outcomes = await target.deliver(deliveries, signal);
      for (const [recordId, outcome] of outcomes) onOutcome(target.id, recordId, outcome);
      return outcomes;
    },
  };
}
