import type { Clock } from "../../core/clock.ts";
import { errnoOf } from "../../core/errors.ts";

interface ProcessGroup {
  /** The group's leader; undefined while it is not known yet. */
  readonly leader: () => Promise<number | undefined>;
  readonly hasEnded: () => boolean;
}

const pollMs = 20;

/**
 * Asks a camera program to end, then kills it with everything it started. Gives up after twice `graceMs`: a process
 * stuck inside a kernel driver cannot be killed by anybody.
 */
export async function endProcessGroup(group: ProcessGroup, polite: NodeJS.Signals, graceMs: number, clock: Clock) {
  const always = new AbortController().signal;
  const beganMs = clock.monotonicMs();
  let asked = false;
  while (!group.hasEnded() && clock.monotonicMs() - beganMs < 2 * graceMs) {
    const leader = await group.leader();
    const overdue = clock.monotonicMs() - beganMs >= graceMs;
    if (leader !== undefined && !group.hasEnded() && (overdue || !asked)) {
      signalGroup(leader, overdue ? "SIGKILL" : polite);
      asked = true;
    }
    await clock.sleep(pollMs, always);
  }
}

/** A leader that has not made its group yet has no children either, and is signalled alone. */
function signalGroup(leader: number, signal: NodeJS.Signals): void {
  for (const target of [-leader, leader]) {
    try {
      process.kill(target, signal);
      return;
    } catch (error) {
      // A program that took another user's rights is beyond us: the caller's own limit goes on.
      if (errnoOf(error) !== "ESRCH") return;
    }
  }
}

/** Ends what a leader that has gone left behind in its group. */
export function killLeftovers(leader: number): void {
  try {
    process.kill(-leader, "SIGKILL");
  } catch {
    // There is nothing left, as a rule; what took another user's rights is beyond us.
  }
}

/** True for a process of another user's too. */
export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return errnoOf(error) === "EPERM";
  }
}
