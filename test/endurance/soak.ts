import { atLeast, atMost, type BenchTable, rounded, type Verdict } from "../bench/table.ts";
import { visionLimits } from "../../src/core/vision-limits.ts";
import { isInstalled } from "../lib/programs.ts";
import { soak, type SoakOutcome, type TargetAccount } from "../lib/soak.ts";
import { soakFaults } from "../lib/soak-faults.ts";
import type { Slope } from "../lib/soak-samples.ts";
import { leftOut } from "./suite.ts";

/** Shorter to try it out, and with only those faults whose names match; then not every bound can be judged. */
const minutes = Number(process.env["FRAMEPOST_SOAK_MINUTES"] ?? 30);
const only = process.env["FRAMEPOST_SOAK_FAULTS"];
const isWhole = minutes >= 20 && only === undefined;
const faultEveryMs = 2_500;
/** Two weeks in half an hour. */
const hurry = 672;
/** Fifty times one picture in 10 s. */
const framesPerSecondMin = 5;

/** `npm run test:endurance -- soak` */
export async function soaked(seed: number): Promise<BenchTable> {
  const title = `The whole daemon for ${minutes} minutes with everything around it failing`;
  if (process.getuid?.() !== 0) return leftOut(title, "mounting a small disk needs root");
  for (const program of ["mosquitto", "mount"]) {
    if (!isInstalled(program)) return leftOut(title, `no ${program} on this machine`);
  }
  const faults = soakFaults.filter(({ name }) => only === undefined || (only !== "" && new RegExp(only).test(name)));
  const outcome = await soak({ minutes, hurry, seed, faultEveryMs, faults });
  process.stdout.write(`${outcome.keptText}\n${JSON.stringify(Object.fromEntries(outcome.events))}\n`);
  for (const line of [...outcome.unexpected, ...outcome.findings, ...outcome.strays]) {
    process.stdout.write(`unexpected: ${line}\n`);
  }
  return tableOf(title, seed, outcome);
}

function tableOf(title: string, seed: number, outcome: SoakOutcome): BenchTable {
  return {
    title,
    columns: ["what went wrong", "times", "s until back, median (most)", "not back"],
    rows: [...outcome.faults]
      .toSorted(([a], [b]) => a.localeCompare(b))
      .map(([name, fault]) => [name, fault.times, secondsOf(fault.backMs), fault.notBack]),
    verdicts: [...recordVerdicts(outcome), ...lifeVerdicts(outcome), ...loadVerdicts(outcome)],
    notes: notesOf(seed, outcome),
  };
}

function recordVerdicts(outcome: SoakOutcome): readonly Verdict[] {
  const { targets, kills, unsettled } = outcome;
  const sumOf = (figure: (target: TargetAccount) => number) => targets.reduce((sum, one) => sum + figure(one), 0);
  // What a kill takes is the line that says so, or an outcome on its way to the disk: of the calls and records of a moment.
  const cutShort = kills * cutByKillMax + unsettled;
  return [
    none(
      "deliveries neither accepted nor counted as given up",
      sumOf(({ givenUp, countedLost }) => Math.max(0, givenUp - countedLost)),
    ),
    none(
      "records accepted by the agent's word and not there",
      sumOf(({ untrue }) => untrue),
    ),
    none(
      "deliveries lost by damage",
      sumOf(({ damaged }) => damaged),
    ),
    none("pictures that are not what their camera gave, or differ", outcome.notGiven + sumOf(({ foreign }) => foreign)),
    none("pictures taken from the watched folder that became no record", outcome.neverKept),
    atMost(
      "deliveries counted as given up beyond those not accepted",
      sumOf(({ givenUp, countedLost }) => Math.max(0, countedLost - givenUp)),
      cutShort,
    ),
    atMost(
      "deliveries accepted again",
      sumOf(({ reaccepted }) => reaccepted),
      cutShort,
    ),
    none("findings in the spool, and records left there", outcome.findings.length),
  ];
}

/** A vision process that is stopped while it loads its model is given up after a minute, which is not hurried. */
const backSecondsMax = visionLimits.loadTimeoutMs / 1_000 + 15;

/** Calls of three targets and appends that are under way at once. */
const cutByKillMax = 8;

function lifeVerdicts({ faults, main, vision, third, end, zombies, strays, ...outcome }: SoakOutcome): Verdict[] {
  const all = [...faults.values()];
  const backMs = all.flatMap((fault) => fault.backMs);
  return [
    none(
      "parts that did not come back",
      all.reduce((sum, { notBack }) => sum + notBack, 0),
    ),
    atMost("s until back, at the most", rounded(Math.max(0, ...backMs) / 1_000, 1), backSecondsMax, "s"),
    slopeVerdict("main process", main),
    slopeVerdict("vision process", vision),
    atLeast("share of that time that was fitted, of either, %", sharePercent(main, vision), isWhole ? 50 : 0),
    atMost("descriptors at the end", end.descriptors, third.descriptors + descriptorsMore),
    atMost("child processes at the end", end.children, third.children),
    none("zombies, and processes left by an earlier life", zombies + strays.length),
    none("times not alive on /livez", outcome.notAlive),
    atLeast("looks at a daemon whose /livez answered, %", rounded(100 * outcome.livenessShare, 0), 80),
    none("crashes, unexpected errors and late pulses", outcome.unexpected.length),
  ];
}

/** Connections that are kept for a while come and go. */
const descriptorsMore = 3;

function loadVerdicts({ framesPerSecond, secondsBetweenFaults, faults }: SoakOutcome): readonly Verdict[] {
  const happened = [...faults.values()].filter(({ times }) => times > 0).length;
  return [
    atLeast("records kept a second", rounded(framesPerSecond, 1), framesPerSecondMin),
    atMost("s between two faults", rounded(secondsBetweenFaults, 1), 6, "s"),
    // Chance leaves one out now and then: a platform's fault needs a request to meet it.
    atLeast("kinds of faults that happened", happened, isWhole ? soakFaults.length - 3 : 1),
  ];
}

function notesOf(seed: number, outcome: SoakOutcome): readonly string[] {
  const { targets, main, vision, third, end, lives, days, kills } = outcome;
  return [
    `${outcome.kept} records of 5 cameras were kept, ${rounded(outcome.framesPerSecond, 1)} a second, while ${rounded(days, 1)} days passed on the agent's clock, in ${lives}
processes of the daemon (${kills} times kill -9). It runs ${hurry} times as fast for schedules, budgets and ages; waits of up to a
minute take a tenth, and longer ones 6 s at the least. One camera is off at night and at the weekend; uploads rest from 23:00
to 4:00 and have a budget a day. All else is real: processes, a disk of 64 MB, Mosquitto, HTTP. Seed ${seed}:
\`FRAMEPOST_SEED=${seed} npm run test:endurance -- soak\` plans the same faults in the same order again.`,
    `${targets.map(accountText).join(" ")} Each record is followed by its id, and by the hash of its picture: at the platform,
which knows no ids, by that alone. The broker's count is of what it acknowledged. Copies are what an answer that was lost
leaves. Every delivery that the agent did not see accepted has to be among those that it counts as given up.
${outcome.quarantined} were set aside and sent again at the end; what waited was gone ${rounded(outcome.drainSeconds, 0)} s after the cameras stopped.`,
    `Memory is fitted by one line over all lives of a process, each with its own level, without the first minute of each
(20 s in short runs), over the last two thirds. Main: ${slopeText(main)}. Vision: ${slopeText(vision)}. The bound is
three standard errors, or 10 % of the mean where that is more: what collector and allocator take and give back in steps.
Counted are pages of its own, not those of files. Descriptors and child processes are the least of the looks
while nothing is broken: ${third.descriptors} and ${third.children} after a third, ${end.descriptors} and ${end.children} at the end. /livez answered ${outcome.livenessAsked} times.`,
  ];
}

function accountText({ id, arrived, again, missing, countedLost, reasons, ...target }: TargetAccount): string {
  const why = reasons === "" ? "" : ` (${reasons})`;
  return `${id}: ${arrived} arrived, ${again} copies more, ${missing} missing; ${target.givenUp} not accepted, ${countedLost} counted as given up${why}.`;
}

function none(name: string, value: number): Verdict {
  return { name, value, bound: "0", holds: value === 0 };
}

/** Collector and allocator take and give back in steps: runs of some minutes ended up to so much higher, or lower. */
const noiseShare = 0.1;

function slopeVerdict(name: string, { mbPerHour, hours, meanMb, standardError }: Slope): Verdict {
  const noise = rounded(Math.max(noiseShare * meanMb, 3 * standardError * hours), 1);
  return atMost(`${name}: growth over two thirds, MB`, rounded(mbPerHour * hours, 1), noise);
}

function sharePercent(...slopes: readonly Slope[]): number {
  return Math.floor(100 * Math.min(...slopes.map(({ share }) => share)));
}

function slopeText({ mbPerHour, standardError, meanMb, lives }: Slope): string {
  return `${rounded(mbPerHour, 1)} ± ${rounded(standardError, 1)} MB an hour around ${rounded(meanMb, 0)} MB, ${lives} lives`;
}

function secondsOf(values: readonly number[]): string {
  const sorted = values.toSorted((a, b) => a - b);
  const [middle = 0, most = 0] = [sorted[Math.floor(sorted.length / 2)], sorted.at(-1)];
  return `${rounded(middle / 1_000, 1)} (${rounded(most / 1_000, 1)})`;
}
