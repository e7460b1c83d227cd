import type { Clock } from "../core/clock.ts";
import type { CameraStream } from "../core/ports.ts";

export interface SilenceLimit {
  readonly limitMs: number;
  readonly error: () => Error;
}

/**
 * Waits while a continuous source is watched: it must not be found dead only when the next picture is due, which may be
 * in an hour. Rejects with the stream's own error as soon as it breaks, and with the silence's when no frame came for a
 * whole limit, which is seen after two of them at most. Leaves no listener and no timer behind.
 */
export async function unlessBroken(
  stream: CameraStream,
  silence: SilenceLimit,
  clock: Clock,
  signal: AbortSignal,
  wait: (signal: AbortSignal) => Promise<void>,
): Promise<void> {
  signal.throwIfAborted();
  const watch = new AbortController();
  const onAbort = () => watch.abort(signal.reason);
  signal.addEventListener("abort", onAbort, { once: true });
  const unwatch = stream.onBroken((error) => watch.abort(error));
  // An abort after the end of the wait is one of many, and heard by nobody.
  watchForSilence(stream, silence, clock, watch.signal).catch((error: unknown) => watch.abort(error));
  try {
    await wait(watch.signal);
  } catch (error) {
    throw watch.signal.aborted ? watch.signal.reason : error;
  } finally {
    unwatch();
    signal.removeEventListener("abort", onAbort);
    watch.abort(waitIsOver);
  }
}

/** Made once: at 30 frames a second the stack trace of each would be what this costs. */
const waitIsOver = new Error("the wait is over");

async function watchForSilence(
  stream: CameraStream,
  { limitMs, error }: SilenceLimit,
  clock: Clock,
  signal: AbortSignal,
): Promise<void> {
  for (let before = -1; before !== stream.framesSeen();) {
    before = stream.framesSeen();
    await clock.sleep(limitMs, signal);
  }
  throw error();
}
