import type { Clock } from "../core/clock.ts";

/**
 * Runs `work` for at most `ms` (`Infinity` for no limit). Rejects with `expired()` at the deadline and with the
 * signal's reason when that aborts first, even when `work` ignores the signal it was given.
 *
 * The two signals are joined by hand: AbortSignal.any keeps memory for every call for as long as its longest-lived
 * source lives, and a camera's source lives for months.
 */
export async function withDeadline<T>(
  clock: Clock,
  ms: number,
  signal: AbortSignal,
  work: (signal: AbortSignal) => Promise<T>,
  expired: () => Error,
): Promise<T> {
  signal.throwIfAborted();
  const limit = new AbortController();
  const finished = new AbortController();
  const onAbort = () => limit.abort(signal.reason);
  signal.addEventListener("abort", onAbort, { once: true });
  const reached = new Promise<never>((_, reject) => {
    limit.signal.addEventListener("abort", () => reject(limit.signal.reason as Error), { once: true });
  });
  if (ms !== Infinity) {
    clock.sleep(ms, finished.signal).then(
      () => limit.abort(expired()),
      () => undefined,
    );
  }
  try {
    return await Promise.race([work(limit.signal), reached]);
  } finally {
    finished.abort();
    signal.removeEventListener("abort", onAbort);
  }
}
