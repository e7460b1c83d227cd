import type { Clock } from "../core/clock.ts";
import { AgentError } from "../core/errors.ts";
import { webLimits } from "../core/web-limits.ts";

/** One browser that listens. */
export interface EventStream {
  /** Aborts when the browser has gone, reads too slowly, or the server stops. */
  readonly signal: AbortSignal;
  /** Nothing after the end. */
  readonly send: (event: string, data: object) => void;
}

/** Server-sent events: bounded in number and in what waits for a slow reader. */
export class EventStreams {
  readonly #clock: Clock;
  readonly #open = new Set<AbortController>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  get count(): number {
    return this.#open.size;
  }

  /**
   * The answer to a request for events; `serve` is called once, and sends until its stream's signal aborts. Who asks for
   * the head alone gets no stream: nobody would read it, nor tell that it is over.
   */
  open({ method }: Pick<Request, "method">, serve: (stream: EventStream) => void): Response {
    const headers = { "content-type": "text/event-stream; charset=utf-8" };
    if (method === "HEAD") return new Response(null, { headers });
    if (this.#open.size >= webLimits.streamsMax) {
      throw new AgentError("WEB_BUSY", `${webLimits.streamsMax} pages are open`, { disposition: "retry" });
    }
    const ended = new AbortController();
    this.#open.add(ended);
    ended.signal.addEventListener("abort", () => this.#open.delete(ended), { once: true });
    const body = new ReadableStream<Uint8Array>(
      {
        start: (controller) => {
          const write = writer(controller, ended);
          ended.signal.addEventListener("abort", () => closeQuietly(controller), { once: true });
          write(": framepost\n\n");
          void this.#beat(write, ended.signal);
          serve({
            signal: ended.signal,
            send: (event, data) => write(`event: ${event}\ndata: ${JSON.stringify(data)}\n\n`),
          });
        },
        cancel: () => ended.abort(),
      },
      new ByteLengthQueuingStrategy({ highWaterMark: webLimits.streamBacklogBytesMax }),
    );
    return new Response(body, { headers });
  }

  /** Ends all of them at once. */
  close(): void {
    for (const ended of [...this.#open]) ended.abort();
  }

  /** Keeps proxies from taking a quiet stream for dead, and finds readers that are gone. */
  async #beat(write: (text: string) => void, signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      await this.#clock.sleep(webLimits.streamBeatMs, signal).catch(() => undefined);
      write(":\n\n");
    }
  }
}

function writer(controller: ReadableStreamDefaultController<Uint8Array>, ended: AbortController) {
  const encoder = new TextEncoder();
  return (text: string): void => {
    if (ended.signal.aborted) return;
    controller.enqueue(encoder.encode(text));
    if ((controller.desiredSize ?? 0) <= 0) ended.abort();
  };
}

function closeQuietly(controller: ReadableStreamDefaultController<Uint8Array>): void {
  try {
    controller.close();
  } catch {
    // The reader has cancelled it.
  }
}
