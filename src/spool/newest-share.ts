/** Fractions are added up: a tenth ten times is a little less than one. */
const rounding = 1e-9;

/**
 * How many of the next deliveries come from the newest records, so that a target which was away for long soon shows the
 * present again. What a share leaves over is kept: with 0.25 and one record per lease, every fourth is a newest one.
 */
export class NewestShares {
  readonly #shares: ReadonlyMap<string, number>;
  readonly #credits = new Map<string, number>();

  /** By target, 0 to 1. */
  constructor(shares: ReadonlyMap<string, number>) {
    this.#shares = shares;
  }

  /** Of so many deliveries that are asked for. */
  newestOf(targetId: string, deliveries: number): number {
    const wanted = this.#creditOf(targetId) + this.#shareOf(targetId) * deliveries;
    return Math.max(0, Math.min(deliveries, Math.floor(wanted + rounding)));
  }

  /** Never more than one is saved up: while the queue is short there are no newest ones to choose. */
  chose(targetId: string, deliveries: number, newest: number): void {
    const share = this.#shareOf(targetId);
    if (share > 0) this.#credits.set(targetId, Math.min(1, this.#creditOf(targetId) + share * deliveries - newest));
  }

  #shareOf(targetId: string): number {
    return this.#shares.get(targetId) ?? 0;
  }

  #creditOf(targetId: string): number {
    return this.#credits.get(targetId) ?? 0;
  }
}
