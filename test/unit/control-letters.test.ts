import assert from "node:assert/strict";
import { describe, it } from "mocha";
import { AgentError, type Disposition } from "../../src/core/errors.ts";
import { remoteLimits } from "../../src/core/remote-limits.ts";
import { Hearing } from "../../src/link/mqtt-hearing.ts";
import { publishBytes, type PublishOptions } from "../../src/link/mqtt-packet.ts";
import type { MqttMessage, ReceivedPublish } from "../../src/link/mqtt-subscription.ts";
import { CloneWatch } from "../../src/remote/clone-watch.ts";
import { Outbox } from "../../src/remote/outbox.ts";
import { type Post, Sender } from "../../src/remote/sender.ts";
import { until } from "../lib/poll.ts";
import { SimulatedClock } from "../lib/seams.ts";

/** A broker that takes all but what `refuse` names an error for. */
class ScriptedPost implements Post {
  readonly taken: string[] = [];
  refuse: (topic: string, payload: string) => string | undefined = () => undefined;
  refuseBytes: (packetBytes: number) => boolean = () => false;

  async connected(): Promise<void> {}

  async publish(topic: string, payload: Buffer, given: PublishOptions): Promise<void> {
    const isTooLarge = this.refuseBytes(publishBytes(topic, payload.length, given));
    const code = isTooLarge ? "MQTT_TOO_LARGE" : this.refuse(topic, payload.toString());
    const dispositions: Readonly<Record<string, Disposition>> = {
      MQTT_NOT_AUTHORISED: "fatal",
      MQTT_TOO_LARGE: "reject",
    };
    if (code !== undefined) throw new AgentError(code, "scripted", { disposition: dispositions[code] ?? "retry" });
    this.taken.push(`${topic} ${payload.toString().slice(0, 20)}`);
  }
}

function bench() {
  const [clock, post, ending] = [new SimulatedClock(), new ScriptedPost(), new AbortController()];
  const sender = new Sender(post, clock);
  const outbox = new Outbox(sender, clock);
  const settled: string[] = [];
  const put = (topic: string, text: string, more: { otherTopic?: string; kind?: "reply" | "event" } = {}): void => {
    const letter = { topic, payload: Buffer.from(text), options } as const;
    outbox.put({
      ...{ kind: "reply", ...letter, ...more },
      shorter: [() => ({ payload: Buffer.from("short") })],
      settled: (error) => settled.push(`${topic} ${error?.code ?? "ok"}`),
    });
  };
  const running = outbox.run(ending.signal);
  return {
    ...{ clock, post, sender, outbox, put, settled },
    async [Symbol.asyncDispose]() {
      ending.abort();
      await running;
    },
  };
}

const options = { qos: 1 } as const;
const large = "x".repeat(remoteLimits.suspectBytesMin);

describe("letters to the broker", () => {
  it("are shortened when they have ended two connections, and nothing behind them waits for more", async () => {
    await using letters = bench();
    let kills = 0;
    letters.post.refuse = (_, payload) => (payload === large ? ((kills += 1), "MQTT_CLOSED") : undefined);
    letters.put("large", large);
    letters.put("small", "y");
    letters.put("again", large);
    await until(() => letters.settled.length === 3, "all are settled");
    assert.deepEqual(letters.post.taken, ["large short", "small y", "again short"]);
    const refusedBytes = publishBytes("large", large.length, options);
    assert.deepEqual([kills, letters.sender.refusedBytes, letters.outbox.dropped], [2, refusedBytes, 0]);
    letters.clock.advance(remoteLimits.refusedSizeForgetMs + 1);
    assert.equal(letters.sender.refusedBytes, undefined);
  });

  it("go without what the caller wants echoed where the broker takes no more, and others are as long as before", async () => {
    await using letters = bench();
    const correlated = { qos: 1, properties: { correlationData: Buffer.alloc(60_000) } } as const;
    const packetMax = 32_000;
    letters.post.refuseBytes = (bytes) => bytes > packetMax;
    letters.outbox.put({
      ...{ kind: "reply", topic: "own", payload: Buffer.from("whole"), options: correlated },
      shorter: [() => ({ payload: Buffer.from("short") }), () => ({ payload: Buffer.from("bare"), options })],
    });
    letters.put("other", "z".repeat(20_000));
    await until(() => letters.settled.length === 1, "the other is settled");
    assert.deepEqual(letters.post.taken, ["own bare", `other ${"z".repeat(20)}`]);
    assert.equal(letters.outbox.dropped, 0);
  });

  it("count with what the caller wants echoed", async () => {
    await using letters = bench();
    letters.post.refuse = () => "MQTT_OFFLINE";
    const properties = { correlationData: Buffer.alloc(65_000) };
    for (let count = 0; count < 100; count += 1) {
      letters.outbox.put({ kind: "reply", topic: "own", payload: Buffer.alloc(0), options: { qos: 1, properties } });
    }
    assert.equal(letters.outbox.waiting, Math.floor(remoteLimits.outboxBytesMax / 65_000));
  });

  it("are not suspected where a broker dies of age, and given up where they end every connection", async () => {
    await using letters = bench();
    letters.post.refuse = (_, payload) => {
      if (payload === large) letters.clock.advance(remoteLimits.suspectWithinMs + 1);
      return letters.clock.monotonicMs() < 60_000 || payload === "poison" ? "MQTT_CLOSED" : undefined;
    };
    letters.put("slow", large);
    letters.put("small", "poison");
    letters.put("behind", "y");
    await until(() => letters.settled.length === 3, "all are settled");
    assert.deepEqual(letters.settled, ["slow ok", "small MQTT_POISON", "behind ok"]);
  });

  it("go to the device's own topic where the caller's is forbidden, and wait where both are", async () => {
    await using letters = bench();
    const mendedAtMs = 10 * remoteLimits.refusedRetryMs;
    letters.post.refuse = (topic) => {
      const isOpen = topic === "behind" || (topic === "own" && letters.clock.monotonicMs() >= mendedAtMs);
      return isOpen ? undefined : "MQTT_NOT_AUTHORISED";
    };
    letters.put("caller", "a", { otherTopic: "own" });
    letters.put("event", "b", { kind: "event" });
    letters.put("behind", "y");
    await until(() => letters.settled.length === 3, "all are settled");
    assert.deepEqual(letters.settled, ["event MQTT_NOT_AUTHORISED", "behind ok", "caller ok"]);
    assert.deepEqual(letters.post.taken, ["behind y", "own a"]);
  });

  it("are given up when the list is never mended", async () => {
    await using letters = bench();
    letters.post.refuse = () => "MQTT_NOT_AUTHORISED";
    letters.put("own", "a");
    await until(() => letters.settled.length === 1, "it is given up");
    assert.deepEqual([letters.settled, letters.outbox.dropped], [["own MQTT_NOT_AUTHORISED"], 1]);
    assert.ok(letters.clock.monotonicMs() >= remoteLimits.replyExpirySeconds * 1_000);
  });
});

describe("what a link hears", () => {
  const never = new AbortController().signal;
  const packet = (messageId: number, text: string, dup = false): ReceivedPublish => ({
    ...{ topic: "a/1", payload: Buffer.from(text), qos: 1, retain: false, messageId, dup },
  });

  it("comes one after the other, and what was not taken may come again", async () => {
    const heard: string[] = [];
    let fails = true;
    const onMessage = async ({ payload }: MqttMessage): Promise<void> => {
      await Promise.resolve();
      heard.push(payload.toString());
      if (payload.toString() === "b" && fails) throw new Error("not now");
    };
    const hearing = new Hearing([{ filters: ["a/+"], qos: 1, onMessage }], new SimulatedClock());
    const taken = await Promise.all([hearing.take(packet(1, "a"), never), hearing.take(packet(2, "b"), never)]);
    assert.deepEqual(taken, [true, false]);
    fails = false;
    hearing.connected(true);
    assert.equal(await hearing.take(packet(1, "a", true), never), true);
    assert.equal(await hearing.take(packet(2, "b", true), never), true);
    assert.deepEqual(heard, ["a", "b", "b"]);
    hearing.connected(false);
    await hearing.take(packet(1, "a", true), never);
    assert.deepEqual(heard, ["a", "b", "b", "a"]);
  });

  it("is left out and counted when whoever listens is stuck", async () => {
    let free = () => {};
    const stuck = new Promise<void>((resolve) => (free = resolve));
    const hearing = new Hearing([{ filters: ["a/+"], qos: 1, onMessage: () => stuck }], new SimulatedClock());
    const all = Array.from({ length: 100 }, (_, n) => hearing.take(packet(n + 1, String(n)), never));
    assert.equal(hearing.missed, 100 - 64);
    free();
    assert.ok((await Promise.all(all)).every((isTaken) => isTaken));
  });
});

describe("what a link hears late", () => {
  it("says when it came, not when it was its turn", async () => {
    const [clock, arrivals] = [new SimulatedClock(), Array<number>()];
    const onMessage = ({ arrivedMs }: MqttMessage): void => {
      arrivals.push(arrivedMs);
      // Whoever listens is slow.
      clock.advance(10_000);
    };
    const hearing = new Hearing([{ filters: ["a"], qos: 1, onMessage }], clock);
    const packet = { topic: "a", payload: Buffer.alloc(0), qos: 1, retain: false } as const;
    const beganMs = clock.monotonicMs();
    const never = new AbortController().signal;
    await Promise.all([1, 2, 3].map((messageId) => hearing.take({ ...packet, messageId }, never)));
    assert.deepEqual(arrivals, [beganMs, beganMs, beganMs]);
  });
});

describe("a clone watch", () => {
  const [first, later] = [new AbortController().signal, new AbortController().signal];
  const info = (instance: unknown, retain = true): MqttMessage => ({
    ...{ topic: "framepost/gw/info", payload: Buffer.from(JSON.stringify({ instance })), qos: 0, retain },
    arrivedMs: 0,
  });

  it("finds the instance that came after its own birth, and not those before", () => {
    const watch = new CloneWatch("me");
    watch.heard(info("before"), first);
    watch.born(first);
    for (const own of [info("me"), info("before"), info("before", false), info(7), info("late")])
      watch.heard(own, first);
    assert.equal(watch.foreign, undefined);
    watch.heard(info("before"), later);
    watch.heard({ ...info(""), payload: Buffer.from("no JSON") }, later);
    assert.equal(watch.foreign, undefined);
    watch.heard(info("other"), later);
    assert.equal(watch.foreign, "other");
    watch.forget();
    assert.equal(watch.foreign, undefined);
    watch.heard(info("other"), later);
    assert.equal(watch.foreign, "other");
  });

  it("believes a broker that says so twice only where it cannot read who it is", () => {
    const deaf = new CloneWatch("me");
    deaf.takenOver();
    deaf.born(first);
    deaf.takenOver();
    assert.equal(deaf.foreign, undefined);
    deaf.takenOver();
    assert.equal(deaf.foreign, "unknown");
    const hearing = new CloneWatch("me");
    hearing.born(first);
    hearing.heard(info("me"), first);
    for (let n = 0; n < 3; n += 1) hearing.takenOver();
    assert.equal(hearing.foreign, undefined);
  });
});
