import { execDriver } from "../../src/capture/exec/driver.ts";
import { SystemClock } from "../../src/core/clock.ts";

/** `node camera-owner.js PROGRAM`: a process with a camera, to be killed. Says when its program was started. */
const [program = ""] = process.argv.slice(2);
const driver = execDriver({ command: [program] }, new SystemClock());
await driver.start(new AbortController().signal);
process.stdout.write("started\n");
setInterval(() => undefined, 1_000);
