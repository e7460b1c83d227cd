/**
 * SIGHUP, which asks a daemon to read its config anew. One that comes while nobody listens, because the parts are just
 * being started or stopped, is told to the next who does. At a terminal it still means that the terminal has gone.
 */
export class Hangups {
  #isWaiting = false;
  #listener: (() => void) | undefined;

  constructor(isWatched: boolean) {
    if (!isWatched) process.on("SIGHUP", () => this.#hear());
  }

  /** Until aborted. */
  listen(listener: () => void, signal: AbortSignal): void {
    if (signal.aborted) return;
    this.#listener = listener;
    signal.addEventListener("abort", () => (this.#listener = undefined), { once: true });
    if (!this.#isWaiting) return;
    this.#isWaiting = false;
    listener();
  }

  #hear(): void {
    if (this.#listener === undefined) this.#isWaiting = true;
    else this.#listener();
  }
}
