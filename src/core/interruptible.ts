/**
 * Work that others may end early. Its signal and the caller's are joined by hand: AbortSignal.any keeps memory for every
 * call for as long as its longest-lived source lives, and that of a part of the agent lives for months.
 */
export class Interruptible {
  #ending: AbortController | undefined;
  #ended: Promise<unknown> = Promise.resolve();

  /** One at a time. `work` gets a signal that `interrupt` aborts, as the caller's does. */
  async run<T>(signal: AbortSignal, work: (signal: AbortSignal) => Promise<T>): Promise<T> {
    signal.throwIfAborted();
    const ending = new AbortController();
    const onAbort = () => ending.abort(signal.reason);
    signal.addEventListener("abort", onAbort, { once: true });
    this.#ending = ending;
    const working = work(ending.signal);
    this.#ended = working.catch(() => undefined);
    try {
      return await working;
    } finally {
      this.#ending = undefined;
      signal.removeEventListener("abort", onAbort);
    }
  }

  /** Nothing happens when no work is under way. */
  interrupt(): void {
    this.#ending?.abort();
  }

  /** Resolves when the work that is under way now has ended. */
  async ended(): Promise<void> {
    await this.#ended;
  }
}
