import assert from "node:assert/strict";
import { join } from "node:path";
import { afterEach, beforeEach, describe, it } from "mocha";
import { KB } from "../../src/core/units.ts";
import { IotownSandbox } from "../../src/sandbox/iotown/server.ts";
import { agentOutput } from "../lib/agent.ts";
import { DaemonBench } from "../lib/daemon-bench.ts";

const token = "sandbox-token";
const budgetBytes = 400 * KB;
/** Forgotten by a kill: what is not written down yet, and two calls of some 40 KB. */
const forgottenBytesMax = 64 * KB + 2 * 60 * KB;

describe("a daemon with a budget for uploads", function () {
  this.timeout(60_000);
  let bench: DaemonBench;
  let sandbox: IotownSandbox;
  let url: string;

  beforeEach(async () => {
    bench = await DaemonBench.make();
    sandbox = new IotownSandbox({ token });
    ({ url } = await sandbox.start());
  });
  afterEach(async () => {
    await bench[Symbol.asyncDispose]();
    await sandbox.stop();
  });

  const config = () => ({
    cameras: [
      {
        ...{ id: "scene", driver: "simulated", interval: "100ms", width: 640, height: 360, seed: 3 },
        keep: { negativesEvery: 1 },
      },
    ],
    targets: [{ id: "town", kind: "iotown", url, token, includeEmpty: true, includeUnlabelled: true }],
    upload: { bytesPerMonth: "400KB" },
  });

  it("keeps to it over kill -9 at any time, captures on, and says why it sends nothing", async () => {
    const first = await bench.start(config());
    await first.until("half of it is sent", () => sandbox.counts().bodyBytes > budgetBytes / 2, 15_000);
    first.kill("SIGKILL");
    await first.ended();
    const second = await bench.start(config());
    await second.untilLogged("upload.held", 1, 20_000);
    assert.ok(sandbox.counts().bodyBytes > budgetBytes * 0.8, "what is counted is not much more than what is sent");
    const before = sandbox.counts().requests;
    const stored = second.logged("record.stored").length;
    await second.until("it captures on", () => second.logged("record.stored").length >= 5 + stored, 10_000);
    // Of its two connections the other one was still under way.
    assert.ok(sandbox.counts().requests <= before + 1);
    const words = ["-c", join(bench.folder, "framepost.yaml"), "--data", bench.dataFolder];
    const shown = (await agentOutput("queue", "stats", ...words)).join("\n");
    assert.match(shown, /^town +\d+ .*budget: opens in \d+ min/m);
    assert.match(shown, /^0 KB of 400 KB left this month$/m);
    const { bodyBytes } = sandbox.counts();
    assert.ok(bodyBytes <= budgetBytes + 60 * KB + forgottenBytesMax, `${bodyBytes} bytes of ${budgetBytes}`);
    await second.stop();
    assert.deepEqual(sandbox.violations(), []);
  });
});
