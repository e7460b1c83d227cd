import { atLeast, atMost, type BenchTable, rounded, type Verdict } from "../bench/table.ts";
import { isInstalled } from "../lib/programs.ts";
import { soak, type SoakOutcome } from "../lib/soak.ts";
import type { Slope } from "../lib/soak-samples.ts";
import { soakFaults } from "../lib/soak-faults.ts";
import { leftOut } from "./suite.ts";

const minutes = Number(process.env["FRAMEPOST_SOAK_MINUTES"] ?? 30);
const faultEveryMs = 3_000;
/** Two weeks in half an hour. */
const hurry = 672;

/** `npm run test:endurance -- soak` */
export async function soaked(seed: number): Promise<BenchTable> {
  const title = `The whole daemon for ${minutes} minutes with everything around it failing`;
  if (process.getuid?.() !== 0) return leftOut(title, "mounting a small disk needs root");
  for (const program of ["mosquitto", "mount"]) {
    if (!isInstalled(program)) return leftOut(title, `no ${program} on this machine`);
  }
  const only = process.env["FRAMEPOST_SOAK_FAULTS"];
  const faults = soakFaults.filter(({ name }) => only === undefined || (only !== "" && new RegExp(only).test(name)));
  const outcome = await soak({ minutes, hurry, seed, faultEveryMs, faults });
  process.stdout.write(`${JSON.stringify(Object.fromEntries(outcome.events))}\n`);
  for (const line of outcome.unexpected) process.stdout.write(`unexpected: ${line}\n`);
  return tableOf(title, outcome);
}

function tableOf(title: string, outcome: SoakOutcome): BenchTable {
  const { faults, targets, main, vision, third, end, lives, days } = outcome;
  const all = [...faults.values()];
  const none = (name: string, value: number): Verdict => ({ name, value, bound: "0", holds: value === 0 });
  const backMs = all.flatMap((fault) => fault.backMs);
  return {
    title,
    columns: ["what went wrong", "times", "s until back, median (most)", "not back"],
    rows: [...faults]
      .toSorted(([a], [b]) => a.localeCompare(b))
      .map(([name, fault]) => [name, fault.times, secondsOf(fault.backMs), fault.notBack]),
    verdicts: [
      ...targets.map(({ id, missing, countedLost }) =>
        none(`${id}: records lost that eviction did not count`, Math.max(0, missing.length - countedLost)),
      ),
      none(
        "parts that did not come back",
        all.reduce((sum, { notBack }) => sum + notBack, 0),
      ),
      atMost("s until back, at the most", rounded(Math.max(0, ...backMs) / 1_000, 1), 60, "s"),
      slopeVerdict("main process", main),
      slopeVerdict("vision process", vision),
      atMost("descriptors at the end", end.descriptors, third.descriptors),
      atMost("child processes at the end", end.children, third.children),
      none("zombies", outcome.zombies),
      none("times not alive on /livez", outcome.notAlive),
      none("crashes, internal errors and late pulses", outcome.unexpected.length),
      atLeast("records kept", outcome.kept, minutes * 60 * 3),
    ],
    notes: [
      `${outcome.kept} records of 5 cameras were kept, ${rounded(outcome.framesPerSecond, 1)} a second, while ${rounded(days, 1)} days passed on the agent's clock, in ${lives}
processes of the daemon. It runs ${hurry} times as fast for schedules, budgets and ages; waits of up to a minute take a tenth,
and longer ones 6 s at the least. One camera is off at night and at the weekend; uploads rest from 23:00 to 4:00 and have a
budget a day. All else is real: processes, a disk of 64 MB, Mosquitto, HTTP. A fault begins every ${faultEveryMs / 1_000} s on average, beside
those that last.`,
      `${targets.map(({ id, arrived, again, missing, countedLost }) => `${id}: ${arrived} arrived, ${again} copies more, ${missing.length} missing, ${countedLost} counted as given up`).join(". ")}.
The broker's count is of what it acknowledged; the platform knows pictures by their bytes. ${outcome.quarantined} deliveries were set
aside and sent again at the end; what waited was gone ${rounded(outcome.drainSeconds, 0)} s after the cameras stopped.`,
      `Memory is fitted by one line over all lives of a process, each with its own level, without the first minute of each
(20 s in short runs), over the last two thirds. Main: ${slopeText(main)}. Vision: ${slopeText(vision)}. Descriptors and
child processes are the least of the looks while nothing is broken: ${third.descriptors} and ${third.children} after a third, ${end.descriptors} and ${end.children} at the end.
/livez was asked ${outcome.livenessAsked} times.`,
    ],
  };
}

function slopeVerdict(name: string, slope: Slope): Verdict {
  const growth = rounded(slope.mbPerHour * slope.hours, 1);
  const noise = rounded(Math.max(0.1 * slope.meanMb, 3 * slope.standardError * slope.hours), 1);
  return { name: `${name}: growth over two thirds, MB`, value: growth, bound: `≤ ${noise}`, holds: slope.isNoise };
}

function slopeText({ mbPerHour, standardError, meanMb, lives }: Slope): string {
  return `${rounded(mbPerHour, 1)} ± ${rounded(standardError, 1)} MB an hour around ${rounded(meanMb, 0)} MB, ${lives} lives`;
}

function secondsOf(values: readonly number[]): string {
  const sorted = values.toSorted((a, b) => a - b);
  const [middle = 0, most = 0] = [sorted[Math.floor(sorted.length / 2)], sorted.at(-1)];
  return `${rounded(middle / 1_000, 1)} (${rounded(most / 1_000, 1)})`;
}
