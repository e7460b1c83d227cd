import { SystemClock } from "../../src/core/clock.ts";
import { FakeSwitch } from "./fake-switch.ts";
import { RecordingLogger } from "./seams.ts";
import { takeoverOf, updaterOf } from "./takeover-bench.ts";

/**
 * An agent that does nothing but bring in what a server publishes, one release after the other, until it is killed. Its
 * vision is a stand-in: `node update-child.js FOLDER URL KEY`.
 */
const [folder = "", url = "", publicKey = ""] = process.argv.slice(2);
const never = new AbortController().signal;
const seams = { clock: new SystemClock(), random: Math.random, log: new RecordingLogger() };
const vision = new FakeSwitch();
const prove = async () => Promise.resolve({ runMs: 1 });
const keeping = takeoverOf({ folder, vision, seams, prove, probationMs: 5, limits: { probationLookMs: 1 } });
const updater = updaterOf(keeping, { url, publicKey, vision, seams });
await keeping.takeover.guard();
keeping.takeover.start();
process.stdout.write("ready\n");
for (;;) {
  await updater.check(never).catch(() => undefined);
  // While one is on probation a look ends at once: without a pause the timer that ends the probation never had its turn.
  await seams.clock.sleep(1, never);
}
