import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { connectAsync } from "mqtt";
import { afterEach, before, beforeEach, describe } from "mocha";
import type { DeliveryLoop } from "../../src/deliver/loop.ts";
import { SandboxBroker } from "../../src/sandbox/broker.ts";
import { freePort, Mosquitto } from "../lib/mosquitto.ts";
import { Subscriber } from "../lib/mqtt.ts";
import { until } from "../lib/poll.ts";
import { needsProgram } from "../lib/programs.ts";
import { TransportBench } from "../lib/transport-bench.ts";
import { survives } from "../lib/transport-faults.ts";

const anybody = "allow_anonymous true";
const tooLargeBytes = 150_000;

describe("the delivery loop survives, over MQTT", function () {
  this.timeout(30_000);
  let bench: TransportBench;

  before(function () {
    needsProgram(this, "mosquitto", "mosquitto");
  });
  beforeEach(async () => {
    bench = await TransportBench.open();
  });
  afterEach(async () => {
    await bench[Symbol.asyncDispose]();
  });

  async function brokerOf(options: ConstructorParameters<typeof Mosquitto>[0] = {}) {
    const broker = await bench.use(new Mosquitto(options)).start();
    const subscriber = await bench.use(new Subscriber()).start(broker.url, "framepost/#");
    return { broker, subscriber };
  }

  function hashesAt({ packets }: Subscriber): ReadonlySet<string> {
    return new Set(packets.map(({ payload }) => hashIn(payload.toString())));
  }

  async function arrive(subscriber: Subscriber, hashes: readonly string[]): Promise<void> {
    const all = () => hashes.every((hash) => hashesAt(subscriber).has(hash));
    await until(all, `all ${hashes.length} arrive`, 10_000);
  }

  survives("broker frozen", async () => {
    const { broker, subscriber } = await brokerOf();
    const hashes = [...(await bench.append(1))];
    const loop = await bench.broker(broker.url);
    await arrive(subscriber, hashes);
    broker.freeze();
    hashes.push(...(await bench.append(3)));
    await until(() => loop.health().state === "away", "it is noticed", 10_000);
    broker.thaw();
    await bench.settled(loop);
    await arrive(subscriber, hashes);
  });

  async function meetsPacketSize(protocol: "3.1.1" | "5"): Promise<void> {
    const { broker, subscriber } = await brokerOf({ lines: [anybody, "max_packet_size 100000"] });
    const small = [...(await bench.append(2))];
    await bench.append(1, tooLargeBytes);
    small.push(...(await bench.append(3)));
    const loop = await bench.broker(broker.url, { protocol });
    await arrive(subscriber, small);
    // 3.1.1 does not say why it hangs up.
    if (protocol === "5") await bench.settled(loop, { setAside: ["MQTT_TOO_LARGE"] });
    else await charged(loop, subscriber);
  }

  survives("broker's max_packet_size, MQTT 3.1.1", async () => await meetsPacketSize("3.1.1"));
  survives("broker's max_packet_size, MQTT 5", async () => await meetsPacketSize("5"));

  /** Others get through and it does not: after some times of that it is charged, and they are not. */
  async function charged(loop: DeliveryLoop, subscriber: Subscriber): Promise<void> {
    const large = async () => {
      const listed = await bench.spool.list({ afterSequence: 0, recordsMax: 100 });
      return listed.find(({ record }) => record.imageBytes === tooLargeBytes)?.deliveries[0];
    };
    for (let rounds = 0; rounds < 20 && (await large())?.attempts === 0; rounds += 1) {
      const more = await bench.append(1);
      loop.flush(2);
      await arrive(subscriber, more);
    }
    assert.ok(((await large())?.attempts ?? 0) > 0, "it is charged");
    assert.equal(loop.health().rejected, 0);
  }

  survives("broker's message_size_limit, MQTT 3.1.1", async () => {
    const { broker, subscriber } = await brokerOf({ lines: [anybody, "message_size_limit 100000"] });
    const [large = ""] = await bench.append(1, tooLargeBytes);
    const small = await bench.append(3);
    const loop = await bench.broker(broker.url, { protocol: "3.1.1" });
    await arrive(subscriber, small);
    await bench.settled(loop);
    // The broker says yes and throws it away, which 3.1.1 cannot tell: the setting for such a broker is payloadBytesMax.
    assert.ok(!hashesAt(subscriber).has(large));
    await loop.stop();
    await bench.append(1, tooLargeBytes);
    const told = await bench.broker(broker.url, { protocol: "3.1.1", payloadBytesMax: "90KB", clientId: "told" });
    await bench.settled(told, { setAside: ["MQTT_TOO_LARGE"] }).catch(async (error: unknown) => {
      // Nothing was sent that would make the target count as up.
      if (!String(error).includes("counts as up")) throw error;
    });
  });

  survives("broker's message_size_limit, MQTT 5", async () => {
    const { broker, subscriber } = await brokerOf({ lines: [anybody, "message_size_limit 100000"] });
    const small = [...(await bench.append(2))];
    await bench.append(1, tooLargeBytes);
    small.push(...(await bench.append(2)));
    const loop = await bench.broker(broker.url, { protocol: "5" });
    await arrive(subscriber, small);
    await bench.settled(loop, { setAside: ["MQTT_TOO_LARGE"] });
  });

  survives("topic refused by ACL, MQTT 3.1.1", async () => {
    const files = { acl: "topic read framepost/#\ntopic write elsewhere/#\n" };
    const { broker, subscriber } = await brokerOf({ lines: [anybody, "acl_file @/acl"], files });
    const hashes = await bench.append(2);
    // Nothing tells: the broker says yes. MQTT 5, which is asked for first, does (the test below).
    const loop = await bench.broker(broker.url, { protocol: "3.1.1" });
    await bench.settled(loop);
    assert.equal(hashesAt(subscriber).size, 0);
    await loop.stop();
    const later = await bench.append(1);
    const mended = await mend(broker, loop, "3.1.1");
    await arrive(mended, later);
    assert.ok(!hashesAt(mended).has(hashes[0] ?? ""));
  });

  survives("topic refused by ACL, MQTT 5", async () => {
    const files = { acl: "topic read framepost/#\ntopic write elsewhere/#\n" };
    const { broker, subscriber } = await brokerOf({ lines: [anybody, "acl_file @/acl"], files });
    const hashes = await bench.append(2);
    const loop = await bench.broker(broker.url, { protocol: "5" });
    await until(() => loop.health().lastError?.code === "MQTT_NOT_AUTHORISED", "the refusal is seen");
    assert.equal(loop.health().rejected, 0, "a person's mistake costs no record");
    assert.equal(hashesAt(subscriber).size, 0);
    await arrive(await mend(broker, loop, "5"), hashes);
  });

  /** A person lets the device write, and starts both anew. */
  async function mend(broker: Mosquitto, loop: DeliveryLoop, protocol: string): Promise<Subscriber> {
    await loop.stop();
    await broker.rewrite("acl", "topic readwrite framepost/#\n");
    await broker.kill();
    await broker.launch();
    const subscriber = await bench.use(new Subscriber()).start(broker.url, "framepost/#");
    const again = await bench.broker(broker.url, { protocol, clientId: "again" });
    await bench.spool.queue.hasten({ targetId: "town" }, 0);
    await bench.settled(again);
    return subscriber;
  }

  survives("second client with the same id", async () => {
    const { broker, subscriber } = await brokerOf();
    const hashes = [...(await bench.append(1))];
    const loop = await bench.broker(broker.url, { clientId: "gate" });
    await arrive(subscriber, hashes);
    for (let times = 0; times < 3; times += 1) {
      const thief = await connectAsync(broker.url, { clientId: "gate", reconnectPeriod: 0, protocolVersion: 5 });
      hashes.push(...(await bench.append(2)));
      await arrive(subscriber, hashes);
      await thief.endAsync(true);
    }
    await bench.settled(loop);
  });

  survives("broker restarted 100 times", async () => {
    await bench[Symbol.asyncDispose]();
    // The back-off after so many failures in a row is a matter of minutes.
    bench = await TransportBench.open({ hurry: 100 });
    const port = await freePort();
    const seen = new Set<string>();
    const broker = new SandboxBroker({ port, onPublish: ({ payload }) => seen.add(hashIn(payload.toString())) });
    bench.use(broker);
    await broker.start();
    const loop = await bench.broker(`mqtt://127.0.0.1:${port}`, { protocol: "3.1.1" });
    const hashes: string[] = [];
    for (let restarts = 0; restarts < 100; restarts += 1) {
      if (restarts % 5 === 0) hashes.push(...(await bench.append(1, 500)));
      await broker.stop();
      await broker.start();
      if (restarts % 20 === 19) await until(() => loop.health().state === "up", "it comes back", 10_000);
    }
    await until(() => hashes.every((hash) => seen.has(hash)), "all arrive", 10_000);
    await bench.settled(loop);
    assert.deepEqual(broker.violations(), []);
  });
});

function hashIn(payload: string): string {
  const { image } = JSON.parse(payload) as { readonly image: string };
  return createHash("sha256").update(Buffer.from(image, "base64")).digest("hex");
}
