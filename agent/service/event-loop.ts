import type { Clock } from "../../src/core/clock.ts";
import { pulseLimits } from "../../src/core/limits.ts";
import type { Pulses } from "../../src/core/pulse.ts";

/**
 * The pulse of the event loop itself: it beats as long as timers come in time. One that always comes late, for the work
 * between is too much, is as stuck as one that never comes. Ends when aborted.
 */
export async function beatEventLoop(pulses: Pulses, clock: Clock, signal: AbortSignal): Promise<void> {
  const pulse = pulses.begin("event-loop");
  const everyMs = pulses.periodMs / 4;
  const lagMaxMs = pulses.periodMs * pulseLimits.lagShareMax;
  while (!signal.aborted) {
    const dueMs = clock.monotonicMs() + everyMs;
    await clock.sleep(everyMs, signal).catch(() => undefined);
    if (clock.monotonicMs() - dueMs <= lagMaxMs) pulse.beat();
  }
  pulse.end();
}
