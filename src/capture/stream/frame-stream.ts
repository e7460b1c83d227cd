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
  readonly #said: () => string;
  readonly #takers = new Set<Taker>();
  readonly #watchers = new Set<(error: AgentError) => void>();
  #framesSeen = 0;
  #bytesSinceFrame = 0;
  #failure: AgentError | undefined;

  /** `said` is what the source says of itself, redacted. */
  constructor(framePeriodMs: number, said: () => string = () => "") {
    this.framePeriodMs = framePeriodMs;
    this.#said = said;
  }

  framesSeen(): number {
    return this.#framesSeen;
  }

  silence(): string {
    const bytes = this.#bytesSinceFrame;
    const came = bytes === 0 ? "nothing came" : `${bytes} bytes came, and no picture was among them`;
    const said = this.#said();
    return said === "" ? came : `${came}; it said: ${said}`;
  }

  /** For `silence`: bytes arrived, whatever they are. */
  received(sizeBytes: number): void {
    this.#bytesSinceFrame += sizeBytes;
  }

  /** `view` may be memory that is used again: it is copied when somebody waits for it. */
  offer(view: Buffer): void {
    if (this.#failure !== undefined) return;
    this.#framesSeen += 1;
    this.#bytesSinceFrame = 0;
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
