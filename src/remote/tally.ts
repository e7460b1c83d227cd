import { Tally as NamedTally } from "../core/counters.ts";
import type { Answer } from "./reply.ts";

/** What became of requests, since the process began. */
export interface RequestCounts {
  readonly received: number;
  readonly done: number;
  readonly refused: number;
  readonly failed: number;
  readonly expired: number;
  /** Above the rate limit and spoken for by the reply to another one. */
  readonly unanswered: number;
  /** That came again; they are among the others by what they got. */
  readonly duplicates: number;
  readonly underWay: number;
}

export class Tally {
  readonly #byCommand = new NamedTally();
  received = 0;
  unanswered = 0;
  duplicates = 0;
  readonly #final = { done: 0, refused: 0, failed: 0, expired: 0 };

  /** `command` is one of those that there are, or undefined. */
  count({ state }: Answer, command: string | undefined): void {
    if (state === "accepted" || state === "progress") return;
    this.#final[state] += 1;
    this.#byCommand.add(`${command ?? "unknown"} ${state}`);
  }

  /** Final replies by command and state, `NAME STATE`. */
  byCommand(): Readonly<Record<string, number>> {
    return this.#byCommand.snapshot();
  }

  counts(underWay: number): RequestCounts {
    const { received, unanswered, duplicates } = this;
    return { received, ...this.#final, unanswered, duplicates, underWay };
  }
}
