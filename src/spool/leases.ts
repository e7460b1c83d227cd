import { AgentError } from "../core/errors.ts";

/** Deliveries that a loop is working on: record id to sequence. In memory only, so a restart frees them all. */
export class Leases {
  readonly #byTarget = new Map<string, Map<string, number>>();
  readonly #turns = new Map<string, Promise<unknown>>();

  /** One lease at a time for each target, so that two cannot choose the same delivery. */
  async inTurn<T>(targetId: string, action: () => Promise<T>): Promise<T> {
    const turn = (this.#turns.get(targetId) ?? Promise.resolve()).then(action);
    this.#turns.set(
      targetId,
      turn.catch(() => undefined),
    );
    return await turn;
  }

  add(targetId: string, recordId: string, sequence: number): void {
    const leased = this.#byTarget.get(targetId) ?? new Map<string, number>();
    this.#byTarget.set(targetId, leased.set(recordId, sequence));
  }

  remove(targetId: string, recordId: string): void {
    this.#byTarget.get(targetId)?.delete(recordId);
  }

  count(targetId: string): number {
    return this.#byTarget.get(targetId)?.size ?? 0;
  }

  sequences(targetId: string): ReadonlySet<number> {
    return new Set(this.#byTarget.get(targetId)?.values());
  }

  /** Fails with `SPOOL_NOT_LEASED`. */
  sequenceOf(targetId: string, recordId: string): number {
    const sequence = this.#byTarget.get(targetId)?.get(recordId);
    if (sequence !== undefined) return sequence;
    throw new AgentError("SPOOL_NOT_LEASED", `settle ${recordId} for ${targetId}: it is not leased`, {
      disposition: "reject",
    });
  }

  clear(): void {
    this.#byTarget.clear();
  }
}
