import type { AgentError } from "../../core/errors.ts";
import type { CameraStream } from "../../core/ports.ts";

interface Taker {
  readonly resolve: (jpeg: Buffer) => void;
  readonly reject: (error: Error) => void;
}

/**
 * The frames of one life of a continuous source. The source offers every frame it completes; who waits gets a copy, and
 * with nobody waiting the frame is gone, so that the pipe is always drained and nothing queues.
 */
export class FrameStream implements CameraStream {
  readonly framePeriodMs: number;
  readonly #takers = new Set<Taker>();
  readonly #watchers = new Set<(error: AgentError) => void>();
  #framesSeen = 0;
  #failure: AgentError | undefined;

  constructor(framePeriodMs: number) {
    this.framePeriodMs = framePeriodMs;
  }

  framesSeen(): number {
    return this.#framesSeen;
  }

  /** `view` may be memory that is used again: it is copied when somebody waits for it. */
  offer(view: Buffer): void {
    if (this.#failure !== undefined) return;
    this.#framesSeen += 1;
    if (this.#takers.size === 0) return;
    const jpeg = Buffer.allocUnsafeSlow(view.length);
    view.copy(jpeg);
    for (const { resolve } of this.#takers) resolve(jpeg);
    this.#takers.clear();
  }

  /** The source is gone: whoever waits, now or later, gets this error. The first one counts. */
  fail(error: AgentError): void {
    if (this.#failure !== undefined) return;
    this.#failure = error;
    for (const { reject } of this.#takers) reject(error);
    this.#takers.clear();
    for (const watcher of this.#watchers) watcher(error);
    this.#watchers.clear();
  }

  /** The first frame that completes after the call. */
  async next(signal: AbortSignal): Promise<Buffer> {
    signal.throwIfAborted();
    if (this.#failure !== undefined) throw this.#failure;
    let taker: Taker | undefined;
    let onAbort = () => {};
    try {
      return await new Promise<Buffer>((resolve, reject) => {
        taker = { resolve, reject };
        this.#takers.add(taker);
        onAbort = () => reject(signal.reason as Error);
        signal.addEventListener("abort", onAbort, { once: true });
      });
    } finally {
      signal.removeEventListener("abort", onAbort);
      if (taker !== undefined) this.#takers.delete(taker);
    }
  }

  onBroken(watcher: (error: AgentError) => void): () => void {
    if (this.#failure === undefined) this.#watchers.add(watcher);
    else watcher(this.#failure);
    return () => this.#watchers.delete(watcher);
  }
}
