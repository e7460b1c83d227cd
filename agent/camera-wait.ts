import type { Clock } from "../src/core/clock.ts";
import { AgentError } from "../src/core/errors.ts";
import type { Camera } from "../src/core/ports.ts";

/** A webcam may warm up for 30 s, and its program may take 10 s more. */
const pictureTimeoutMs = 60_000;
/** A watched folder may rightly stay empty for days; what lies there is shown once it has settled, within 2 s. */
const folderTimeoutMs = 5_000;
const lookEveryMs = 100;
/** Restarts after which a person is told, and not left to wait for the next. */
const restartsMax = 2;
/** What waiting does not mend. */
const lasting =
  /^CAMERA_(NO_DEVICE|NO_FILE|NO_FOLDER|NO_SCRATCH|PROGRAM_MISSING|PROGRAM_OLD|PROGRAM_REFUSED|MASK_MISFIT|DENIED|OPTION_REFUSED|LOGIN_REFUSED|NOT_FOUND|NOT_A_PICTURE|NOT_A_STREAM|NOT_HTTP|REDIRECTED|TLS|INPUT)$/;

/**
 * For commands: the daemon waits for a camera for ever, but a person wants to know what is wrong with it. Ends `work`
 * with the camera's own error, or with `CAMERA_NO_PICTURE`, when no picture comes.
 */
export async function orCameraError<T>(
  camera: Pick<Camera, "id" | "health" | "pace">,
  clock: Clock,
  work: (signal: AbortSignal) => Promise<T>,
  signal: AbortSignal,
  timeoutMs = camera.pace === "every" ? folderTimeoutMs : pictureTimeoutMs,
): Promise<T> {
  const done = new AbortController();
  const gaveUp = new AbortController();
  let fault: AgentError | undefined;
  const watching = faultOf(camera, clock, AbortSignal.any([signal, done.signal]), timeoutMs).then(
    (found) => {
      fault = found;
      if (found !== undefined) gaveUp.abort();
    },
    () => undefined,
  );
  try {
    return await work(AbortSignal.any([signal, gaveUp.signal]));
  } catch (error) {
    throw signal.aborted ? error : (fault ?? error);
  } finally {
    done.abort();
    await watching;
  }
}

/** Undefined once a picture came. */
async function faultOf(
  camera: Pick<Camera, "id" | "health">,
  clock: Clock,
  signal: AbortSignal,
  timeoutMs: number,
): Promise<AgentError | undefined> {
  const startedMs = clock.monotonicMs();
  for (;;) {
    const { framesCaptured, restarts, lastError } = camera.health();
    if (framesCaptured > 0) return undefined;
    if (lastError !== undefined && (lasting.test(lastError.code) || restarts >= restartsMax)) {
      return new AgentError(lastError.code, lastError.message, { disposition: "retry" });
    }
    if (clock.monotonicMs() - startedMs > timeoutMs) {
      const last = lastError === undefined ? "" : `: ${lastError.message} (${lastError.code})`;
      const message = `no picture from ${camera.id} in ${timeoutMs / 1_000} s${last}`;
      return new AgentError("CAMERA_NO_PICTURE", message, { disposition: "retry" });
    }
    await clock.sleep(lookEveryMs, signal);
  }
}
