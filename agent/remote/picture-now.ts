import type { Clock } from "../../src/core/clock.ts";
import { AgentError } from "../../src/core/errors.ts";
import { Interruptible } from "../../src/core/interruptible.ts";
import { remoteLimits } from "../../src/core/remote-limits.ts";
import type { Camera } from "../../src/core/ports.ts";
import type { Pipeline } from "../../src/pipeline/pipeline.ts";
import type { Processed } from "../../src/pipeline/processed.ts";
import { cameraAway } from "./camera-away.ts";

/** What a request for a picture came to, where there is one. */
export type Taken = Extract<Processed, { kind: "stored" | "kept" | "not-owed" }>;

export interface PictureSource {
  readonly camera: Pick<Camera, "id" | "pace" | "health">;
  readonly pipeline: Pick<Pipeline, "captureOnce" | "health">;
  readonly clock: Clock;
}

/**
 * A picture of a running camera, through the whole chain. Whoever asks from far away is told at once, or in bounded time,
 * that there is none: fails with `CAMERA_…`, with `SPOOL_FULL` or `DISK_FULL`, or with what the picture met on its way.
 */
export async function pictureNow(source: PictureSource, dry: boolean, signal: AbortSignal): Promise<Taken> {
  const { camera, pipeline, clock } = source;
  const off = cameraAway(camera.health());
  if (off !== undefined) throw off;
  const capturing = new Interruptible();
  const done = new AbortController();
  let fault: AgentError | undefined;
  const watching = faultOf(source, clock, done.signal).then(
    (found) => {
      fault = found;
      capturing.interrupt();
    },
    () => undefined,
  );
  try {
    const once = (limited: AbortSignal) => pipeline.captureOnce(camera.id, { dryRun: dry }, limited);
    return taken(await capturing.run(signal, once));
  } catch (error) {
    throw signal.aborted ? error : (fault ?? error);
  } finally {
    done.abort();
    await watching;
  }
}

/** Resolves when waiting is in vain. */
async function faultOf({ camera, pipeline }: PictureSource, clock: Clock, signal: AbortSignal): Promise<AgentError> {
  const limitMs = camera.pace === "every" ? remoteLimits.folderWaitMs : remoteLimits.pictureWaitMs;
  const startedMs = clock.monotonicMs();
  for (;;) {
    const away = cameraAway(camera.health());
    if (away !== undefined) return away;
    if (clock.monotonicMs() - startedMs > limitMs) {
      const { spoolFull } = pipeline.health();
      const message = `no picture from ${camera.id} in ${limitMs / 1_000} s`;
      return spoolFull
        ? new AgentError("SPOOL_FULL", `${message}: the spool is full`, { disposition: "retry" })
        : new AgentError("CAMERA_NO_PICTURE", message, { disposition: "retry" });
    }
    await clock.sleep(remoteLimits.cameraLookMs, signal);
  }
}

function taken(processed: Processed): Taken {
  switch (processed.kind) {
    case "stored":
    case "kept":
    case "not-owed":
      return processed;
    case "refused":
      throw processed.error;
    case "dropped": {
      const { why, error } = processed;
      if (why !== "image-corrupt") throw error;
      throw new AgentError("CAMERA_BAD_IMAGE", error.message, { disposition: "retry", cause: error });
    }
    case "still":
    case "not-kept":
      // A frame that was asked for is detected and kept.
      throw new AgentError("UNEXPECTED", `a picture that was asked for was ${processed.kind}`, {
        disposition: "reject",
      });
  }
}
