import assert from "node:assert/strict";
import { PassThrough } from "node:stream";
import { describe, it } from "mocha";
import { sandbox } from "../../agent/commands/sandbox.ts";
import { Terminal } from "../../agent/terminal.ts";
import type { Clock } from "../../src/core/clock.ts";
import { commandContext } from "../lib/command-context.ts";

describe("framepost sandbox", () => {
  it("says what it counts where its timer fires a moment early, once", async () => {
    const stop = new AbortController();
    const [stdout, stderr] = [new PassThrough(), new PassThrough()];
    let [nowMs, turns] = [0, 0];
    const clock: Clock = {
      nowMs: () => nowMs,
      monotonicMs: () => nowMs,
      async sleep(ms) {
        turns += 1;
        // No platform has this path: a violation of the contract.
        if (turns === 1) await fetch(`${/http:\S+\d/.exec(String(stdout.read()))?.[0] ?? ""}/nothing`);
        if (turns === 5) stop.abort();
        nowMs += ms - 1;
      },
    };
    const terminal = new Terminal(stdout, stderr, clock);
    assert.equal(await sandbox({ ...commandContext(), terminal, clock, signal: stop.signal }, "iotown", {}), 0);
    const told = String(stderr.read())
      .split("\n")
      .filter((line) => line.includes(" stored, "));
    assert.deepEqual(told, ["0 images stored, 0 contract violations", "0 images stored, 1 contract violation"]);
  });
});
