import assert from "node:assert/strict";
import { getEventListeners, once } from "node:events";
import { createServer, type AddressInfo, type Socket } from "node:net";
import { setTimeout as delay } from "node:timers/promises";
import { afterEach, before, describe, it } from "mocha";
import { AgentError } from "../../src/core/errors.ts";
import { MqttConnection } from "../../src/link/mqtt.ts";
import { Hearing } from "../../src/link/mqtt-hearing.ts";
import { MqttLink, type MqttLinkOptions } from "../../src/link/mqtt-link.ts";
import type { MqttMessage } from "../../src/link/mqtt-subscription.ts";
import { SandboxBroker } from "../../src/sandbox/broker.ts";
import { eventually, freePort, Mosquitto } from "../lib/mosquitto.ts";
import { linkSeams, Subscriber } from "../lib/mqtt.ts";
import { needsProgram } from "../lib/programs.ts";

const soon = () => AbortSignal.timeout(4_000);
const qos1 = { qos: 1 } as const;
const picture = Buffer.alloc(200_000, 7);

const codeIs = (code: string) => (error: unknown) => {
  assert.ok(error instanceof AgentError, String(error));
  assert.equal(error.code, code, error.message);
  return true;
};

describe("MQTT link", () => {
  const toStop: { stop(): Promise<unknown> }[] = [];

  function linkTo(port: number, options: Partial<MqttLinkOptions> = {}): MqttLink {
    const timing = { reconnectFirstMaxMs: 50, reconnectFirstMs: 20, reconnectMaxMs: 100, ...options.timing };
    const defaults: MqttLinkOptions = { host: "127.0.0.1", port, clientId: "gate", protocol: "auto" };
    const link = new MqttLink(
      { ...defaults, ...options, timing },
      linkSeams(() => 0.5),
    );
    toStop.push({ stop: () => link.close() });
    link.start();
    return link;
  }

  async function mosquitto(options: ConstructorParameters<typeof Mosquitto>[0] = {}): Promise<Mosquitto> {
    const broker = new Mosquitto(options);
    toStop.push(broker);
    return broker.start();
  }

  async function subscriber(url: string): Promise<Subscriber> {
    const receiver = new Subscriber();
    toStop.push(receiver);
    return receiver.start(url);
  }

  before(function () {
    needsProgram(this, "mosquitto", "mosquitto");
  });

  afterEach(async () => {
    for (const part of toStop.splice(0).reverse()) await part.stop();
  });

  it("tells its meter the bytes of every message that goes, and of none that does not", async () => {
    const broker = await mosquitto();
    let counted = 0;
    const link = linkTo(broker.port, { protocol: "5", meter: (bytes) => (counted += bytes) });
    await assert.rejects(link.publish("a/b", picture, qos1, soon()), codeIs("MQTT_OFFLINE"));
    await link.connected(soon());
    await link.publish("a/b", picture, qos1, soon());
    // Type and length take 4, the topic 5, the message id 2, no properties 1.
    assert.equal(counted, picture.length + 12);
    await link.publish("a/b", picture, { qos: 0 }, soon());
    assert.equal(counted, 2 * picture.length + 12 + 10);
  });

  it("delivers whole messages with MQTT 5 and with 3.1.1", async () => {
    const broker = await mosquitto();
    const receiver = await subscriber(broker.url);
    for (const [protocol, version] of [
      ["5", 5],
      ["3.1.1", 4],
    ] as const) {
      const link = linkTo(broker.port, { protocol, clientId: `gate-${protocol}` });
      await link.connected(soon());
      assert.equal(link.limits()?.version, version);
      const properties = { contentType: "application/json", user: { id: "1" } };
      await link.publish(`pictures/${version}`, picture, { qos: 1, properties }, soon());
    }
    await eventually("both arrive", () => receiver.packets.length === 2);
    assert.deepEqual(receiver.topics(), ["pictures/5", "pictures/4"]);
    for (const { payload } of receiver.packets) assert.ok(picture.equals(Buffer.from(payload)));
  });

  it("falls back on 3.1.1 at once where MQTT 5 is refused, and remembers it", async () => {
    const broker = new SandboxBroker();
    toStop.push(broker);
    const port = Number(new URL((await broker.start()).url).port);
    const link = linkTo(port);
    await link.connected(soon());
    assert.equal(link.limits()?.version, 4);
    await link.publish("pictures", picture, qos1, soon());
    assert.equal(broker.counts().bytes, picture.length);
    const strict = linkTo(port, { protocol: "5", clientId: "strict" });
    await assert.rejects(strict.check(soon()), codeIs("MQTT_PROTOCOL_VERSION"));
  });

  it("never holds a message while the broker is away", async () => {
    const port = await freePort();
    const link = linkTo(port);
    await assert.rejects(link.check(soon()), codeIs("NET_REFUSED"));
    for (let n = 0; n < 500; n += 1) {
      await assert.rejects(link.publish("pictures", picture, qos1, soon()), codeIs("MQTT_OFFLINE"));
    }
    const broker = new SandboxBroker({ port });
    toStop.push(broker);
    await broker.start();
    await link.connected(soon());
    await link.publish("pictures", picture, qos1, soon());
    assert.equal(broker.counts().published, 1);
  });

  it("comes back after a broker restart", async () => {
    const broker = await mosquitto();
    const link = linkTo(broker.port);
    await link.connected(soon());
    for (let round = 0; round < 3; round += 1) {
      await broker.kill();
      await eventually("the loss is seen", () => link.state().kind !== "connected");
      await assert.rejects(link.publish("pictures", picture, qos1, soon()), codeIs("MQTT_OFFLINE"));
      await broker.launch();
      await link.connected(soon());
      await link.publish("pictures", picture, qos1, soon());
    }
  });

  it("fails what is under way when the broker dies", async () => {
    const broker = await mosquitto();
    const link = linkTo(broker.port);
    await link.connected(soon());
    broker.freeze();
    const sent = [1, 2, 3].map((n) => link.publish(`pictures/${n}`, picture, qos1, soon()));
    const judged = sent.map((one) => assert.rejects(one, codeIs("MQTT_CLOSED")));
    await broker.kill();
    await Promise.all(judged);
  });

  it("answers pings of any number, and leaves nothing of them with the connection", async () => {
    const broker = await mosquitto();
    const settings = {
      ...{ host: "127.0.0.1", port: broker.port, secure: false, clientId: "pings", keepaliveSeconds: 60 },
      ...{ connectTimeoutMs: 4_000, ackTimeoutMs: 4_000, subscriptions: [] },
      hearing: new Hearing([], linkSeams().clock),
    };
    const connection = new MqttConnection(settings, 5);
    toStop.push({ stop: () => connection.close() });
    await connection.open(undefined, soon());
    const lost = connection.lost();
    let waiting = 0;
    // As an own property: whoever waits for the end of the connection asks the promise itself.
    lost.then = (...handlers) => {
      waiting += 1;
      return Promise.prototype.then.apply(lost, handlers) as never;
    };
    const signal = soon();
    for (let count = 0; count < 20; count += 1) await connection.ping(signal);
    await Promise.all([connection.ping(signal), connection.ping(signal)]);
    assert.deepEqual([waiting, getEventListeners(connection.over, "abort").length], [0, 0]);
    broker.freeze();
    const unanswered = connection.ping(soon());
    const closing = connection.close();
    await assert.rejects(unanswered, codeIs("MQTT_CLOSED"));
    await closing;
  });

  it("notices a frozen broker by its missing answers to pings", async () => {
    const broker = await mosquitto();
    const link = linkTo(broker.port, { timing: { keepaliveSeconds: 1, connectTimeoutMs: 300 } });
    await link.connected(soon());
    broker.freeze();
    await eventually("the loss is seen", () => link.state().kind !== "connected", 4_000);
    await assert.rejects(link.check(soon()), codeIs("NET_CONNECT_TIMEOUT"));
    broker.thaw();
    await link.connected(soon());
  });

  it("keeps a connection whose peer reads slowly for many times the keep-alive, while bytes still leave", async () => {
    const large = Buffer.alloc(24 * 1024 * 1024);
    // The last half comes fast: how much the system holds back on loopback is no part of what is tested.
    const broker = new ScriptedBroker(async (socket) => {
      let taken = 0;
      let id: Uint8Array = Buffer.alloc(0);
      for await (const chunk of socket as AsyncIterable<Buffer>) {
        if (taken === 0) id = chunk.subarray(1 + 4 + 2 + "pictures".length).subarray(0, 2);
        taken += chunk.length;
        if (taken < large.length / 2) await delay(12);
        if (taken >= large.length) socket.write(Buffer.from([0x40, 2, ...id]));
      }
    });
    toStop.push(broker);
    const link = linkTo(await broker.start(), { protocol: "5", timing: { keepaliveSeconds: 1 } });
    await link.connected(soon());
    const startedMs = performance.now();
    await link.publish("pictures", large, qos1, AbortSignal.timeout(15_000));
    assert.ok(performance.now() - startedMs > 2_000, "too fast to prove anything");
    assert.equal(link.state().kind, "connected");
  }).timeout(20_000);

  it("ends a connection whose peer stops reading in the middle of a message", async () => {
    const broker = new ScriptedBroker(async (socket) => void socket.pause());
    toStop.push(broker);
    const link = linkTo(await broker.start(), { protocol: "5", timing: { keepaliveSeconds: 1 } });
    await link.connected(soon());
    const sent = link.publish("pictures", Buffer.alloc(24 * 1024 * 1024), qos1, soon());
    await assert.rejects(sent, (error: unknown) => {
      codeIs("MQTT_CLOSED")(error);
      assert.match(String(error), /no byte leaves any more$/);
      return true;
    });
  }).timeout(6_000);

  it("gives up a message that is not answered in time, and the connection with it", async () => {
    const broker = await mosquitto();
    const link = linkTo(broker.port, { timing: { ackTimeoutMs: 200, connectTimeoutMs: 300 } });
    await link.connected(soon());
    broker.freeze();
    await assert.rejects(link.publish("pictures", Buffer.from("small"), qos1, soon()), codeIs("MQTT_ACK_TIMEOUT"));
    assert.notEqual(link.state().kind, "connected");
    broker.thaw();
    await link.connected(soon());
    await link.publish("pictures", Buffer.from("small"), qos1, soon());
  });

  it("keeps the window: four under way, fewer where the broker asks for it", async () => {
    const broker = await mosquitto({ lines: ["allow_anonymous true", "max_inflight_messages 2"] });
    const link = linkTo(broker.port);
    await link.connected(soon());
    assert.equal(link.limits()?.window, 2);
    await Promise.all(Array.from({ length: 30 }, () => link.publish("pictures", picture, qos1, soon())));
    const tooMany = Array.from({ length: 100 }, () => link.publish("pictures", Buffer.from("x"), qos1, soon()));
    const refused = (await Promise.allSettled(tooMany)).filter(({ status }) => status === "rejected");
    assert.equal(refused.length, 100 - 2 - 64);
  });

  it("refuses before sending what is over the size that an MQTT 5 broker names, to the byte", async () => {
    const broker = await mosquitto({ lines: ["allow_anonymous true", "max_packet_size 100000"] });
    const link = linkTo(broker.port);
    await link.connected(soon());
    assert.equal(link.limits()?.maximumPacketSize, 100_000);
    const properties = { contentType: "application/json", user: { id: "1" } };
    const around = 1 + 3 + 2 + "pictures".length + 2 + 1 + (1 + 2 + 16) + (1 + 2 + 2 + 2 + 1);
    const fits = Buffer.alloc(100_000 - around);
    await link.publish("pictures", fits, { qos: 1, properties }, soon());
    const over = Buffer.alloc(fits.length + 1);
    await assert.rejects(link.publish("pictures", over, { qos: 1, properties }, soon()), codeIs("MQTT_TOO_LARGE"));
    assert.equal(link.state().kind, "connected");
  });

  it("survives a 3.1.1 broker that hangs up on a large message, and sends others meanwhile", async () => {
    const broker = await mosquitto({ lines: ["allow_anonymous true", "max_packet_size 100000"] });
    const link = linkTo(broker.port, { protocol: "3.1.1" });
    for (let round = 0; round < 2; round += 1) {
      await link.connected(soon());
      await assert.rejects(link.publish("pictures", picture, qos1, soon()), codeIs("MQTT_CLOSED"));
      await link.connected(soon());
      await link.publish("pictures", Buffer.from("small"), qos1, soon());
    }
  });

  it("knows which message a broker found too large, although that ends the connection", async () => {
    const broker = await mosquitto({ lines: ["allow_anonymous true", "message_size_limit 100000"] });
    const link = linkTo(broker.port);
    await link.connected(soon());
    await assert.rejects(link.publish("pictures", picture, qos1, soon()), codeIs("MQTT_TOO_LARGE"));
    await link.connected(soon());
    await link.publish("pictures", Buffer.from("small"), qos1, soon());
  });

  it("throws away a connection whose answer makes no sense", async () => {
    const broker = new ScriptedBroker();
    toStop.push(broker);
    const link = linkTo(await broker.start(), { protocol: "5" });
    await link.connected(soon());
    const sent = link.publish("pictures", Buffer.from("small"), qos1, soon());
    const judged = assert.rejects(sent, codeIs("MQTT_PROTOCOL"));
    broker.say(Buffer.from([0x40, 3, 0, 1, 0x7f]));
    await judged;
  });

  it("hears what it subscribed to with MQTT 5 and with 3.1.1, also what it publishes itself", async () => {
    const broker = await mosquitto();
    for (const protocol of ["5", "3.1.1"] as const) {
      const heard: string[] = [];
      const onMessage = ({ topic, payload }: MqttMessage): void => void heard.push(`${topic} ${payload.toString()}`);
      const subscriptions = [{ filters: ["a/+", "b/#"], qos: 2, onMessage }] as const;
      const link = linkTo(broker.port, { protocol, subscriptions, clientId: `gate-${protocol}` });
      await link.connected(soon());
      for (const topic of ["a/1", "a/1/2", "b/1/2"]) await link.publish(topic, Buffer.from(protocol), qos1, soon());
      await eventually("both that were asked for", () => heard.length === 2);
      assert.deepEqual(heard, [`a/1 ${protocol}`, `b/1/2 ${protocol}`]);
      await link.close();
    }
  });

  it("tells a forbidden topic from a message that nobody wants", async () => {
    const lines = ["allow_anonymous true", "acl_file @/acl"];
    const broker = await mosquitto({ lines, files: { acl: "topic write allowed/#\n" } });
    const link = linkTo(broker.port);
    await link.connected(soon());
    await assert.rejects(link.publish("secret", picture, qos1, soon()), codeIs("MQTT_NOT_AUTHORISED"));
    const required = { qos: 1, requireSubscriber: true } as const;
    await assert.rejects(link.publish("allowed/x", picture, required, soon()), codeIs("MQTT_NO_SUBSCRIBER"));
    await link.publish("allowed/x", picture, qos1, soon());
    assert.equal(link.state().kind, "connected");
  });

  it("names wrong credentials without showing them", async () => {
    const lines = ["allow_anonymous false", "password_file @/passwords"];
    const broker = await mosquitto({ lines, files: { passwords: "" } });
    for (const protocol of ["5", "3.1.1"] as const) {
      const link = linkTo(broker.port, { protocol, username: "operator", password: "planted-secret" });
      await assert.rejects(link.check(soon()), (error: unknown) => {
        codeIs("MQTT_CREDENTIALS")(error);
        assert.doesNotMatch(JSON.stringify(error) + String(error) + inspected(error), /planted-secret|operator/);
        return true;
      });
      await assert.rejects(link.publish("x", picture, qos1, soon()), /bad user name or password|may not connect/);
    }
  });

  it("blames the largest of several messages when the broker finds a packet too large", async () => {
    const broker = new ScriptedBroker();
    toStop.push(broker);
    const link = linkTo(await broker.start(), { protocol: "5" });
    await link.connected(soon());
    const small = link.publish("small", Buffer.alloc(10), qos1, soon());
    const large = link.publish("large", Buffer.alloc(20), qos1, soon());
    const judged = [assert.rejects(small, codeIs("MQTT_CLOSED")), assert.rejects(large, codeIs("MQTT_TOO_LARGE"))];
    broker.say(Buffer.from([0xe0, 2, 149, 0]));
    await Promise.all(judged);
  });

  it("reports a second client with the same id where the broker does", async () => {
    const broker = new ScriptedBroker();
    toStop.push(broker);
    const link = linkTo(await broker.start(), { protocol: "5", timing: { reconnectFirstMaxMs: 60_000 } });
    await link.connected(soon());
    broker.say(Buffer.from([0xe0, 2, 142, 0]));
    await eventually("the takeover is seen", () => link.state().kind === "waiting");
    const state = link.state();
    assert.equal(state.kind === "connected" ? undefined : state.lastError?.code, "MQTT_TAKEN_OVER");
  });

  it("leaves its will when it vanishes and none when it closes", async () => {
    const broker = await mosquitto();
    const receiver = await subscriber(broker.url);
    const will = { topic: "gone", payload: Buffer.from("1"), qos: 1, retain: false } as const;
    const polite = linkTo(broker.port, { will, clientId: "polite" });
    await polite.connected(soon());
    await polite.close();
    const vanishing = linkTo(broker.port, { will, timing: { reconnectFirstMaxMs: 60_000 } });
    await vanishing.connected(soon());
    await linkTo(broker.port, { timing: { reconnectFirstMaxMs: 60_000 } }).connected(soon());
    await eventually("the will arrives", () => receiver.packets.length > 0);
    assert.deepEqual(receiver.topics(), ["gone"]);
  });

  it("closes in bounded time with a frozen broker, and leaves no socket and no timer", async () => {
    const broker = await mosquitto();
    const resources = () => process.getActiveResourcesInfo().filter((kind) => /TCP|TLS|Timeout/.test(kind)).length;
    const idle = linkTo(broker.port, { clientId: "idle" });
    const busy = linkTo(broker.port, { clientId: "busy" });
    const away = linkTo(await freePort(), { clientId: "away", timing: { reconnectFirstMs: 60_000 } });
    await Promise.all([idle.connected(soon()), busy.connected(soon()), away.check(soon()).catch(() => {})]);
    broker.freeze();
    const underWay = assert.rejects(busy.publish("pictures", picture, qos1, soon()), codeIs("MQTT_CLOSED"));
    const startedMs = performance.now();
    await Promise.all([idle.close(), busy.close(), away.close(), underWay]);
    assert.ok(performance.now() - startedMs < 2_500);
    assert.equal(idle.state().kind, "stopped");
    await eventually("nothing of the links is left", () => resources() <= 2);
    await assert.rejects(idle.connected(soon()), codeIs("MQTT_OFFLINE"));
  });

  it("stops waiting when its caller does, and keeps the place of what is under way", async () => {
    const broker = await mosquitto();
    const link = linkTo(broker.port);
    await link.connected(soon());
    broker.freeze();
    const impatient = () => link.publish("pictures", picture, qos1, AbortSignal.timeout(20));
    await Promise.all(Array.from({ length: 6 }, () => assert.rejects(impatient(), codeIs("ABORTED"))));
    broker.thaw();
    await link.publish("pictures", picture, qos1, soon());
  });
});

function inspected(error: unknown): string {
  return error instanceof Error ? `${error.stack ?? ""}${String(error.cause)}` : "";
}

/** Accepts a connection, answers nothing, and takes and says what a test tells it to. */
class ScriptedBroker {
  readonly #server = createServer((socket) => this.#greet(socket));
  readonly #take: (socket: Socket) => Promise<void>;
  #socket: Socket | undefined;

  constructor(take: (socket: Socket) => Promise<void> = () => Promise.resolve()) {
    this.#take = take;
  }

  async start(): Promise<number> {
    this.#server.listen(0, "127.0.0.1");
    await once(this.#server, "listening");
    return (this.#server.address() as AddressInfo).port;
  }

  say(bytes: Buffer): void {
    this.#socket?.write(bytes);
  }

  async stop(): Promise<void> {
    this.#socket?.destroy();
    this.#server.close();
    await once(this.#server, "close");
  }

  #greet(socket: Socket): void {
    this.#socket = socket;
    socket.once("data", () => {
      socket.write(Buffer.from([0x20, 3, 0, 0, 0]));
      this.#take(socket).catch(() => {});
    });
    socket.on("error", () => {});
  }
}
