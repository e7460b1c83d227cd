/** One request's whole time, and its caller's signal, as one signal. AbortSignal.any leaks on Node 20. */
export class Deadline {
  readonly ms: number;
  expired = false;
  readonly #controller = new AbortController();
  readonly #outer: AbortSignal;
  readonly #timer: NodeJS.Timeout;
  readonly #abort = (): void => this.#controller.abort();

  constructor(ms: number, outer: AbortSignal) {
    this.ms = ms;
    this.#outer = outer;
    this.#timer = setTimeout(() => {
      this.expired = true;
      this.#abort();
    }, ms);
    outer.addEventListener("abort", this.#abort, { once: true });
    if (outer.aborted) this.#abort();
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  clear(): void {
    clearTimeout(this.#timer);
    this.#outer.removeEventListener("abort", this.#abort);
  }
}
