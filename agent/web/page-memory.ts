import { Tally } from "../../src/core/counters.ts";
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
  /** Requests by command and state, `NAME STATE`. */
  readonly commands = new Tally();
  /** By camera, of the round before: the version of what was hidden in its pictures. */
  #masks: ReadonlyMap<string, string | undefined> = new Map();
  readonly #answers = new Map<string, Promise<Answer>>();

  /**
   * For a new round. What a camera has shown before its mask was changed is for nobody any more, and neither is what one
   * has shown that was away from the config: it may come back with a mask.
   */
  keepOnly(masks: ReadonlyMap<string, string | undefined>): void {
    const before = this.#masks;
    const same = [...masks.keys()].filter((id) => before.has(id) && before.get(id) === masks.get(id));
    this.frames.keepOnly(same);
    this.sightings.keepOnly(same);
    this.#masks = masks;
  }

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
