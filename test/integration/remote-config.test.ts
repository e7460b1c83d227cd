import assert from "node:assert/strict";
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import type { Context } from "mocha";
import { after, before, describe, it } from "mocha";
import type { AgentProcess } from "../lib/agent.ts";
import { DeviceCaller, type HeardReply } from "../lib/device-caller.ts";
import { Mosquitto, freePort, passwordLine } from "../lib/mosquitto.ts";
import { until } from "../lib/poll.ts";
import { needsProgram } from "../lib/programs.ts";
import { remoteDevice } from "../lib/remote-device.ts";
import { type ProtocolVersion, steeringBroker, type SteeringBroker } from "../lib/steering-broker.ts";

/** What it asks of the broker is asked of both. */
const login = { username: "gw", password: "right" };

interface Steered {
  broker: SteeringBroker;
  device: Awaited<ReturnType<typeof remoteDevice>>;
  agent: AgentProcess;
  caller: DeviceCaller;
}

const words = ({ state, code }: HeardReply): string => `${state}/${code}`;

/** One daemon for all that is asked of it here, and how long it waits for a broker is told where it matters. */
function steered(version: ProtocolVersion): Steered {
  const bench = {} as Steered;

  before(async function () {
    bench.broker = version === "5" ? await passwordBroker(this) : await steeringBroker(version, this);
    const { url } = bench.broker;
    bench.device = await remoteDevice({ remote: { url, revertAfter: "60s", ...login } });
    bench.agent = await bench.device.start();
    bench.caller = await DeviceCaller.connect(url, "gw", version, login);
  });

  after(async () => {
    await bench.caller[Symbol.asyncDispose]();
    await bench.agent[Symbol.asyncDispose]();
    await bench.device[Symbol.asyncDispose]();
    await bench.broker[Symbol.asyncDispose]();
  });

  return bench;
}

function answersConfigCommands(bench: Steered): void {
  // In this order, because ten requests at once are taken: those after a start anew count from there.
  it("config.get shows the config in force, secrets masked, and refuses what is not there", async () => {
    const got = await bench.caller.ask("config.get", { path: "/cameras/front/interval" });
    assert.deepEqual([words(got), got.data], ["done/ok", { revision: 1, value: "300ms", changed: [] }]);
    assert.equal(words(await bench.caller.ask("config.get", { path: "/cameras/back" })), "refused/not_found");
    assert.equal(words(await bench.caller.ask("config.get", { path: "cameras" })), "refused/bad_args");
  });

  it("config.patch applies with all parts started anew, says so once, and config.rollback takes it back", async () => {
    const patch = { cameras: { front: { interval: "200ms" } } };
    const dry = await bench.caller.ask("config.patch", { patch }, { dry: true });
    assert.deepEqual(dry.data, { revision: 1, changed: ["/cameras/front/interval"], applied: "parts started anew" });
    const id = await bench.caller.send("config.patch", { patch }, { ifRevision: 1 });
    const done = await bench.caller.finalOf(id);
    assert.deepEqual(
      [words(done), done.data],
      ["done/ok", { revision: 2, changed: ["/cameras/front/interval"], applied: "parts started anew" }],
    );
    assert.equal(bench.caller.repliesTo(id)[0]?.state, "accepted");
    const again = await bench.caller.ask("config.patch", { patch }, { id: "again", ifRevision: 2 });
    assert.deepEqual(again.data, { revision: 2, changed: [], applied: "nothing" });
    const back = await bench.caller.ask("config.rollback");
    assert.deepEqual([words(back), back.revision], ["done/ok", 3]);
    const got = await bench.caller.ask("config.get", { path: "/cameras/front/interval" });
    assert.equal(got.data?.["value"], "300ms");
    assert.equal(bench.caller.events("config-changed").length, 2);
    assert.equal(bench.caller.finalsTo(id).length, 1);
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
      const reply = await bench.caller.ask("config.patch", { patch }, envelope);
      assert.equal(words(reply), answer, JSON.stringify(reply));
      if (path !== undefined) assert.equal(reply.data?.["path"], path);
      assert.equal(reply.revision, 3);
    }
  });

  it("a change of the log's level needs no part to stop", async () => {
    const started = bench.agent.logged("started").length;
    const reply = await bench.caller.ask("config.patch", { patch: { log: { level: "debug" } } });
    assert.deepEqual(reply.data, { revision: 4, changed: ["/log/level"], applied: "in place" });
    await bench.agent.untilLogged("record.stored");
    assert.equal(bench.agent.logged("started").length, started);
  });

  it("restart answers first, then starts everything anew in the same process", async () => {
    const started = bench.agent.logged("started").length;
    assert.equal(words(await bench.caller.ask("restart", { force: true })), "refused/bad_args");
    assert.equal(words(await bench.caller.ask("restart", {}, { dry: true })), "done/ok");
    assert.equal(bench.agent.logged("started").length, started);
    assert.equal(words(await bench.caller.ask("restart")), "done/ok");
    await bench.agent.untilLogged("started", started + 1);
    await bench.agent.untilLogged("mqtt.connected", started + 1);
    assert.equal(words(await bench.caller.ask("ping")), "done/ok");
    assert.equal(bench.agent.logged("vision.ready").length, started + 1);
  });
}

/** From now on: a broker is waited for no longer than a second. */
async function waitOnlyASecond({ caller }: Steered): Promise<void> {
  const { data } = await caller.ask("config.patch", { patch: { remote: { revertAfter: "1s" } } });
  assert.equal(data?.["applied"], "in place");
}

function auditsOf(caller: DeviceCaller, id: string): readonly unknown[] {
  return caller.events("audit").filter((event) => (event as { readonly data: { id: string } }).data.id === id);
}

/** The highest number that a stored record has, and how many have arrived. */
async function delivered(folder: string): Promise<{ readonly highest: number; readonly count: number }> {
  const names = await readdir(join(folder, "out", "images"), { recursive: true }).catch(() => []);
  const numbers = names.flatMap((name) => /-(\d+)\.jpg$/.exec(name)?.[1] ?? []).map(Number);
  return { highest: Math.max(0, ...numbers), count: numbers.length };
}

describe("config commands on MQTT 5", () => {
  const bench = steered("5");

  answersConfigCommands(bench);

  it("a config may move to another broker: the reply comes there", async () => {
    const other = await new Mosquitto().start();
    try {
      const { agent, broker } = bench;
      const reverted = agent.logged("config.reverted").length;
      await using here = await DeviceCaller.connect(broker.url, "gw", "3.1.1", login);
      await using there = await DeviceCaller.connect(other.url, "gw", "3.1.1");
      const id = await here.send("config.patch", { patch: { remote: { url: other.url } } }, { id: "move" });
      assert.equal(words(await there.finalOf(id)), "done/ok");
      assert.equal(agent.logged("config.reverted").length, reverted);
      assert.equal(here.finalsTo(id).length, 0);
      await there.send("config.rollback", {}, { id: "back" });
      assert.equal(words(await here.finalOf("back")), "done/ok");
    } finally {
      await other.stop();
    }
  });

  it("a config that cuts the device off is taken back by the next start when the device is killed in the middle", async () => {
    const { broker, device } = bench;
    await using caller = await DeviceCaller.connect(broker.url, "gw", "3.1.1", login);
    const url = `mqtt://127.0.0.1:${await freePort()}`;
    const started = bench.agent.logged("started").length;
    const id = await caller.send("config.patch", { patch: { remote: { url } } }, { id: "cut" });
    await bench.agent.untilLogged("started", started + 1);
    assert.match(await readFile(join(device.data, "config.overlay.yaml"), "utf8"), /state: trial/);
    await bench.agent[Symbol.asyncDispose]();
    bench.agent = await device.start();
    const reply = await caller.finalOf(id);
    assert.equal(words(reply), "failed/reverted");
    await until(() => caller.events("config-reverted").length === 1, "the event");
    assert.equal(bench.agent.logged("config.reverted").length, 0, "it was no trial of this process");
    assert.equal(
      (await caller.ask("config.patch", { patch: { cameras: { front: { interval: "300ms" } } } })).data?.["applied"],
      "nothing",
    );
    assert.equal(caller.finalsTo(id).length, 1);
  });

  // Last of all: those before have to be given more than a second.
  it("a config that cuts the device off is taken back when the broker refuses the new credentials, which nobody is shown", async () => {
    await waitOnlyASecond(bench);
    const { agent, broker } = bench;
    await using caller = await DeviceCaller.connect(broker.url, "gw", "3.1.1", login);
    const reply = await caller.ask("config.patch", { patch: { remote: { password: "wrong-one" } } }, { id: "login" });
    assert.equal(words(reply), "failed/reverted");
    assert.equal(words(await caller.ask("ping")), "done/ok");
    await until(() => auditsOf(caller, "login").length > 0, "the audit");
    assert.doesNotMatch(JSON.stringify([caller.heard, agent.stderr]), /wrong-one/);
  });
});

describe("config commands on MQTT 3.1.1", () => {
  const bench = steered("3.1.1");

  answersConfigCommands(bench);

  it("a config that cuts the device off is taken back within the set time, and reported in every place; no record is lost", async () => {
    await waitOnlyASecond(bench);
    const { agent, broker, device } = bench;
    await using caller = await DeviceCaller.connect(broker.url, "gw", "3.1.1");
    const url = `mqtt://127.0.0.1:${await freePort()}`;
    const startedMs = performance.now();
    const id = await caller.send("config.patch", { patch: { remote: { url } } });
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
    assert.deepEqual([caller.finalsTo(id).length, auditsOf(caller, id).length], [1, 1]);
    const { count: before } = await delivered(device.folder);
    await until(async () => (await delivered(device.folder)).count > before + 2, "records of the taken back config");
    await agent.stop();
    const { highest, count } = await delivered(device.folder);
    assert.equal(highest, count, "the number of the last record");
  });
});

async function passwordBroker(test: Context): Promise<SteeringBroker> {
  needsProgram(test, "mosquitto", "mosquitto");
  const lines = ["allow_anonymous false", "password_file @/passwords"];
  const files = { passwords: passwordLine(login.username, login.password) };
  const broker = await new Mosquitto({ lines, files }).start();
  return { url: broker.url, [Symbol.asyncDispose]: () => broker.stop() };
}
