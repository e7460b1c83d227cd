import type { ClockQuality } from "../../src/core/types.ts";
import type { ClockSigns } from "../../src/state/clock-signs.ts";

/** What time sources say, as a test sets it. */
export class FakeClockSigns implements ClockSigns {
  markedMs: number | undefined;
  answer: ClockQuality = "unknown";
  asked = 0;

  markedAtMs(): number | undefined {
    return this.markedMs;
  }

  ask(): Promise<ClockQuality> {
    this.asked += 1;
    return Promise.resolve(this.answer);
  }
}
