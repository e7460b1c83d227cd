import assert from "node:assert/strict";
import { describe, it } from "mocha";
import type { Reply } from "../../src/remote/reply.ts";
import { DaemonBench } from "../lib/daemon-bench.ts";
import { DeviceCaller } from "../lib/device-caller.ts";
import { type ProtocolVersion, protocolVersions, steeringBroker } from "../lib/steering-broker.ts";

const camera = { driver: "simulated", width: 320, height: 240 };

/** One takes a frame an hour, one five a second, and one is closed but for a minute of the week. */
function configOf(url: string, protocol: string) {
  const weekday = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"][(new Date().getUTCDay() + 3) % 7];
  const schedule = { timeZone: "UTC", windows: [{ days: [weekday], from: "12:00", to: "12:01" }] };
  return {
    device: { name: "gw" },
    cameras: [
      { ...camera, id: "front", interval: "1h" },
      { ...camera, id: "back", interval: "200ms" },
      { ...camera, id: "night", schedule },
    ],
    targets: [{ id: "out", kind: "folder", path: "./out" }],
    remote: { url, protocol, homeAssistant: { enabled: false } },
  };
}

function dataOf(reply: Reply): Readonly<Record<string, unknown>> {
  assert.equal(`${reply.state}/${reply.code}`, "done/ok", JSON.stringify(reply));
  return reply.data as Readonly<Record<string, unknown>>;
}

async function states(caller: DeviceCaller): Promise<readonly string[]> {
  const { cameras } = dataOf(await caller.ask("camera.list")) as { cameras: readonly { id: string; state: string }[] };
  return cameras.map(({ id, state }) => `${id}:${state}`);
}

function assertOnceEach(finalCounts: readonly number[]): void {
  assert.deepEqual(
    finalCounts,
    finalCounts.map(() => 1),
  );
}

/** Ten requests a daemon: the rate limit's burst. */
async function steer(url: string, version: ProtocolVersion): Promise<void> {
  await using bench = await DaemonBench.make();
  const config = configOf(url, version);
  const agent = await bench.start(config);
  await agent.untilLogged("camera.running", 2, 20_000);
  // On 3.1.1 there is no session, and what is sent before this is lost.
  await agent.untilLogged("mqtt.connected");
  await using caller = await DeviceCaller.connect(url, "gw", version);
  const bad = await caller.ask("snapshot", { camera: 7 });
  assert.deepEqual([bad.state, bad.code], ["refused", "bad_args"]);
  const { image, record } = dataOf(await caller.ask("snapshot", { inline: true })) as {
    readonly image: { readonly base64: string };
    readonly record: string;
  };
  assert.equal(Buffer.from(image.base64, "base64").readUInt16BE(), 0xffd8);
  const { decision } = dataOf(await caller.ask("explain.frame", { record })) as { readonly decision: object };
  assert.equal((decision as { readonly why: string }).why, "requested");
  const closed = await caller.ask("snapshot", { camera: "night" });
  assert.deepEqual([closed.code, closed.error], ["camera_unavailable", "CAMERA_CLOSED"]);
  const burst = dataOf(await caller.ask("capture.burst", { camera: "back", count: 3, intervalMs: 10 }));
  assert.deepEqual([burst["taken"], burst["endedBy"]], [3, "count"]);
  assert.equal(dataOf(await caller.ask("camera.reopen", { camera: "back" }))["state"], "running");
  dataOf(await caller.ask("capture.pause"));
  assert.deepEqual(await states(caller), ["front:paused", "back:paused", "night:paused"]);
  const paused = await caller.ask("snapshot", { camera: "back" });
  assert.deepEqual([paused.code, paused.error], ["camera_unavailable", "CAMERA_PAUSED"]);
  const before = caller.finalCounts();
  assertOnceEach(before);
  if (version === "3.1.1") {
    await agent.stop();
    return;
  }

  agent.kill("SIGKILL");
  await agent.ended();
  const next = await bench.start(config);
  await next.untilLogged("mqtt.connected");
  assert.deepEqual(await states(caller), ["front:paused", "back:paused", "night:paused"]);
  assert.deepEqual(next.logged("camera.starting"), []);
  dataOf(await caller.ask("capture.resume"));
  await next.untilLogged("camera.running", 2, 20_000);
  assert.deepEqual(await states(caller), ["front:running", "back:running", "night:stopped"]);
  // The reply to the last request before may come again: nobody noted that it had arrived.
  assertOnceEach(caller.finalCounts().slice(before.length));
  await next.stop();
}

describe("remote commands for cameras, in the daemon", () => {
  for (const version of protocolVersions) {
    it(`are answered once each on MQTT ${version}${version === "5" ? ", and a pause holds over kill -9" : ""}`, async function () {
      await using broker = await steeringBroker(version, this);
      await steer(broker.url, version);
    });
  }
});
