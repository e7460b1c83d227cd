import type { Outcome } from "../src/core/outcome.ts";
import type { Target } from "../src/core/ports.ts";
import { exitCodes, type ExitCode } from "./exit-codes.ts";
import { observedTarget } from "./observed-target.ts";

export interface Answer {
  readonly targetId: string;
  readonly outcome: "accepted" | "rejected" | "deferred";
  readonly remoteId?: string;
  readonly error?: { readonly code: string; readonly message: string };
}

/** What targets answered for the few records that a command sent and waits for. */
export class AnswerBook {
  readonly #answers = new Map<string, Answer>();
  /** Targets whose last answer was that they are away, whichever record they were asked to take. */
  readonly #away = new Map<string, Answer>();
  readonly #waiting = new Set<() => void>();

  watch(target: Target): Target {
    return observedTarget(target, (targetId, recordId, outcome) => {
      const answer = answerOf(targetId, outcome);
      this.#answers.set(`${targetId} ${recordId}`, answer);
      if (outcome.kind === "retry" && outcome.scope === "target") this.#away.set(targetId, answer);
      else this.#away.delete(targetId);
      for (const wake of this.#waiting) wake();
    });
  }

  /**
   * The first answer of each target. A deferred delivery stays in the spool and is sent by the daemon. A target that is
   * away defers this record too, although it was asked to take an older one.
   */
  async forRecord(recordId: string, targetIds: readonly string[], signal: AbortSignal): Promise<readonly Answer[]> {
    for (;;) {
      const answers = targetIds.flatMap((targetId) => this.#answerTo(targetId, recordId) ?? []);
      if (answers.length === targetIds.length) return answers;
      await this.#next(signal);
    }
  }

  #answerTo(targetId: string, recordId: string): Answer | undefined {
    return this.#answers.get(`${targetId} ${recordId}`) ?? this.#away.get(targetId);
  }

  async #next(signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    let onAbort = () => {};
    let wake = () => {};
    try {
      await new Promise<void>((resolve, reject) => {
        wake = resolve;
        onAbort = () => reject(new DOMException("stopped", "AbortError"));
        this.#waiting.add(wake);
        signal.addEventListener("abort", onAbort, { once: true });
      });
    } finally {
      this.#waiting.delete(wake);
      signal.removeEventListener("abort", onAbort);
    }
  }
}

function answerOf(targetId: string, outcome: Outcome): Answer {
  if (outcome.kind === "accepted") {
    return { targetId, outcome: "accepted", ...(outcome.remoteId === undefined ? {} : { remoteId: outcome.remoteId }) };
  }
  const { code, message } = outcome.error;
  return { targetId, outcome: outcome.kind === "rejected" ? "rejected" : "deferred", error: { code, message } };
}

/** What was refused for good is a failure; what waits in the spool is a matter of time. */
export function answersExitCode(answers: readonly Answer[]): ExitCode {
  if (answers.some(({ outcome }) => outcome === "rejected")) return exitCodes.failed;
  return answers.some(({ outcome }) => outcome === "deferred") ? exitCodes.tryLater : exitCodes.ok;
}
