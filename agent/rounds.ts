export type RoundReason = "config" | "restart";

/** By which parts of the daemon ask for all parts to be stopped, composed and started anew. */
export class Rounds {
  #ending = new AbortController();

  /** A signal for a new round: it aborts when the next one is asked for. */
  begin(): AbortSignal {
    this.#ending = new AbortController();
    return this.#ending.signal;
  }

  ask(reason: RoundReason): void {
    this.#ending.abort(reason);
  }
}
