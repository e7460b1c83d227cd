import { backoffMs } from "../../src/core/backoff.ts";
import type { Clock } from "../../src/core/clock.ts";
import { AgentError } from "../../src/core/errors.ts";
import { pullLimits } from "../../src/core/deliver-limits.ts";
import type { Random } from "../../src/core/ports.ts";

export interface PullSeams {
  readonly clock: Clock;
  readonly random: Random;
}

/** Does it again, a few times and after a while, where the failure may pass by itself. Fails with the last one. */
export async function patiently<T>(
  work: () => Promise<T>,
  { clock, random }: PullSeams,
  signal: AbortSignal,
): Promise<T> {
  for (let tries = 1; ; tries += 1) {
    try {
      return await work();
    } catch (error) {
      signal.throwIfAborted();
      const mayPass = error instanceof AgentError && error.disposition === "retry";
      if (!mayPass || tries >= pullLimits.triesMax) throw error;
      const ownMs = backoffMs(tries, pullLimits.backoffFirstMs, pullLimits.backoffMaxMs, random);
      await clock.sleep(Math.max(ownMs, Math.min(error.afterMs ?? 0, pullLimits.backoffMaxMs)), signal);
    }
  }
}
