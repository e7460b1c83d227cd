import { MB } from "../../src/core/units.ts";
import { atMost, type BenchTable, rounded, type Verdict } from "../bench/table.ts";
import { restartRounds, type RestartFigures, type RestartSource } from "../lib/camera-restarts.ts";
import { isInstalled } from "../lib/programs.ts";
import { execFfmpeg, httpMjpeg, rtspDigest } from "../lib/restart-sources.ts";
import { leftOut } from "./suite.ts";

const kills = Number(process.env["FRAMEPOST_CAMERA_KILLS"] ?? 100);
const freezes = Number(process.env["FRAMEPOST_CAMERA_FREEZES"] ?? 20);
/** All other limits are those of production: the watchdog of 5 s, 15 s for a start, 2 s between SIGINT and SIGKILL. */
const lowered = { backoffFirstMs: 100, backoffMaxMs: 1_000 };
/** The watchdog sees a silence after twice its 5 s at most; then the program is ended, and waits for its turn. */
const backWithinMs = 25_000;
const title = `Cameras: a source killed ${kills} times and frozen ${freezes} times (back-off lowered to 0.1–1 s)`;

/** What is killed and frozen. Each is made anew for its run. */
const sources = [execFfmpeg, rtspDigest, httpMjpeg];

/** `npm run test:endurance -- cameras-restart` */
export async function camerasRestart(): Promise<BenchTable> {
  if (!isInstalled("ffmpeg")) return leftOut(title, "ffmpeg is not installed");
  const rows: (string | number)[][] = [];
  const verdicts: Verdict[] = [];
  for (const make of sources) {
    const plan = { kills, freezes, limits: lowered, backWithinMs };
    // What a process allocates and opens for its first child is nobody's leak.
    await using warmUp = disposable(await make(lowered));
    await restartRounds(warmUp.source, { ...plan, kills: 1, freezes: 0 });
    await using measured = disposable(await make(lowered));
    const figures = await restartRounds(measured.source, plan);
    const { name } = measured.source;
    rows.push(rowOf(name, figures));
    verdicts.push(...verdictsOf(name, figures));
  }
  const columns = [
    ...["source", "back after SIGKILL", "slowest, s", "back after SIGSTOP", "slowest, s"],
    ...["processes left", "descriptors left", "living memory grew, MB", "RSS grew, MB"],
  ];
  return { title, columns, rows, verdicts };
}

function disposable(source: RestartSource): AsyncDisposable & { readonly source: RestartSource } {
  return { source, [Symbol.asyncDispose]: async () => source.dispose?.() };
}

function rowOf(name: string, figures: RestartFigures): (string | number)[] {
  return [
    ...[name, figures.backAfterKill, rounded(figures.slowestAfterKillMs / 1_000, 1)],
    ...[figures.backAfterFreeze, rounded(figures.slowestAfterFreezeMs / 1_000, 1)],
    ...[figures.processesLeft, figures.descriptorsLeft],
    ...[rounded(figures.growthBytes / MB, 1), rounded(figures.rssGrowthBytes / MB, 1)],
  ];
}

function verdictsOf(name: string, figures: RestartFigures): Verdict[] {
  const all = (what: string, value: number, wanted: number): Verdict => ({
    name: `${name}: back after ${what}`,
    value,
    bound: String(wanted),
    holds: value === wanted,
  });
  return [
    all("SIGKILL", figures.backAfterKill, kills),
    all("SIGSTOP", figures.backAfterFreeze, freezes),
    atMost(`${name}: processes left`, figures.processesLeft, 0),
    atMost(`${name}: descriptors left`, figures.descriptorsLeft, 0),
    atMost(`${name}: living memory grew`, rounded(figures.growthBytes / MB, 1), 4, "MB"),
    atMost(`${name}: RSS grew`, rounded(figures.rssGrowthBytes / MB, 1), 40, "MB"),
  ];
}
