import type { Random } from "../../src/core/ports.ts";
import { seededRandom } from "./seams.ts";
import type { SoakFault } from "./soak-faults.ts";

export interface PlannedFault {
  /** After the one before. */
  readonly afterMs: number;
  readonly fault: SoakFault;
  /** Its own, so that what happens to one fault changes none after it. */
  readonly random: Random;
}

/** The same for the same seed, whatever the agent does meanwhile. `earlyMs`: how long the early weights count. */
export function* soakSchedule(
  seed: number,
  faults: readonly SoakFault[],
  everyMs: number,
  earlyMs: number,
): Generator<PlannedFault> {
  const random = seededRandom(seed);
  for (let atMs = 0; ;) {
    const afterMs = everyMs * (0.5 + random());
    atMs += afterMs;
    const fault = drawn(faults, atMs < earlyMs, random);
    if (fault === undefined) return;
    yield { afterMs, fault, random: seededRandom(Math.floor(random() * 2 ** 32)) };
  }
}

function drawn(faults: readonly SoakFault[], isEarly: boolean, random: Random): SoakFault | undefined {
  const weightOf = ({ weight, earlyWeight = weight }: SoakFault) => (isEarly ? earlyWeight : weight);
  let left = random() * faults.reduce((sum, fault) => sum + weightOf(fault), 0);
  return faults.find((fault) => (left -= weightOf(fault)) < 0);
}
