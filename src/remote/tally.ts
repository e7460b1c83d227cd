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
  received = 0;
  unanswered = 0;
  duplicates = 0;
  readonly #final = { done: 0, refused: 0, failed: 0, expired: 0 };

  count({ state }: Answer): void {
    if (state !== "accepted" && state !== "progress") this.#final[state] += 1;
  }

  counts(underWay: number): RequestCounts {
    const { received, unanswered, duplicates } = this;
    return { received, ...this.#final, unanswered, duplicates, underWay };
  }
}
