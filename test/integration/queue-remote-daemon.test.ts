import assert from "node:assert/strict";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, it } from "mocha";
import type { Reply } from "../../src/remote/reply.ts";
import { agentOutput, writeConfig } from "../lib/agent.ts";
import { framepostInside } from "../lib/command-inside.ts";
import { DaemonBench } from "../lib/daemon-bench.ts";
import { DeviceCaller } from "../lib/device-caller.ts";
import { type ProtocolVersion, protocolVersions, steeringBroker } from "../lib/steering-broker.ts";
import { tempFolder } from "../lib/temp.ts";

/** A camera of many frames, a target that is there, and one that is disabled. */
function configOf(url: string, protocol: string) {
  const target = { kind: "folder", includeEmpty: true, includeUnlabelled: true };
  return {
    device: { name: "gw" },
    cameras: [
      { id: "front", driver: "simulated", width: 160, height: 120, interval: "200ms", keep: { negativesEvery: 1 } },
    ],
    targets: [
      { ...target, id: "out", path: "./out" },
      { ...target, id: "off", path: "./off", enabled: false },
    ],
    remote: { url, protocol, homeAssistant: { enabled: false } },
  };
}

function dataOf({ state, code, message, data }: Reply): unknown {
  assert.deepEqual([state, code], ["done", "ok"], message ?? "");
  return data;
}

interface Targets {
  readonly targets: readonly { readonly id: string; readonly target: string; readonly reason: string; state: string }[];
}

/** What is told to be kept is kept over kill -9, which has nothing to do with the protocol: on MQTT 5 alone. */
async function steer(url: string, version: ProtocolVersion): Promise<void> {
  await using bench = await DaemonBench.make();
  const config = configOf(url, version);
  const agent = await bench.start(config);
  await agent.untilLogged("mqtt.connected");
  await using caller = await DeviceCaller.connect(url, "gw", version);
  dataOf(await caller.ask("upload.pause"));
  const stored = agent.logged("record.stored").length;
  await agent.untilLogged("record.stored", stored + 3, 20_000);
  const explained = dataOf(await caller.ask("explain.upload")) as Targets;
  assert.deepEqual(
    explained.targets.map(({ target, reason }) => [target, reason]),
    [
      ["out", "paused"],
      ["off", "disabled"],
    ],
  );
  const { records } = dataOf(await caller.ask("queue.list", { limit: 2 })) as { records: readonly object[] };
  assert.equal(records.length, 2);
  const first = dataOf(await caller.ask("queue.prioritize", { camera: "front" })) as { deliveries: number };
  assert.ok(first.deliveries >= 6, JSON.stringify(first));
  const refused = await caller.ask("queue.purge", { target: "off" });
  assert.deepEqual([refused.state, refused.code, refused.data], ["refused", "bad_args", { path: "/args/token" }]);
  const dry = await caller.ask("queue.purge", { target: "off" }, { dry: true });
  const { token, deliveries } = dataOf(dry) as { token: string; deliveries: number };
  assert.deepEqual(dataOf(await caller.ask("queue.purge", { target: "off", token })), { deliveries, busy: 0 });
  dataOf(await caller.ask("upload.limit", { bytesPerSecond: 1_000_000 }));
  const tested = dataOf(await caller.ask("target.test", { target: "out" })) as { target: string };
  assert.equal(tested.target, "out");
  const words = ["-c", join(bench.folder, "framepost.yaml"), "--data", bench.dataFolder];
  const shown = (await agentOutput("queue", "stats", ...words)).join("\n");
  assert.match(shown, /\nout .* paused\n(.*\n)*uploads are limited to .* a second/);
  assert.match(shown, /\noff .* disabled\n/);
  const stats = dataOf(await caller.ask("queue.stats")) as {
    lost: readonly { reason: string; deliveries: number }[];
  };
  const lost = stats.lost.filter(({ reason }) => reason === "dropped");
  assert.equal(
    lost.reduce((sum, each) => sum + each.deliveries, 0),
    deliveries,
  );

  const sent = agent.logged("record.accepted").length;
  if (version === "5") {
    agent.kill("SIGKILL");
    await agent.ended();
  }
  const next = version === "5" ? await bench.start(config) : agent;
  await next.untilLogged("mqtt.connected");
  const listed = dataOf(await caller.ask("target.list")) as Targets;
  assert.deepEqual(
    listed.targets.map(({ id, state }) => [id, state]),
    [
      ["out", "paused"],
      ["off", "disabled"],
    ],
  );
  const before = next === agent ? sent : 0;
  assert.equal(next.logged("record.accepted").length, before, "a pause holds, also over kill -9");
  assert.deepEqual(dataOf(await caller.ask("upload.limit", { bytesPerSecond: 0 })), {
    bytesPerSecond: 0,
    before: 1_000_000,
  });
  dataOf(await caller.ask("queue.flush", { target: "out" }));
  await next.untilLogged("record.accepted", before + 3, 20_000);
  assert.deepEqual(dataOf(await caller.ask("quarantine.list")), { records: [] });
  assert.deepEqual(dataOf(await caller.ask("quarantine.requeue")), { deliveries: 0, busy: 0 });
  assert.equal((await caller.ask("quarantine.purge")).code, "bad_args");
  const { resumed } = dataOf(await caller.ask("upload.resume")) as { resumed: readonly string[] };
  assert.deepEqual(resumed, ["out", "off"]);
  await next.untilLogged("record.accepted", next.logged("record.accepted").length + 1, 20_000);
  assert.deepEqual(
    caller.finalCounts(),
    caller.finalCounts().map(() => 1),
  );
  await next.stop();
}

describe("remote commands for the queue, in the daemon", function () {
  this.timeout(60_000);

  for (const version of protocolVersions) {
    const more = version === "5" ? ", and a pause and a limit hold over kill -9" : "";
    it(`are answered once each on MQTT ${version}${more}`, async function () {
      await using broker = await steeringBroker(version, this);
      await steer(broker.url, version);
    });
  }
});

describe("commands of a person who sends something now", function () {
  this.timeout(30_000);

  it("are held up by no pause, and do not wait for a disabled target", async () => {
    await using temp = await tempFolder();
    const config = await writeConfig(temp.path, { ...configOf("mqtt://127.0.0.1:1", "5"), remote: undefined });
    const words = ["-c", config, "--data", join(temp.path, "data")];
    await mkdir(join(temp.path, "data/state"), { recursive: true });
    const paused = { version: 1, state: { pauses: { out: {}, off: {} } } };
    await writeFile(join(temp.path, "data/state/upload.json"), JSON.stringify(paused));
    const ran = await framepostInside(["capture", "--wait", "--json", ...words]);
    assert.equal(ran.code, 0, ran.stderr);
    const { answers, owedTo } = JSON.parse(ran.stdout) as { answers: { targetId: string }[]; owedTo: string[] };
    assert.deepEqual([answers.map(({ targetId }) => targetId), owedTo], [["out"], ["out", "off"]]);
    const refused = await framepostInside(["send", "nothing.jpg", "--target", "off", ...words]);
    assert.deepEqual([refused.code, /target off is disabled in the config/.test(refused.stderr)], [2, true]);
  });
});
