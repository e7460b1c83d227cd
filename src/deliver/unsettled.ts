import { type AgentError, asAgentError } from "../core/errors.ts";
import { deliverLimits } from "../core/deliver-limits.ts";
import type { Settlement } from "../core/ports.ts";

/**
 * Records that the target has accepted and whose outcome the spool would not take, while its disk was full: told again
 * until it does. Meanwhile they stay leased, so that nothing is sent twice and nothing evicts them; a process that ends
 * before forgets them, and they are sent again.
 */
export class Unsettled {
  readonly #settle: (recordId: string, settlement: Settlement) => Promise<void>;
  /** In the order in which they were accepted. */
  readonly #owed = new Map<string, Settlement>();
  #telling: Promise<void> | undefined;

  constructor(settle: (recordId: string, settlement: Settlement) => Promise<void>) {
    this.#settle = settle;
  }

  /** Nothing more may be sent on credit: who has an outcome goes on telling it. */
  get isFull(): boolean {
    return this.#owed.size >= deliverLimits.unsettledMax;
  }

  /** Tells it, and all before it, after each `pause`; a pause that fails is the last one. */
  add(recordId: string, settlement: Settlement, pause: () => Promise<void>): void {
    this.#owed.set(recordId, settlement);
    this.#telling ??= this.#tellAll(pause).finally(() => (this.#telling = undefined));
  }

  /** Resolves when no pause is left: everything was taken, or told once more in vain. */
  async ended(): Promise<void> {
    await this.#telling;
  }

  async #tellAll(pause: () => Promise<void>): Promise<void> {
    for (let isOver = false; this.#owed.size > 0 && !isOver;) {
      isOver = await pause().then(
        () => false,
        () => true,
      );
      await this.#tellInTurn();
    }
  }

  async #tellInTurn(): Promise<void> {
    for (const [recordId, settlement] of this.#owed) {
      const failure = await this.#tell(recordId, settlement);
      if (failure?.disposition === "retry") return;
      this.#owed.delete(recordId);
    }
  }

  async #tell(recordId: string, settlement: Settlement): Promise<AgentError | undefined> {
    try {
      await this.#settle(recordId, settlement);
      return undefined;
    } catch (error) {
      return asAgentError(error, `settling ${recordId}`);
    }
  }
}
