import type { Clock } from "../../src/core/clock.ts";
import { pulseLimits } from "../../src/core/limits.ts";
import type { Logger } from "../../src/core/ports.ts";
import type { Pulses } from "../../src/core/pulse.ts";
import type { Notifier } from "./notify.ts";

type Environment = Readonly<Record<string, string | undefined>>;

/** How often the service manager wants to hear of us; undefined where it has no watchdog, or not for this process. */
export function watchdogMsOf(environment: Environment, pid = process.pid): number | undefined {
  const { WATCHDOG_USEC: period, WATCHDOG_PID: owner } = environment;
  const periodMs = Number(period) / 1_000;
  const isOurs = owner === undefined || owner === "" || Number(owner) === pid;
  return isOurs && Number.isFinite(periodMs) && periodMs > 0 ? periodMs : undefined;
}

/** The period of the pulses: what stands still is to be known before the watchdog's own period is over. */
export function pulsePeriodMsOf(environment: Environment): number {
  return watchdogMsOf(environment) ?? pulseLimits.periodMs;
}

/**
 * Feeds the watchdog twice a period, and only while every loop turns. A camera that is dead, or a network that is closed,
 * is no reason to be ended: no restart would mend it. Ends when aborted.
 */
export async function feedWatchdog(
  { notifier, pulses, log }: { readonly notifier: Notifier; readonly pulses: Pulses; readonly log: () => Logger },
  clock: Clock,
  signal: AbortSignal,
): Promise<void> {
  let isLate = false;
  while (!signal.aborted) {
    const late = pulses.late();
    if (late.length === 0) notifier.send("WATCHDOG=1");
    else if (!isLate) log().error("service.stuck", { loops: late.map(({ name }) => name) });
    isLate = late.length > 0;
    await clock.sleep(pulses.periodMs / 2, signal).catch(() => undefined);
  }
}
