import { abortOnSignals } from "../../agent/lifecycle.ts";
import { runCommandLine } from "../../agent/program.ts";
import { Terminal } from "../../agent/terminal.ts";
import { SystemClock } from "../../src/core/clock.ts";
import { Interruptible } from "../../src/core/interruptible.ts";
import { DiskSpool } from "../../src/spool/spool.ts";

/**
 * The whole program, whose loops can be made to stand still, one at a time: each SIGUSR2 stalls the next one of the list,
 * or lets it go on again. Arguments: the words of its command line.
 */

let goOn: () => void = () => undefined;

/** Whoever calls the method waits until it is let go on; `stands` is told when the first one does. */
function stall(owner: object, method: string, stands: () => void): void {
  let waiting = 0;
  const gate = new Promise<void>((resolve) => (goOn = resolve));
  const original = Reflect.get(owner, method) as (...values: unknown[]) => Promise<unknown>;
  Reflect.set(owner, method, async function (this: unknown, ...values: unknown[]) {
    waiting += 1;
    if (waiting === 1) stands();
    await gate;
    return original.apply(this, values);
  });
  void gate.then(() => Reflect.set(owner, method, original));
}

/** Nothing else gets its turn but every second or so. */
function blockEventLoop(stands: () => void): void {
  stands();
  const nobodyWakes = new Int32Array(new SharedArrayBuffer(4));
  const busy = setInterval(() => Atomics.wait(nobodyWakes, 0, 0, 900), 1);
  goOn = () => clearInterval(busy);
}

const stalls: readonly (readonly [string, (stands: () => void) => void])[] = [
  ["camera:", (stands) => stall(Interruptible.prototype, "run", stands)],
  ["pipeline:", (stands) => stall(DiskSpool.prototype, "append", stands)],
  ["delivery:", (stands) => stall(DiskSpool.prototype, "lease", stands)],
  ["call:", (stands) => stall(DiskSpool.prototype, "settle", stands)],
  ["event-loop", blockEventLoop],
];

let steps = 0;
process.on("SIGUSR2", () => {
  const [name, begin] = stalls[Math.floor(steps / 2)] ?? ["", () => undefined];
  const say = (event: string) =>
    process.stderr.write(`${JSON.stringify({ level: "info", event, name, atMs: Date.now() })}\n`);
  const isStalled = steps % 2 === 1;
  steps += 1;
  if (!isStalled) {
    begin(() => say("test.stalled"));
    return;
  }
  goOn();
  say("test.released");
});

const clock = new SystemClock();
const terminal = new Terminal(process.stdout, process.stderr, clock);
const { signal } = abortOnSignals();
process.exitCode = await runCommandLine(process.argv.slice(2), {
  ...{ terminal, clock, random: Math.random, environment: process.env, signal },
  hide: (secrets) => terminal.hide(secrets),
});
