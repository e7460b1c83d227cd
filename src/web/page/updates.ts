import type { Clock } from "../../core/clock.ts";
import { pageLimits } from "../../core/page-limits.ts";
import type { EventStream } from "../event-streams.ts";
import type { PagePort, Section } from "./ports.ts";

interface Reader {
  readonly stream: EventStream;
  /** By key the text that it got last. */
  readonly sent: Map<string, string>;
  logLast: number;
}

/**
 * Tells open pages what has changed. All of them are told together, and everything is looked at once for all; while no
 * page is open nothing is done.
 */
export class PageUpdates {
  readonly #port: PagePort;
  readonly #clock: Clock;
  readonly #readers = new Set<Reader>();
  #isRunning = false;
  #wake: () => void = () => undefined;

  constructor(port: PagePort, clock: Clock) {
    this.#port = port;
    this.#clock = clock;
  }

  /** Until its stream ends. A new reader waits for nobody's second. */
  add(stream: EventStream): void {
    const reader = { stream, sent: new Map<string, string>(), logLast: 0 };
    this.#readers.add(reader);
    stream.signal.addEventListener("abort", () => this.#remove(reader), { once: true });
    this.#wake();
    if (!this.#isRunning) void this.#run();
  }

  #remove(reader: Reader): void {
    this.#readers.delete(reader);
    if (this.#readers.size === 0) this.#wake();
  }

  async #run(): Promise<void> {
    this.#isRunning = true;
    while (this.#readers.size > 0) {
      const waiting = new AbortController();
      this.#wake = () => waiting.abort();
      // A part that does not answer is one whose section stays as it was: the next look asks again.
      const sections = await this.#port.sections().catch(() => []);
      this.#tell([...this.#port.frames(), ...sections]);
      await this.#clock.sleep(pageLimits.tickMs, waiting.signal).catch(() => undefined);
    }
    // In one step with the last look at the readers: one that comes from now on begins anew.
    this.#isRunning = false;
    this.#port.quiet();
  }

  #tell(sections: readonly Section[]): void {
    const texts = sections.map((section) => ({ section, text: JSON.stringify(section.value) }));
    for (const reader of this.#readers) {
      for (const { section, text } of texts) {
        if (reader.sent.get(section.key) === text) continue;
        reader.sent.set(section.key, text);
        reader.stream.send(section.event, section.value);
      }
      for (const key of reader.sent.keys())
        if (!texts.some(({ section }) => section.key === key)) reader.sent.delete(key);
      const { lines, last } = this.#port.log(reader.logLast);
      reader.logLast = last;
      if (lines.length > 0) reader.stream.send("log", { lines });
      reader.stream.send("tick", { nowMs: this.#clock.nowMs() });
    }
  }
}
