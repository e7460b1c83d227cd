import type { Clock } from "../../src/core/clock.ts";
import { AgentError, asAgentError } from "../../src/core/errors.ts";
import { remoteLimits } from "../../src/core/remote-limits.ts";
import type { TargetPort } from "../../src/remote/commands/target.ts";
import { deliveriesOf, targetUnknown, type UploadParts } from "./upload-parts.ts";

/** The targets of a running agent. */
export function targetPort(parts: UploadParts, clock: Clock): TargetPort {
  const found = (id: string) => {
    const target = parts.targets.find((candidate) => candidate.id === id);
    if (target === undefined) throw targetUnknown(id, parts);
    return target;
  };
  return {
    mustKnow: (id) => void found(id),

    async list() {
      const { targets: backlogs } = await parts.spool.stats();
      const targets = deliveriesOf(parts, undefined).map((delivery) => {
        const { targetId, kind, state, forMs, retryInMs, pausedForMs, opensInMs, awayBecause } = delivery;
        const {
          pending = 0,
          quarantined = 0,
          accepted = 0,
        } = backlogs.find((backlog) => backlog.targetId === targetId) ?? {};
        return {
          ...{ id: targetId, kind, state, pending, quarantined, accepted },
          ...(forMs === undefined ? {} : { forMs: Math.round(forMs) }),
          ...(retryInMs === undefined ? {} : { retryInMs: Math.round(retryInMs) }),
          ...(pausedForMs === undefined ? {} : { pausedForMs: Math.round(pausedForMs) }),
          ...(opensInMs === undefined ? {} : { opensInMs }),
          ...(awayBecause === undefined ? {} : { error: awayBecause.code, message: awayBecause.message }),
        };
      });
      return { targets };
    },

    async test(id, signal) {
      const target = found(id);
      const startedMs = clock.monotonicMs();
      const deadline = AbortSignal.timeout(remoteLimits.targetTestTimeoutMs);
      try {
        await target.probe(AbortSignal.any([signal, deadline]));
      } catch (error) {
        signal.throwIfAborted();
        throw testFailed(id, error, deadline);
      }
      return { target: id, tookMs: Math.round(clock.monotonicMs() - startedMs) };
    },
  };
}

function testFailed(id: string, error: unknown, deadline: AbortSignal): AgentError {
  const { code, message } = asAgentError(error, `testing ${id}`);
  const why = deadline.aborted ? `no answer within ${remoteLimits.targetTestTimeoutMs} ms` : `${message} (${code})`;
  return new AgentError("TARGET_TEST_FAILED", `${id}: ${why}`, { disposition: "retry", cause: error });
}
