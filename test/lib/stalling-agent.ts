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

/** Whoever calls the method waits until it is let go on. */
function stall(owner: object, method: string): void {
  const gate = new Promise<void>((resolve) => (goOn = resolve));
  const original = Reflect.get(owner, method) as (...values: unknown[]) => Promise<unknown>;
  Reflect.set(owner, method, async function (this: unknown, ...values: unknown[]) {
    await gate;
    return original.apply(this, values);
  });
  void gate.then(() => Reflect.set(owner, method, original));
}

/** Nothing else gets its turn but every second or so. */
function blockEventLoop(): void {
  const nobodyWakes = new Int32Array(new SharedArrayBuffer(4));
  const busy = setInterval(() => Atomics.wait(nobodyWakes, 0, 0, 900), 1);
  goOn = () => clearInterval(busy);
}

const stalls: readonly (readonly [string, () => void])[] = [
  ["camera:", () => stall(Interruptible.prototype, "run")],
  ["pipeline:", () => stall(DiskSpool.prototype, "append")],
  ["delivery:", () => stall(DiskSpool.prototype, "lease")],
  ["call:", () => stall(DiskSpool.prototype, "settle")],
  ["event-loop", blockEventLoop],
];

let steps = 0;
process.on("SIGUSR2", () => {
  const [name, begin] = stalls[Math.floor(steps / 2)] ?? ["", () => undefined];
  const event = steps % 2 === 0 ? "test.stalled" : "test.released";
  steps += 1;
  if (event === "test.stalled") begin();
  else goOn();
  process.stderr.write(`${JSON.stringify({ level: "info", event, name, atMs: Date.now() })}\n`);
});

const clock = new SystemClock();
const terminal = new Terminal(process.stdout, process.stderr, clock);
const { signal } = abortOnSignals();
process.exitCode = await runCommandLine(process.argv.slice(2), {
  ...{ terminal, clock, random: Math.random, environment: process.env, signal },
  hide: (secrets) => terminal.hide(secrets),
});
