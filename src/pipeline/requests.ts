import { AgentError } from "../core/errors.ts";
import { pipelineLimits } from "../core/limits.ts";
import type { Frame } from "../core/types.ts";
import type { Processed } from "./processed.ts";

interface CaptureRequest {
  readonly dryRun: boolean;
  readonly answer: (processed: Processed) => void;
  readonly fail: (error: unknown) => void;
}

interface WaitingRequest extends CaptureRequest {
  /** Only a picture taken after the request answers it. */
  readonly sinceMs: number;
}

/** Callers waiting for the next picture of one camera. */
export class CaptureRequests {
  readonly #waiting = new Set<WaitingRequest>();

  async add(cameraId: string, sinceMs: number, dryRun: boolean, signal: AbortSignal): Promise<Processed> {
    signal.throwIfAborted();
    if (this.#waiting.size >= pipelineLimits.requestsMax) {
      const message = `capturing from ${cameraId}: ${this.#waiting.size} callers wait already`;
      throw new AgentError("CAPTURE_BUSY", message, { disposition: "retry" });
    }
    let request: WaitingRequest | undefined;
    let abort = () => {};
    try {
      return await new Promise<Processed>((answer, fail) => {
        request = { sinceMs, dryRun, answer, fail };
        this.#waiting.add(request);
        abort = () => fail(captureStopped(cameraId));
        signal.addEventListener("abort", abort);
      });
    } finally {
      signal.removeEventListener("abort", abort);
      if (request !== undefined) this.#waiting.delete(request);
    }
  }

  /** Those that this frame answers; they wait no longer for another. */
  take(frame: Frame): readonly CaptureRequest[] {
    const answered = [...this.#waiting].filter(({ sinceMs }) => frame.monotonicMs >= sinceMs);
    for (const request of answered) this.#waiting.delete(request);
    return answered;
  }

  failAll(error: AgentError): void {
    for (const { fail } of this.#waiting) fail(error);
    this.#waiting.clear();
  }
}

export function captureStopped(cameraId: string): AgentError {
  return new AgentError("ABORTED", `capturing from ${cameraId}: stopped`, { disposition: "retry" });
}
