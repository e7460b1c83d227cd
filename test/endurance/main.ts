import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { inspect } from "node:util";
import { markdownOf } from "../bench/markdown.ts";
import { spoolBootMillion } from "../bench/spool-boot.ts";
import type { BenchTable } from "../bench/table.ts";
import { brokenDownloads } from "./broken-downloads.ts";
import { camerasEight } from "./cameras-eight.ts";
import { camerasRestart } from "./cameras-restart.ts";
import { fleet } from "./fleet.ts";
import { kill } from "./kill.ts";
import { masks } from "./masks.ts";
import { motionGate } from "./motion-gate.ts";
import { modelSwitches } from "./model-switches.ts";
import { spoolModel } from "./model.ts";
import { packages } from "./package.ts";
import { writeSections } from "./page.ts";
import { platforms } from "./platforms.ts";
import { powerCut } from "./power-cut.ts";
import { remoteBroker } from "./remote-broker.ts";
import { remoteCommands } from "./remote-commands.ts";
import { remoteFuzz } from "./remote-fuzz.ts";
import { remoteKill } from "./remote-kill.ts";
import { soaked } from "./soak.ts";
import { webFuzz } from "./web-fuzz.ts";
import { visionFuzz } from "./vision-fuzz.ts";
import { visionSlope } from "./vision-slope.ts";

/**
 * `npm run test:endurance [-- name …] [-- --write]`: what takes too long for `npm test`. `--write` puts the results into
 * docs/reliability.md. Exit 1 when a bound does not hold, or when something is left out that FRAMEPOST_REQUIRE_ALL=1
 * asks for. FRAMEPOST_SEED repeats the writers' steps of a run, but not the moments of its crashes.
 */
const suites: Readonly<Record<string, (seed: number) => Promise<BenchTable>>> = {
  kill,
  "power-cut": powerCut,
  model: spoolModel,
  "motion-gate": motionGate,
  "spool-boot-million": spoolBootMillion,
  "cameras-restart": camerasRestart,
  "cameras-eight": camerasEight,
  masks,
  "model-switches": modelSwitches,
  "vision-fuzz": visionFuzz,
  "vision-slope": visionSlope,
  "broken-downloads": brokenDownloads,
  platforms,
  "remote-broker": remoteBroker,
  "remote-commands": remoteCommands,
  "remote-fuzz": remoteFuzz,
  "remote-kill": remoteKill,
  "web-fuzz": webFuzz,
  soak: soaked,
  fleet,
  package: packages,
};

const names = Object.keys(suites);
const words = process.argv.slice(2);
const wanted = words.filter((word) => word !== "--write");
const unknown = wanted.filter((name) => suites[name] === undefined);
if (unknown.length > 0) {
  process.stderr.write(`no suite ${unknown.join(", ")}; there are ${names.join(", ")}\n`);
  process.exit(2);
}
// What a suite has mounted, started or written is undone when the process exits, but not when a signal ends it.
const home = mkdtempSync(join(tmpdir(), "framepost-endurance-"));
process.env["TMPDIR"] = home;
process.once("exit", () => rmSync(home, { recursive: true, force: true, maxRetries: 3 }));
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.once(signal, () => process.exit(130));

const seed = Number(process.env["FRAMEPOST_SEED"] ?? Math.floor(Math.random() * 2 ** 31));
process.stdout.write(`seed ${seed}\n`);
const sections = new Map<string, string>();
const missed: string[] = [];
const leftOut: string[] = [];
for (const [name, suite] of Object.entries(suites)) {
  if (wanted.length > 0 && !wanted.includes(name)) continue;
  const startedMs = performance.now();
  const table = await suite(seed).catch((error: unknown) => {
    process.stderr.write(`${name}: ${inspect(error)}\n`);
    missed.push(`${name}: it did not come to its end`);
  });
  // Programs that a suite waits for take the interrupt too, and fail: only now can it be heard here.
  await delay(20);
  if (table === undefined) continue;
  const seconds = Math.round((performance.now() - startedMs) / 1_000);
  const section = markdownOf(table, `npm run test:endurance -- ${name}`);
  process.stdout.write(`\n${section}${seconds} s\n`);
  missed.push(...table.verdicts.filter(({ holds }) => !holds).map((verdict) => `${name}: ${verdict.name}`));
  leftOut.push(...(table.leftOut ?? []).map((why) => `${name}: ${why}`));
  if (table.rows.length > 0) sections.set(name, section);
}
if (words.includes("--write")) await writeSections(sections, names);

process.stdout.write(`\nseed ${seed}\n`);
for (const what of missed) process.stdout.write(`MISSED ${what}\n`);
for (const what of leftOut) process.stdout.write(`left out ${what}\n`);
const allRequired = process.env["FRAMEPOST_REQUIRE_ALL"] === "1";
process.exit(missed.length === 0 && (leftOut.length === 0 || !allRequired) ? 0 : 1);
