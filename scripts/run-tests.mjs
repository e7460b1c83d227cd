// Runs the built tests under mocha. `npm test -- --grep spool` passes its words on to mocha.
import { spawnSync } from "node:child_process";
import { createRequire } from "node:module";
import { availableParallelism } from "node:os";

const mocha = createRequire(import.meta.url).resolve("mocha/bin/mocha.js");
// Most tests wait for real programs: with three files at a time two cores are busy for two thirds of the time, with four
// for most of it. More would starve those that watch a rate.
// Where coverage is measured there is one: mocha ends its lanes before they have written theirs down.
const together = availableParallelism() > 1 && process.env.NODE_V8_COVERAGE === undefined;
const lanes = together ? ["--parallel", "--jobs", "4"] : [];
const run = spawnSync(process.execPath, [mocha, ...lanes, ...process.argv.slice(2)], { stdio: "inherit" });
process.exit(run.status ?? 1);
