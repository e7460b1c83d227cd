import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, describe, it } from "mocha";
import { type EventKind, eventSchema } from "../../src/remote/event.ts";
import { infoSchema } from "../../src/remote/info-report.ts";
import { statusSchema } from "../../src/remote/status-report.ts";
import { AgentProcess, writeConfig } from "../lib/agent.ts";
import { until } from "../lib/poll.ts";
import { DeviceCaller } from "../lib/device-caller.ts";
import { HostileServer } from "../lib/hostile-server.ts";
import { findings, planted } from "../lib/secret-search.ts";
import { protocolVersions, steeringBroker } from "../lib/steering-broker.ts";
import { tempFolder } from "../lib/temp.ts";

/** The daemon, steered over a real broker: Mosquitto on MQTT 5, the one in this process on 3.1.1. */
for (const version of protocolVersions) {
  describe(`a daemon and whoever asks it, on MQTT ${version}`, () => {
    const secret = planted("platform token");
    const closing: (() => PromiseLike<unknown>)[] = [];
    let folder = "";
    let agent: AgentProcess;
    let caller: DeviceCaller;

    before(async function () {
      this.timeout(30_000);
      const broker = await steeringBroker(version, this);
      closing.unshift(() => broker[Symbol.asyncDispose]());
      const temp = await tempFolder();
      closing.unshift(() => temp[Symbol.asyncDispose]());
      folder = temp.path;
      const { url } = broker;
      // It repeats the token that it refuses.
      const hostile = await new HostileServer().start();
      closing.unshift(() => hostile[Symbol.asyncDispose]());
      await writeFile(join(folder, "token"), secret.text);
      const frames = { width: 160, height: 120, interval: "200ms", driver: "simulated" };
      const file = await writeConfig(folder, {
        device: { name: "gw" },
        cameras: [{ id: "front", ...frames, keep: { negativesEvery: 1 } }],
        targets: [
          { id: "disk", kind: "folder", path: join(folder, "set") },
          {
            id: "away",
            kind: "iotown",
            url: `http://127.0.0.1:${hostile.port}/refuse`,
            token: `\${file:${join(folder, "token")}}`,
          },
        ],
        remote: { url, statusEvery: "1h" },
      });
      agent = new AgentProcess(["run", "-c", file, "--data", join(folder, "data"), "--log-level", "debug"]);
      closing.unshift(() => agent[Symbol.asyncDispose]());
      caller = await DeviceCaller.connect(url, "gw", version);
      closing.unshift(() => caller[Symbol.asyncDispose]());
      await agent.until("it is online", () => caller.isPresent(), 20_000);
    });

    after(async () => {
      for (const close of closing) await close();
    });

    const events = (kind: EventKind) => caller.heard.filter(({ topic }) => topic === `framepost/gw/event/${kind}`);

    it("tells what it is and how it is, kept at the broker, in the promised shape", async () => {
      const info = infoSchema.parse(caller.last("info")?.json);
      assert.deepEqual(info.cameras, [{ id: "front", driver: "simulated" }]);
      assert.ok(info.commands.includes("support.bundle"));
      await until(() => caller.last("status") !== undefined, "a status");
      const asked = await caller.ask("status");
      const status = statusSchema.parse(asked.data);
      assert.equal(status.cameras["front"]?.driver, "simulated");
      assert.ok(status.queue !== undefined && status.queue.capBytes > 0);
      assert.deepEqual(infoSchema.parse((await caller.ask("info")).data).device, "gw");
      assert.equal(asked.code, "ok");
    });

    it("says at once that a target is away, as an event and in the status", async () => {
      await until(() => events("target-away").length > 0, "an event", 20_000);
      const [away] = events("target-away");
      const { data } = eventSchema("target-away").parse(away?.json);
      assert.equal((data as { target: string }).target, "away");
      const told = () => statusSchema.parse(caller.last("status")?.json);
      await until(() => told().targets["away"]?.state === "away", "a status that says so", 10_000);
      assert.equal(told().state, "degraded");
      await until(() => events("kept").length > 0, "kept records are told", 20_000);
      for (const { json } of events("kept")) eventSchema("kept").parse(json);
      await until(
        () => statusSchema.parse(caller.last("status")?.json).cameras["front"]?.state === "running",
        "a camera",
      );
    });

    it("answers each command once, with good and with bad arguments", async function () {
      this.timeout(30_000);
      const done = await Promise.all([
        caller.ask("capabilities"),
        caller.ask("model.list"),
        caller.ask("log.level", { level: "info", durationMs: 60_000 }),
      ]);
      assert.deepEqual(
        done.map(({ state }) => state),
        ["done", "done", "done"],
      );
      const refused = [
        await caller.ask("log.level", { level: "loud" }),
        await caller.ask("model.select", { model: "../up" }),
        await caller.ask("model.fetch", { url: "http://evil.example/" }),
        await caller.ask("support.bundle", { bytesMax: 1 }),
      ];
      for (const { state, code, message } of refused) assert.deepEqual([state, code], ["refused", "bad_args"], message);
    });

    it("shows no secret where a platform repeats it, in no reply, event or status", async () => {
      const answers = [
        await caller.ask("target.test", { target: "away" }),
        await caller.ask("target.list"),
        await caller.ask("explain.upload", { target: "away" }),
      ];
      assert.deepEqual(
        answers.map(({ code }) => code),
        ["target_error", "ok", "ok"],
      );
      const texts = answers.map((answer) => JSON.stringify(answer));
      for (const text of texts) assert.match(text, /HTTP_401/);
      const said = new Map([["topics", Buffer.from(JSON.stringify(caller.heard))]]);
      assert.deepEqual(findings(said, [secret]), []);
    });

    it("hands out a support bundle without a secret, within the size asked for", async () => {
      const bytesMax = 40_000;
      const answer = await caller.ask("support.bundle", { bytesMax });
      assert.equal(answer.state, "done", JSON.stringify(answer).slice(0, 300));
      const text = JSON.stringify(answer);
      assert.ok(Buffer.byteLength(JSON.stringify(answer.data)) <= bytesMax);
      const { config, log, status } = answer.data as Record<string, unknown>;
      assert.ok((log as unknown[]).length > 3 && JSON.stringify(config).includes("iotown"));
      const { queue } = statusSchema.parse(status);
      assert.ok(queue !== undefined && queue.records > 0 && (queue.oldestAgeMs ?? 0) > 0, JSON.stringify(queue));
      const everything = new Map([
        ["bundle", Buffer.from(text)],
        ["topics", Buffer.from(JSON.stringify(caller.heard))],
      ]);
      assert.deepEqual(findings(everything, [secret]), []);
    });

    it("is gone with a word, and what it kept stays in its shape", async () => {
      await agent.stop();
      await until(() => caller.last("availability")?.json === "offline", "offline");
      statusSchema.parse(caller.last("status")?.json);
    });
  });
}
