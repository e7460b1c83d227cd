import { asAgentError } from "../src/core/errors.ts";
import type { Logger } from "../src/core/ports.ts";

export interface Part {
  readonly name: string;
  start(signal: AbortSignal): Promise<void>;
  stop(): Promise<void>;
}

/** A part that does not stop in this time is left behind: the process is about to end and must not hang on it. */
const stopDeadlineMs = 10_000;
/** All together: a service manager ends what takes longer (`TimeoutStopSec=45s` of the unit). */
const stopAllDeadlineMs = 25_000;
/** Beyond that each part that is left gets as long: the spool, which comes last, has to close. */
const stopLeastMs = 1_000;

/**
 * Starts parts in order and stops them in reverse. A signal during the start is honoured between two steps; a step that
 * fails takes the parts started before it down again.
 */
export class Lifecycle {
  readonly #parts: readonly Part[];
  readonly #log: Logger;
  readonly #started: Part[] = [];

  constructor(parts: readonly Part[], log: Logger) {
    this.#parts = parts;
    this.#log = log;
  }

  async start(signal: AbortSignal): Promise<void> {
    try {
      for (const part of this.#parts) {
        signal.throwIfAborted();
        // Noted before it starts: a part that failed half way may hold something that its stop gives back.
        this.#started.push(part);
        await part.start(signal);
      }
    } catch (error) {
      await this.stop();
      throw error;
    }
  }

  /** True when every part stopped cleanly and in time. */
  async stop(): Promise<boolean> {
    let clean = true;
    const endMs = performance.now() + stopAllDeadlineMs;
    for (const part of this.#started.splice(0).reverse()) {
      const problem = await stopInTime(
        part,
        Math.min(stopDeadlineMs, Math.max(stopLeastMs, endMs - performance.now())),
      );
      if (problem === undefined) continue;
      clean = false;
      this.#log.warn("stop-failed", { part: part.name, problem });
    }
    return clean;
  }
}

async function stopInTime(part: Part, deadlineMs: number): Promise<string | undefined> {
  let timer: NodeJS.Timeout | undefined;
  const deadline = new Promise<string>((resolve) => {
    timer = setTimeout(() => resolve(`not stopped after ${Math.round(deadlineMs)} ms`), deadlineMs);
  });
  try {
    return await Promise.race([part.stop().then(() => undefined), deadline]);
  } catch (error) {
    return asAgentError(error, `stop ${part.name}`).message;
  } finally {
    clearTimeout(timer);
  }
}

/** Aborts on the first SIGINT or SIGTERM; a second one ends the process at once, because the first was not enough. */
export function abortOnSignals(): { readonly signal: AbortSignal; readonly received: () => string | undefined } {
  const controller = new AbortController();
  let received: string | undefined;
  for (const name of ["SIGINT", "SIGTERM"] as const) {
    process.on(name, () => {
      if (received !== undefined) process.exit(128 + (name === "SIGINT" ? 2 : 15));
      received = name;
      controller.abort();
    });
  }
  return { signal: controller.signal, received: () => received };
}
