// Runs the built tests under mocha. `npm test -- --grep spool` passes its words on to mocha.
import { spawnSync } from "node:child_process";
import { createRequire } from "node:module";
import { availableParallelism } from "node:os";

const mocha = createRequire(import.meta.url).resolve("mocha/bin/mocha.js");
// Most tests wait for real programs: two files at a time take half the time. More would starve those that watch a rate.
const lanes = availableParallelism() > 1 ? ["--parallel", "--jobs", "2"] : [];
const run = spawnSync(process.execPath, [mocha, ...lanes, ...process.argv.slice(2)], { stdio: "inherit" });
process.exit(run.status ?? 1);
