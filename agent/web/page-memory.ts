import { pageLimits } from "../../src/core/page-limits.ts";
import type { Answer } from "../../src/remote/reply.ts";
import { LatestFrames } from "../../src/web/page/frames.ts";
import { MinuteSeries } from "../../src/web/page/series.ts";
import { Sightings } from "../../src/web/page/sightings.ts";

/**
 * What the page remembers for as long as the process lives: a changed config starts all parts anew, and whoever looks at
 * the page then still sees the last pictures, the charts, and what came of the change.
 */
export class PageMemory {
  readonly frames = new LatestFrames();
  readonly sightings = new Sightings();
  readonly series = new MinuteSeries();
  readonly #answers = new Map<string, Promise<Answer>>();

  /** The answer to a request of this id: what `run` comes to, once. */
  async answerOf(id: string, run: () => Promise<Answer>): Promise<Answer> {
    const known = this.#answers.get(id);
    if (known !== undefined) return known;
    const answer = run();
    this.#answers.set(id, answer);
    for (const oldest of this.#answers.keys()) {
      if (this.#answers.size <= pageLimits.answersMax) break;
      this.#answers.delete(oldest);
    }
    return answer;
  }
}
