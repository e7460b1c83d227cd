import type { Logger } from "../src/core/ports.ts";
import { exitCodes, type ExitCode } from "./exit-codes.ts";

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

/** All parts, once they are started. */
export interface Round {
  /** Resolves soon after `ended` has aborted. */
  readonly serve: (ended: AbortSignal) => Promise<unknown>;
  /** False where some part did not stop. */
  readonly stop: () => Promise<boolean>;
}

export interface RoundsPlan {
  readonly start: () => Promise<Round>;
  /** With what cannot be started: whether there is something to go back to. */
  readonly goBack: (error: unknown) => Promise<boolean>;
  /** Before the next round. */
  readonly reload: () => Promise<void>;
  readonly log: () => Logger;
}

/** One round after the other until `signal` aborts. Fails with why none can be started. */
export async function throughRounds(rounds: Rounds, plan: RoundsPlan, signal: AbortSignal): Promise<ExitCode> {
  for (;;) {
    const ending = rounds.begin();
    const round = await plan.start().catch(async (error: unknown) => {
      signal.throwIfAborted();
      if (await plan.goBack(error)) return undefined;
      throw error;
    });
    if (round === undefined) continue;
    const log = plan.log();
    await round.serve(AbortSignal.any([signal, ending]));
    log.info("stopping", ending.aborted ? { reason: ending.reason as string } : {});
    const clean = await round.stop();
    log.info("stopped", { clean });
    if (signal.aborted) return clean ? exitCodes.ok : exitCodes.failed;
    // What was left behind must not go on beside what would be started: the service manager starts a new process.
    if (!clean) return exitCodes.failed;
    await plan.reload();
  }
}
