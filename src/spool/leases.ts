import { AgentError } from "../core/errors.ts";

interface Lease {
  readonly sequence: number;
  /** The record's, once it has been read. */
  readonly name: string;
}

/** Deliveries that a loop is working on, by record id. In memory only, so a restart frees them all. */
export class Leases {
  readonly #byTarget = new Map<string, Map<string, Lease>>();
  readonly #turns = new Map<string, Promise<unknown>>();
  readonly #choosing = new Set<Promise<unknown>>();
  #excluding: Promise<unknown> | undefined;

  /** One lease at a time for each target, so that two cannot choose the same delivery. */
  async inTurn<T>(targetId: string, action: () => Promise<T>): Promise<T> {
    const turn = (this.#turns.get(targetId) ?? Promise.resolve()).then(action);
    this.#turns.set(
      targetId,
      turn.catch(() => undefined),
    );
    return await turn;
  }

  /** Between asking for deliveries and adding their leases nobody may take records away: `action` does both. */
  async choosing<T>(action: () => Promise<T>): Promise<T> {
    while (this.#excluding !== undefined) await this.#excluding;
    const chosen = action();
    const settled = chosen.then(
      () => undefined,
      () => undefined,
    );
    this.#choosing.add(settled);
    void settled.then(() => this.#choosing.delete(settled));
    return await chosen;
  }

  /** Runs `action` with every leased sequence, while none is being chosen. One at a time. */
  async excluding<T>(action: (leased: readonly number[]) => Promise<T>): Promise<T> {
    while (this.#excluding !== undefined) await this.#excluding;
    const running = Promise.all(this.#choosing).then(async () => await action(this.all()));
    const ended = running.then(
      () => undefined,
      () => undefined,
    );
    this.#excluding = ended;
    void ended.then(() => (this.#excluding = undefined));
    return await running;
  }

  add(targetId: string, recordId: string, sequence: number): void {
    const leased = this.#byTarget.get(targetId) ?? new Map<string, Lease>();
    this.#byTarget.set(targetId, leased.set(recordId, { sequence, name: "" }));
  }

  named(targetId: string, recordId: string, name: string): void {
    const leased = this.#byTarget.get(targetId);
    const lease = leased?.get(recordId);
    if (lease !== undefined) leased?.set(recordId, { ...lease, name });
  }

  remove(targetId: string, recordId: string): void {
    this.#byTarget.get(targetId)?.delete(recordId);
  }

  count(targetId: string): number {
    return this.#byTarget.get(targetId)?.size ?? 0;
  }

  sequences(targetId: string): ReadonlySet<number> {
    return new Set([...(this.#byTarget.get(targetId)?.values() ?? [])].map(({ sequence }) => sequence));
  }

  /** Of every target, each once. */
  all(): readonly number[] {
    const leases = [...this.#byTarget.values()].flatMap((leased) => [...leased.values()]);
    return [...new Set(leases.map(({ sequence }) => sequence))];
  }

  deliveries(): readonly { readonly sequence: number; readonly targetId: string }[] {
    return [...this.#byTarget].flatMap(([targetId, leased]) =>
      [...leased.values()].map(({ sequence }) => ({ sequence, targetId })),
    );
  }

  /** Fails with `SPOOL_NOT_LEASED`. */
  leaseOf(targetId: string, recordId: string): Lease {
    const lease = this.#byTarget.get(targetId)?.get(recordId);
    if (lease !== undefined) return lease;
    throw new AgentError("SPOOL_NOT_LEASED", `settle ${recordId} for ${targetId}: it is not leased`, {
      disposition: "reject",
    });
  }

  clear(): void {
    this.#byTarget.clear();
  }
}
