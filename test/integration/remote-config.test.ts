import assert from "node:assert/strict";
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, describe, it } from "mocha";
import type { AgentProcess } from "../lib/agent.ts";
import { DeviceCaller, type HeardReply } from "../lib/device-caller.ts";
import { Mosquitto, freePort, passwordLine } from "../lib/mosquitto.ts";
import { until } from "../lib/poll.ts";
import { remoteDevice } from "../lib/remote-device.ts";
import { protocolVersions, steeringBroker, type SteeringBroker } from "../lib/steering-broker.ts";

const words = ({ state, code }: HeardReply): string => `${state}/${code}`;

for (const version of protocolVersions) {
  describe(`config commands on MQTT ${version}`, () => {
    let broker: SteeringBroker;
    let device: Awaited<ReturnType<typeof remoteDevice>>;
    let agent: AgentProcess;
    let caller: DeviceCaller;

    before(async function () {
      broker = await steeringBroker(version, this);
      device = await remoteDevice({ remote: { url: broker.url, revertAfter: "60s" } });
      agent = await device.start();
      caller = await DeviceCaller.connect(broker.url, "gw", version);
    });

    after(async () => {
      await caller[Symbol.asyncDispose]();
      await agent[Symbol.asyncDispose]();
      await device[Symbol.asyncDispose]();
      await broker[Symbol.asyncDispose]();
    });

    // In this order, because ten requests at once are taken: those after a start anew count from there.
    it("config.get shows the config in force, secrets masked, and refuses what is not there", async () => {
      const got = await caller.ask("config.get", { path: "/cameras/front/interval" });
      assert.deepEqual([words(got), got.data], ["done/ok", { revision: 1, value: "300ms", changed: [] }]);
      assert.equal(words(await caller.ask("config.get", { path: "/cameras/back" })), "refused/not_found");
      assert.equal(words(await caller.ask("config.get", { path: "cameras" })), "refused/bad_args");
    });

    it("config.patch applies with all parts started anew, says so once, and config.rollback takes it back", async () => {
      const patch = { cameras: { front: { interval: "200ms" } } };
      const dry = await caller.ask("config.patch", { patch }, { dry: true });
      assert.deepEqual(dry.data, { revision: 1, changed: ["/cameras/front/interval"], applied: "parts started anew" });
      const id = await caller.send("config.patch", { patch }, { ifRevision: 1 });
      const done = await caller.finalOf(id);
      assert.deepEqual(
        [words(done), done.data],
        ["done/ok", { revision: 2, changed: ["/cameras/front/interval"], applied: "parts started anew" }],
      );
      assert.equal(caller.repliesTo(id)[0]?.state, "accepted");
      const again = await caller.ask("config.patch", { patch }, { id: "again", ifRevision: 2 });
      assert.deepEqual(again.data, { revision: 2, changed: [], applied: "nothing" });
      const back = await caller.ask("config.rollback");
      assert.deepEqual([words(back), back.revision], ["done/ok", 3]);
      const got = await caller.ask("config.get", { path: "/cameras/front/interval" });
      assert.equal(got.data?.["value"], "300ms");
      assert.equal(caller.events("config-changed").length, 2);
      assert.equal(caller.finalsTo(id).length, 1);
    });

    it("config.patch refuses what is wrong, with a pointer, and changes nothing", async () => {
      const cases: readonly (readonly [object, object, string, string | undefined])[] = [
        [{ cameras: { front: { interval: "soon" } } }, {}, "refused/bad_args", "/cameras/front/interval"],
        [{ cameras: { front: { speed: 3 } } }, {}, "refused/bad_args", "/cameras/front/speed"],
        [{ cameras: { front: null } }, {}, "refused/bad_args", "/cameras"],
        [{ dataDir: "/tmp/x" }, {}, "refused/bad_args", "/dataDir"],
        [{ remote: null }, {}, "refused/bad_args", "/remote"],
        [{ log: { level: "debug" } }, { ifRevision: 9 }, "refused/conflict", undefined],
      ];
      for (const [patch, envelope, answer, path] of cases) {
        const reply = await caller.ask("config.patch", { patch }, envelope);
        assert.equal(words(reply), answer, JSON.stringify(reply));
        if (path !== undefined) assert.equal(reply.data?.["path"], path);
        assert.equal(reply.revision, 3);
      }
    });

    it("a change of the log's level needs no part to stop", async () => {
      const started = agent.logged("started").length;
      const reply = await caller.ask("config.patch", { patch: { log: { level: "debug" } } });
      assert.deepEqual(reply.data, { revision: 4, changed: ["/log/level"], applied: "in place" });
      await agent.untilLogged("record.stored");
      assert.equal(agent.logged("started").length, started);
    });

    it("restart answers first, then starts everything anew in the same process", async () => {
      const started = agent.logged("started").length;
      assert.equal(words(await caller.ask("restart", { force: true })), "refused/bad_args");
      assert.equal(words(await caller.ask("restart", {}, { dry: true })), "done/ok");
      assert.equal(agent.logged("started").length, started);
      assert.equal(words(await caller.ask("restart")), "done/ok");
      await agent.untilLogged("started", started + 1);
      await agent.untilLogged("mqtt.connected", started + 1);
      assert.equal(words(await caller.ask("ping")), "done/ok");
      assert.equal(agent.logged("vision.ready").length, started + 1);
    });
  });
}

describe("a config that cuts the device off", () => {
  let broker: Mosquitto;

  before(async () => {
    broker = await new Mosquitto().start();
  });

  after(() => broker.stop());

  /** The highest number that a stored record has, and how many have arrived. */
  async function delivered(folder: string): Promise<{ readonly highest: number; readonly count: number }> {
    const names = await readdir(join(folder, "out", "images"), { recursive: true }).catch(() => []);
    const numbers = names.flatMap((name) => /-(\d+)\.jpg$/.exec(name)?.[1] ?? []).map(Number);
    return { highest: Math.max(0, ...numbers), count: numbers.length };
  }

  it("is taken back within the set time, and reported in every place; no record is lost", async () => {
    await using device = await remoteDevice({ remote: { url: broker.url, revertAfter: "1s" } });
    await using agent = await device.start();
    await using caller = await DeviceCaller.connect(broker.url, "gw", "3.1.1");
    const port = await freePort();
    const startedMs = performance.now();
    const id = await caller.send("config.patch", { patch: { remote: { url: `mqtt://127.0.0.1:${port}` } } });
    const reply = await caller.finalOf(id);
    const tookMs = performance.now() - startedMs;
    assert.equal(words(reply), "failed/reverted");
    assert.match(reply.message ?? "", /not reached within 1000 ms: .*ECONNREFUSED/);
    assert.ok(tookMs > 1_000 && tookMs < 10_000, `${tookMs} ms`);
    await until(() => caller.events("config-reverted").length === 1, "the event");
    assert.equal(agent.logged("config.reverted").length, 1);
    const status = await caller.ask("status");
    assert.equal((status.data?.["config"] as { lastChange: { state: string } }).lastChange.state, "reverted");
    const { data } = await caller.ask("config.get", { path: "/remote/url" });
    assert.equal(data?.["value"], broker.url);
    assert.deepEqual([caller.finalsTo(id).length, caller.events("audit").length], [1, 1]);
    await until(async () => (await delivered(device.folder)).count > 2, "records of the taken back config");
    await agent.stop();
    const { highest, count } = await delivered(device.folder);
    assert.equal(highest, count, "the number of the last record");
  });

  it("is taken back by the next start when the device is killed in the middle", async () => {
    await using device = await remoteDevice({ remote: { url: broker.url, revertAfter: "60s" } });
    await using caller = await DeviceCaller.connect(broker.url, "gw", "3.1.1");
    const port = await freePort();
    let id = "";
    {
      await using agent = await device.start();
      id = await caller.send("config.patch", { patch: { remote: { url: `mqtt://127.0.0.1:${port}` } } }, { id: "cut" });
      await agent.untilLogged("started", 2);
      assert.match(await readFile(join(device.data, "config.overlay.yaml"), "utf8"), /state: trial/);
    }
    await using agent = await device.start();
    const reply = await caller.finalOf(id);
    assert.equal(words(reply), "failed/reverted");
    await until(() => caller.events("config-reverted").length === 1, "the event");
    assert.equal(agent.logged("config.reverted").length, 0, "it was no trial of this process");
    assert.equal(
      (await caller.ask("config.patch", { patch: { cameras: { front: { interval: "300ms" } } } })).data?.["applied"],
      "nothing",
    );
    assert.equal(caller.finalsTo(id).length, 1);
  });

  it("is taken back when the broker refuses the new credentials, which nobody is shown", async () => {
    await using guarded = await passwordBroker("gw", "right");
    const login = { username: "gw", password: "right" };
    await using device = await remoteDevice({ remote: { url: guarded.broker.url, revertAfter: "1s", ...login } });
    await using agent = await device.start();
    await using caller = await DeviceCaller.connect(guarded.broker.url, "gw", "3.1.1", login);
    const reply = await caller.ask("config.patch", { patch: { remote: { password: "wrong-one" } } });
    assert.equal(words(reply), "failed/reverted");
    assert.equal(words(await caller.ask("ping")), "done/ok");
    await until(() => caller.events("audit").length > 0, "the audit");
    assert.doesNotMatch(JSON.stringify([caller.heard, agent.stderr]), /wrong-one/);
  });

  it("may move to another broker: the reply comes there", async () => {
    const other = await new Mosquitto().start();
    try {
      await using device = await remoteDevice({ remote: { url: broker.url } });
      await using agent = await device.start();
      await using here = await DeviceCaller.connect(broker.url, "gw", "3.1.1");
      await using there = await DeviceCaller.connect(other.url, "gw", "3.1.1");
      const id = await here.send("config.patch", { patch: { remote: { url: other.url } } }, { id: "move" });
      assert.equal(words(await there.finalOf(id)), "done/ok");
      assert.equal(agent.logged("config.reverted").length, 0);
      assert.equal(here.finalsTo(id).length, 0);
      await there.send("config.rollback", {}, { id: "back" });
      assert.equal(words(await here.finalOf("back")), "done/ok");
    } finally {
      await other.stop();
    }
  });
});

async function passwordBroker(
  user: string,
  password: string,
): Promise<AsyncDisposable & { readonly broker: Mosquitto }> {
  const lines = ["allow_anonymous false", "password_file @/passwords"];
  const broker = await new Mosquitto({ lines, files: { passwords: passwordLine(user, password) } }).start();
  return { broker, [Symbol.asyncDispose]: () => broker.stop() };
}
