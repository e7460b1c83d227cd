// Runs the built tests under mocha. `npm test -- --grep spool` passes its words on to mocha.
import { spawnSync } from "node:child_process";
import { createRequire } from "node:module";

const mocha = createRequire(import.meta.url).resolve("mocha/bin/mocha.js");
const run = spawnSync(process.execPath, [mocha, ...process.argv.slice(2)], { stdio: "inherit" });
process.exit(run.status ?? 1);
