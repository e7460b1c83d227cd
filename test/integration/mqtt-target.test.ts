import assert from "node:assert/strict";
import { join } from "node:path";
import { afterEach, before, describe, it } from "mocha";
import { AgentError } from "../../src/core/errors.ts";
import type { Outcome } from "../../src/core/outcome.ts";
import { mqttTargetConfig, type MqttTargetConfig } from "../../src/targets/mqtt/config.ts";
import { MqttTarget } from "../../src/targets/mqtt/target.ts";
import { SandboxBroker } from "../../src/sandbox/broker.ts";
import { makeAuthority, makeCertificate } from "../lib/certificates.ts";
import { eventually, freePort, Mosquitto } from "../lib/mosquitto.ts";
import { linkSeams, Subscriber } from "../lib/mqtt.ts";
import { needsProgram } from "../lib/programs.ts";
import { sampleDelivery, sampleJpeg } from "../lib/records.ts";
import { tempFolder } from "../lib/temp.ts";

const soon = () => AbortSignal.timeout(4_000);

describe("MQTT target", () => {
  const toStop: { stop(): Promise<unknown> }[] = [];

  afterEach(async () => {
    for (const part of toStop.splice(0).reverse()) await part.stop();
  });

  async function targetTo(url: string, keys: object = {}): Promise<MqttTarget> {
    const config: MqttTargetConfig = mqttTargetConfig.parse({ id: "lab", kind: "mqtt", url, ...keys });
    const timing = { reconnectFirstMaxMs: 50, reconnectFirstMs: 20, reconnectMaxMs: 100, connectTimeoutMs: 1_000 };
    const target = new MqttTarget(
      { config, device: "gw-07", timing },
      linkSeams(() => 0.5),
    );
    toStop.push({ stop: () => target.close() });
    await target.start();
    return target;
  }

  async function outcome(target: MqttTarget, sizeBytes = 200_000): Promise<Outcome> {
    const delivery = sampleDelivery(1, sampleJpeg(1, sizeBytes));
    const found = (await target.deliver([delivery], soon())).get(delivery.record.id);
    assert.ok(found !== undefined);
    return found;
  }

  /** `accepted`, or the code of what stood against it and whom it concerns. */
  async function verdict(target: MqttTarget, sizeBytes?: number): Promise<string> {
    const found = await outcome(target, sizeBytes);
    if (found.kind === "accepted") return found.kind;
    return `${found.kind === "retry" ? found.scope : found.kind} ${found.error.code}`;
  }

  it("delivers records that the sandbox broker finds nothing wrong with", async () => {
    const broker = new SandboxBroker();
    toStop.push(broker);
    const target = await targetTo((await broker.start()).url);
    await target.probe(soon());
    for (const size of [200, 201, 202, 200_000]) assert.equal(await verdict(target, size), "accepted");
    assert.deepEqual(broker.violations(), []);
    assert.equal(broker.counts().records, 4);
  });

  it("answers retry for the whole target while the broker is away, and holds no image", async () => {
    const target = await targetTo(`mqtt://127.0.0.1:${await freePort()}`);
    const delivery = sampleDelivery(1, sampleJpeg());
    let reads = 0;
    const counted = { ...delivery, image: () => ((reads += 1), delivery.image()) };
    const found = (await target.deliver([counted], soon())).get(delivery.record.id);
    assert.equal(found?.kind === "retry" ? `${found.scope} ${found.error.code}` : found?.kind, "target MQTT_OFFLINE");
    assert.equal(reads, 0);
    await assert.rejects(target.probe(soon()), /connection refused \(ECONNREFUSED\)$/);
  });

  it("calls an unreadable record the record's fault", async () => {
    const broker = new SandboxBroker();
    toStop.push(broker);
    const target = await targetTo((await broker.start()).url);
    await target.probe(soon());
    const unreadable = new AgentError("RECORD_UNREADABLE", "its checksum is wrong", { disposition: "reject" });
    const broken = { ...sampleDelivery(1, sampleJpeg()), image: () => Promise.reject(unreadable) };
    const found = (await target.deliver([broken], soon())).get(broken.record.id);
    assert.equal(found?.kind, "rejected");
  });

  describe("at a real broker", () => {
    before(function () {
      needsProgram(this, "mosquitto", "mosquitto");
    });

    async function mosquitto(options: ConstructorParameters<typeof Mosquitto>[0] = {}): Promise<Mosquitto> {
      const broker = new Mosquitto(options);
      toStop.push(broker);
      return broker.start();
    }

    it("publishes to the topic of the camera, with what a receiver needs to find duplicates", async () => {
      const broker = await mosquitto();
      const receiver = new Subscriber();
      toStop.push(receiver);
      await receiver.start(broker.url);
      const target = await targetTo(broker.url, { username: "anyone", password: "anything" });
      await target.probe(soon());
      assert.equal(await verdict(target), "accepted");
      assert.equal(await verdict(target), "accepted");
      await eventually("both arrive", () => receiver.packets.length === 2);
      assert.deepEqual(receiver.topics(), Array(2).fill("framepost/gw-07/image/gate"));
      const ids = receiver.packets.map(({ payload }) => (JSON.parse(payload.toString()) as { id: string }).id);
      assert.deepEqual(ids, Array(2).fill(sampleDelivery(1, sampleJpeg()).record.id));
    });

    it("rejects what the broker can never take, before reading it, and goes on with the rest", async () => {
      const broker = await mosquitto({ lines: ["allow_anonymous true", "max_packet_size 100000"] });
      const target = await targetTo(broker.url);
      await target.probe(soon());
      assert.equal(await verdict(target), "rejected MQTT_TOO_LARGE");
      assert.equal(await verdict(target, 20_000), "accepted");
      const told = await targetTo(broker.url, { protocol: "3.1.1", clientId: "b", payloadBytesMax: "90KB" });
      await told.probe(soon());
      assert.equal(await verdict(told), "rejected MQTT_TOO_LARGE");
      assert.equal(await verdict(told, 20_000), "accepted");
    });

    it("leaves what is under way untouched when its caller gives up and others follow", async () => {
      const broker = await mosquitto();
      const receiver = new Subscriber();
      toStop.push(receiver);
      await receiver.start(broker.url);
      const target = await targetTo(broker.url);
      await target.probe(soon());
      // Something to use again.
      assert.equal(await verdict(target, 400_000), "accepted");
      broker.freeze();
      const [first, second] = [2, 3].map((n) => sampleDelivery(n, sampleJpeg(n, 400_000)));
      assert.ok(first !== undefined && second !== undefined);
      const given = (await target.deliver([first], AbortSignal.timeout(20))).get(first.record.id);
      assert.equal(given?.kind === "retry" ? given.error.code : given?.kind, "ABORTED");
      const followed = target.deliver([second], soon());
      broker.thaw();
      assert.equal((await followed).get(second.record.id)?.kind, "accepted");
      await eventually("all arrive", () => receiver.packets.length === 3);
      for (const [at, { payload }] of receiver.packets.entries()) {
        const { image } = JSON.parse(payload.toString()) as { image: string };
        assert.ok(Buffer.from(image, "base64").equals(sampleJpeg(at + 1, 400_000)));
      }
    });

    it("narrows to the broker's receive maximum", async () => {
      const broker = await mosquitto({ lines: ["allow_anonymous true", "max_inflight_messages 3"] });
      const target = await targetTo(broker.url);
      assert.equal(target.capacity().callsInFlightMax, 4);
      await target.probe(soon());
      assert.equal(target.capacity().callsInFlightMax, 3);
    });

    it("keeps its records when the broker refuses the topic or the credentials", async () => {
      const files = { acl: "topic write elsewhere/#\n", passwords: "" };
      const acl = await mosquitto({ lines: ["allow_anonymous true", "acl_file @/acl"], files });
      const forbidden = await targetTo(acl.url);
      await forbidden.probe(soon());
      assert.equal(await verdict(forbidden), "record MQTT_NOT_AUTHORISED");
      const closed = await mosquitto({ lines: ["allow_anonymous false", "password_file @/passwords"], files });
      const unknown = await targetTo(closed.url, { username: "a", password: "b" });
      await assert.rejects(unknown.probe(soon()), { code: "MQTT_CREDENTIALS" });
      assert.equal(await verdict(unknown), "target MQTT_CREDENTIALS");
    });

    it("keeps its records where a subscriber is required and there is none", async () => {
      const broker = await mosquitto();
      const target = await targetTo(broker.url, { requireSubscriber: true });
      await target.probe(soon());
      assert.equal(await verdict(target), "record MQTT_NO_SUBSCRIBER");
      const receiver = new Subscriber();
      toStop.push(receiver);
      await receiver.start(broker.url);
      assert.equal(await verdict(target), "accepted");
    });

    it("proves itself with a client certificate, and trusts only the named authority", async function () {
      needsProgram(this, "openssl", "openssl");
      await using folder = await tempFolder();
      const { path } = folder;
      const authority = await makeAuthority(path, "ca");
      const subjectAltName = "IP:127.0.0.1,DNS:broker.test";
      const server = await makeCertificate(path, "server", authority, { subjectAltName });
      const client = await makeCertificate(path, "client", authority, { subjectAltName: "DNS:gate" });
      const broker = await mosquitto({
        lines: [
          "allow_anonymous true",
          `cafile ${authority.cert}`,
          `certfile ${server.cert}`,
          `keyfile ${server.key}`,
          "require_certificate true",
        ],
      });
      const url = broker.url.replace("mqtt:", "mqtts:");
      const own = { ca: authority.cert, ...client };
      const target = await targetTo(url, { tls: own });
      await target.probe(soon());
      assert.equal(await verdict(target), "accepted");
      const named = await targetTo(url, { clientId: "b", tls: { ...own, servername: "broker.test" } });
      await named.probe(soon());
      for (const [code, tls] of [
        ["TLS_UNTRUSTED", { cert: own.cert, key: own.key }],
        ["TLS_UNTRUSTED", { ...own, servername: "other.test" }],
        ["TLS_CLIENT_CERT", { ca: own.ca }],
        ["TLS_CONFIG", { ...own, ca: join(path, "missing.pem") }],
      ] as const) {
        const refused = await targetTo(url, { clientId: "c", tls });
        await assert.rejects(refused.probe(soon()), { code });
      }
    });
  });
});

describe("MQTT target config", () => {
  const parse = (keys: object) => mqttTargetConfig.safeParse({ id: "lab", kind: "mqtt", ...keys }).success;

  it("takes ten lines and refuses what cannot work", () => {
    assert.ok(parse({ url: "mqtt://broker" }));
    assert.ok(parse({ url: "mqtts://[::1]:8883/", username: "a", password: "b", topic: "a/{camera}", qos: 0 }));
    for (const wrong of [
      { url: "http://broker" },
      { url: "mqtt://user:pass@broker" },
      { url: "mqtt://broker:70000" },
      { url: "mqtt://broker", topic: "a/#" },
      { url: "mqtt://broker", tls: {} },
      { url: "mqtt://broker", password: "x" },
      { url: "mqtt://broker", qos: 2 },
      { url: "mqtt://broker", colour: "red" },
    ]) {
      assert.equal(parse(wrong), false, JSON.stringify(wrong));
    }
  });
});
