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
  frames = new LatestFrames();
  sightings = new Sightings();
  readonly series = new MinuteSeries();
  #masks: string | undefined;
  readonly #answers = new Map<string, Promise<Answer>>();

  /** The parts are started anew. What was seen before a mask was changed is shown no more. */
  begin(cameras: readonly { readonly id: string; readonly maskVersion: string | undefined }[]): void {
    const masks = JSON.stringify(cameras);
    if (this.#masks !== undefined && this.#masks !== masks) {
      this.frames = new LatestFrames(this.frames.last);
      this.sightings = new Sightings();
    }
    this.#masks = masks;
    this.frames.keepOnly(cameras.map(({ id }) => id));
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
