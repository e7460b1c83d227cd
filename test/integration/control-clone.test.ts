import assert from "node:assert/strict";
import { afterEach, before, describe, it } from "mocha";
import { type ControlBench, controlLink, type ControlOptions } from "../lib/control.ts";
import { eventually, Mosquitto } from "../lib/mosquitto.ts";
import { Subscriber } from "../lib/mqtt.ts";
import { needsProgram } from "../lib/programs.ts";

describe("Two devices with one name", () => {
  const toStop: { stop(): Promise<unknown> }[] = [];

  before(function () {
    needsProgram(this, "mosquitto", "mosquitto");
  });

  afterEach(async () => {
    for (const part of toStop.splice(0).reverse()) await part.stop();
  });

  async function mosquitto(): Promise<Mosquitto> {
    const broker = new Mosquitto();
    toStop.push(broker);
    return broker.start();
  }

  function device(broker: Mosquitto, instance: string, protocol: string, options: ControlOptions = {}): ControlBench {
    const timing = { cloneHoldMs: 600, cloneLookMs: 400 };
    const bench = controlLink(broker.url, { instance, timing, ...options, config: { protocol, ...options.config } });
    toStop.push(bench.link);
    return bench;
  }

  async function keptInfo(broker: Mosquitto): Promise<string> {
    const reader = await new Subscriber().start(broker.url, "framepost/gw/info");
    await reader.caughtUp();
    await reader.stop();
    return reader.packets.map(({ payload }) => payload.toString()).join();
  }

  for (const protocol of ["5", "3.1.1"]) {
    it(`end no endless takeover: the one that notices leaves and says so (MQTT ${protocol})`, async () => {
      const broker = await mosquitto();
      const events = await new Subscriber().start(broker.url, "framepost/gw/event/#");
      toStop.push(events);
      const old = device(broker, "old", protocol);
      await old.here();
      await eventually("its birth is said", async () => (await keptInfo(broker)).includes("old"));
      const copy = device(broker, "copy", protocol);
      await eventually("the old one leaves", () => old.link.health().state === "held");
      assert.equal(old.link.health().cloned?.instance, "copy");
      await copy.here();
      await eventually("the event", () => events.packets.length > 0);
      const [told] = events.packets.map(({ topic, payload }) => `${topic} ${payload.toString()}`);
      assert.match(told ?? "", /event\/cloned .*"instance":"old","other":"copy"/);
      assert.equal(old.log.lines.filter(({ event }) => event === "remote.cloned").length, 1);
      assert.equal(copy.link.health().cloned, undefined);
      assert.equal(await keptInfo(broker), '{"v":1,"instance":"copy"}');

      await eventually("it looks again and leaves again", () => (old.link.health().cloned?.times ?? 0) >= 2);
      await copy.here();
      assert.equal(await keptInfo(broker), '{"v":1,"instance":"copy"}');
      await copy.link.stop();
      await eventually("it has its name back", () => old.link.health().state === "connected");
      assert.equal(old.link.health().cloned, undefined);
      await eventually("and says so", async () => (await keptInfo(broker)) === '{"v":1,"instance":"old"}');
      await new Promise<void>((resolve) => old.link.reply({ ok: 1 }, { command: "ping" }, () => resolve()));
    });

    it(`leave no request to both of them (MQTT ${protocol})`, async () => {
      const broker = await mosquitto();
      const old = device(broker, "old", protocol, { timing: { cloneHoldMs: 60_000 } });
      await old.here();
      await eventually("its birth is said", async () => (await keptInfo(broker)).includes("old"));
      const copy = device(broker, "copy", protocol);
      await eventually("the old one leaves", () => old.link.health().state === "held");
      await copy.here();
      const caller = await new Subscriber().start(broker.url, "none");
      toStop.push(caller);
      for (let n = 0; n < 5; n += 1) await caller.say("framepost/gw/cmd/ping", `n${n}`);
      await eventually("all were heard", () => copy.requests.length === 5);
      assert.deepEqual(old.requests, []);
    });
  }

  it("are told apart also with two client ids, by the live info", async () => {
    const broker = await mosquitto();
    const old = device(broker, "old", "5", { timing: { cloneHoldMs: 60_000 } });
    await old.here();
    await eventually("its birth is said", async () => (await keptInfo(broker)).includes("old"));
    const copy = device(broker, "copy", "5", { config: { clientId: "another" } });
    await copy.here();
    await eventually("the old one leaves", () => old.link.health().state === "held");
    assert.equal(copy.link.health().state, "connected");
  });

  it("are no clones where the new one replaces the old, also when the broker is restored from an old copy", async () => {
    const broker = await mosquitto();
    const caller = await new Subscriber().start(broker.url, "none");
    toStop.push(caller);
    await caller.say("framepost/gw/info", '{"v":1,"instance":"before"}', { retain: true });
    const now = device(broker, "now", "5");
    await now.here();
    await eventually("its birth is said", async () => (await keptInfo(broker)).includes("now"));
    await caller.say("framepost/gw/info", '{"v":1,"instance":"before"}', { retain: true });
    await new Promise<void>((resolve) => now.link.reply({ ok: 1 }, { command: "ping" }, () => resolve()));
    assert.equal(now.link.health().state, "connected");
    assert.equal(now.link.health().cloned, undefined);
  });
});
