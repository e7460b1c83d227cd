import assert from "node:assert/strict";
import { once } from "node:events";
import { existsSync, readdirSync } from "node:fs";
import { createServer, type AddressInfo } from "node:net";
import { join } from "node:path";
import { afterEach, before, describe, it } from "mocha";
import type { IPublishPacket } from "mqtt";
import { makeAuthority, makeCertificate } from "../lib/certificates.ts";
import { type ControlBench, controlLink, type ControlOptions } from "../lib/control.ts";
import { eventually, hashedLogin, Mosquitto } from "../lib/mosquitto.ts";
import { Subscriber } from "../lib/mqtt.ts";
import { needsProgram } from "../lib/programs.ts";
import { tempFolder } from "../lib/temp.ts";
import { Wire } from "../lib/wire.ts";

const anybody = "allow_anonymous true";
const protocols = ["5", "3.1.1"] as const;

describe("Control link", () => {
  const toStop: { stop(): Promise<unknown> }[] = [];

  async function mosquitto(options: ConstructorParameters<typeof Mosquitto>[0] = {}): Promise<Mosquitto> {
    const broker = new Mosquitto(options);
    toStop.push(broker);
    return broker.start();
  }

  async function reader(broker: Mosquitto, filter = "framepost/#"): Promise<Subscriber> {
    const receiver = new Subscriber();
    toStop.push(receiver);
    return receiver.start(broker.url, filter);
  }

  async function wireTo(broker: Mosquitto): Promise<Wire> {
    const wire = new Wire(broker.port);
    toStop.push(wire);
    return wire.start();
  }

  function device(broker: { readonly url: string }, protocol: string, options: ControlOptions = {}): ControlBench {
    const bench = controlLink(broker.url, { ...options, config: { protocol, ...options.config } });
    toStop.push(bench.link);
    return bench;
  }

  before(function () {
    needsProgram(this, "mosquitto", "mosquitto");
  });

  afterEach(async () => {
    for (const part of toStop.splice(0).reverse()) await part.stop();
  });

  it("says once in the log why the broker does not let it in", async () => {
    const passwords = await hashedLogin("gw", "right");
    const broker = await mosquitto({
      lines: ["allow_anonymous false", "password_file @/passwords"],
      files: { passwords },
    });
    const gw = device(broker, "5", { config: { username: "gw", password: "wrong" } });
    const failures = new Set<unknown>();
    await eventually("it has tried again", () => {
      const state = gw.link.state();
      if (state.kind === "waiting") failures.add(state.lastError);
      return failures.size >= 3;
    });
    const told = gw.log.lines.filter(({ event }) => event === "remote.unreachable");
    assert.deepEqual(
      told.map(({ level, fields }) => [level, fields["code"]]),
      [["warn", "MQTT_CREDENTIALS"]],
    );
  });

  for (const protocol of protocols) {
    describe(`on MQTT ${protocol}`, () => {
      it("says birth, kept topics and goodbye, and all of it again at every connect", async () => {
        const broker = await mosquitto();
        const gw = device(broker, protocol, { kept: { "framepost/gw/status": "{}" } });
        await gw.here();
        const kept = async () => {
          const late = await reader(broker);
          await late.caughtUp();
          return late.packets.filter(({ retain }) => retain).map(shown);
        };
        const all = ["framepost/gw/availability online", "framepost/gw/info", "framepost/gw/status {}"];
        const all3 = async () => (await kept()).filter((line) => all.some((one) => line.startsWith(one))).length === 3;
        await eventually("all is kept", all3);
        await broker.kill();
        await eventually("the loss is seen", () => gw.link.health().state !== "connected");
        await broker.launch();
        await gw.here();
        await eventually("a broker that has forgotten everything is told again", all3);
        await gw.link.stop();
        assert.ok((await kept()).includes("framepost/gw/availability offline"));
        assert.equal(gw.link.health().state, "stopped");
      });

      it("is given up by its will where it cannot say goodbye", async () => {
        const broker = await mosquitto();
        const gw = device(broker, protocol);
        await gw.here();
        const receiver = await reader(broker, "framepost/gw/availability");
        await eventually("online", () => receiver.packets.map(shown).includes("framepost/gw/availability online"));
        broker.freeze();
        await gw.link.stop();
        broker.thaw();
        if (protocol === "5") return;
        await eventually("the will", () => receiver.packets.map(shown).includes("framepost/gw/availability offline"));
      });

      it("hears its own requests and its groups', and answers where it is asked to", async () => {
        const broker = await mosquitto();
        const gw = device(broker, protocol, { config: { groups: ["north"] } });
        await gw.here();
        const receiver = await reader(broker);
        for (const topic of ["gw/cmd/ping", "group/north/cmd/ping", "all/cmd/ping", "group/south/cmd/ping"]) {
          await receiver.say(`framepost/${topic}`, "x");
        }
        await eventually("three", () => gw.requests.length === 3);
        assert.deepEqual(
          gw.requests.map((line) => line.split(" ")[0]),
          ["framepost/gw/cmd/ping", "framepost/group/north/cmd/ping", "framepost/all/cmd/ping"],
        );
        await new Promise<void>((resolve) => gw.link.reply({ ok: 1 }, { command: "ping" }, () => resolve()));
        await eventually("the reply", () => receiver.packets.map(shown).includes('framepost/gw/res/ping {"ok":1}'));
      });

      it("shortens what the broker finds too large, and goes on with what is behind it", async () => {
        for (const line of ["max_packet_size 20000", "message_size_limit 20000"]) {
          const broker = await mosquitto({ lines: [anybody, line] });
          const gw = device(broker, protocol);
          await gw.here();
          const receiver = await reader(broker);
          // Its own small messages come back: on 3.1.1 the only proof that a missing one was thrown away.
          await new Promise<void>((resolve) => gw.link.reply({ n: 0 }, { command: "ping" }, () => resolve()));
          const large = { state: "done", code: "ok", data: { text: "x".repeat(30_000) } };
          const settled = ["config.get", "config.get", "ping"].map(
            (command, n) =>
              new Promise<void>((resolve) =>
                gw.link.reply(n === 2 ? { n } : { ...large, n }, { command }, () => resolve()),
              ),
          );
          await Promise.all(settled);
          await receiver.caughtUp();
          const replies = new Set(receiver.packets.filter(({ topic }) => topic.includes("/res/")).map(shown));
          const short = (n: number) =>
            `framepost/gw/res/config.get {"state":"done","code":"ok","data":{"leftOut":true},"n":${n}}`;
          const small = (n: number) => `framepost/gw/res/ping {"n":${n}}`;
          assert.deepEqual([...replies], [small(0), short(0), short(1), small(2)], line);
          assert.equal(gw.link.health().dropped, 0);
          await gw.here();
          await gw.link.stop();
        }
      }).timeout(30_000);

      it("stays where some of its filters are refused, and where all are, and says which", async function () {
        const plugin = dynamicSecurity();
        if (plugin === undefined) return void this.skip();
        for (const denied of [["framepost/all/cmd/+"], ["framepost/all/cmd/+", "framepost/gw/cmd/+"]]) {
          const lines = [anybody, `plugin ${plugin}`, "plugin_opt_config_file @/rules.json"];
          const broker = await mosquitto({ lines, files: { "rules.json": rules(denied) } });
          const gw = device(broker, protocol);
          await gw.here();
          assert.deepEqual([...gw.link.health().refusedFilters].sort(), denied);
          const receiver = await reader(broker, "framepost/gw/availability");
          await eventually("it is online", () => receiver.packets.map(shown)[0]?.endsWith("online") === true);
          await receiver.say("framepost/gw/cmd/ping", "x");
          await new Promise<void>((resolve) => gw.link.reply({ ok: 1 }, { command: "ping" }, () => resolve()));
          assert.equal(gw.requests.length, denied.length === 1 ? 1 : 0);
        }
      });

      it("proves itself with password and client certificate", async function () {
        needsProgram(this, "openssl", "openssl");
        needsProgram(this, "mosquitto_passwd", "mosquitto");
        await using folder = await tempFolder();
        const { path } = folder;
        const authority = await makeAuthority(path, "ca");
        const server = await makeCertificate(path, "server", authority, { subjectAltName: "IP:127.0.0.1" });
        const client = await makeCertificate(path, "client", authority, { subjectAltName: "DNS:gw" });
        const tls = [`cafile ${authority.cert}`, `certfile ${server.cert}`, `keyfile ${server.key}`];
        const lines = [...tls, "require_certificate true", "allow_anonymous false", "password_file @/passwords"];
        const broker = await mosquitto({
          lines,
          files: { passwords: await hashedLogin("gw", "planted-pass") },
        });
        const url = broker.url.replace("mqtt:", "mqtts:");
        const config = { url, username: "gw", tls: { ca: authority.cert, ...client }, protocol };
        const gw = controlLink(url, { config: { ...config, password: "planted-pass" } });
        toStop.push(gw.link);
        await gw.here();
        const wrong = controlLink(url, { config: { ...config, password: "planted-wrong", clientId: "wrong" } });
        toStop.push(wrong.link);
        await eventually("it is refused", () => wrong.link.health().lastError?.code === "MQTT_CREDENTIALS");
        assert.doesNotMatch(JSON.stringify(wrong.link.health()), /planted/);
      });
    });
  }

  it("hears what was sent in a short outage, and what was not acknowledged once and no more (MQTT 5)", async () => {
    const broker = await mosquitto();
    const wire = await wireTo(broker);
    let finish = () => {};
    const slow = new Promise<void>((resolve) => (finish = resolve));
    const onRequest = ({ payload }: { readonly payload: Buffer }) =>
      payload.toString() === "slow" ? slow : Promise.resolve();
    const gw = device(wire, "5", { onRequest });
    await gw.here();
    const receiver = await reader(broker, "none");
    await receiver.say("framepost/gw/cmd/ping", "slow");
    await eventually("it is being dealt with", () => gw.requests.length === 1);
    const later = Array.from({ length: 15 }, (_, n) => `n${n}`);
    for (const text of later) await receiver.say("framepost/gw/cmd/ping", text);
    wire.cut();
    await receiver.say("framepost/gw/cmd/ping", "last");
    await gw.here();
    finish();
    await eventually("all were heard", () => gw.requests.length >= 17);
    await receiver.caughtUp();
    const heard = gw.requests.map((line) => line.split(" ")[1]);
    assert.deepEqual(heard, ["slow", ...later, "last"]);
  });

  it("goes on reading while a request waits for a slow disk, and keeps its connection", async () => {
    const broker = await mosquitto();
    let finish = () => {};
    const slow = new Promise<void>((resolve) => (finish = resolve));
    const gw = device(broker, "3.1.1", { onRequest: () => slow, timing: { keepaliveSeconds: 1, ackTimeoutMs: 800 } });
    await gw.here();
    const receiver = await reader(broker);
    for (let n = 0; n < 80; n += 1) await receiver.say("framepost/gw/cmd/ping", `n${n}`);
    const startedMs = performance.now();
    while (performance.now() - startedMs < 1_800) {
      await new Promise<void>((resolve) => gw.link.reply({ ok: 1 }, { command: "ping" }, () => resolve()));
    }
    assert.equal(gw.link.health().state, "connected");
    assert.equal(gw.link.health().lastError, undefined);
    finish();
    // Mosquitto itself holds back all but twenty on 3.1.1.
    await eventually("those that there was room for", () => gw.requests.length === 80);
  });

  it("notices a connection that is dead but open, also before it has subscribed", async () => {
    const broker = await mosquitto();
    const wire = await wireTo(broker);
    const timing = { keepaliveSeconds: 1, connectTimeoutMs: 300, ackTimeoutMs: 300 };
    const gw = device(wire, "5", { timing });
    await gw.here();
    wire.silence(true);
    await eventually("the loss is seen", () => gw.link.health().state !== "connected");
    wire.silence(false);
    await gw.here();
    const deaf = await neverGranting();
    toStop.push(deaf);
    const waiting = device(deaf, "5", { timing, config: { clientId: "waiting" } });
    await eventually("it tries again", () => deaf.connects > 1);
    assert.equal(waiting.link.health().lastError?.code, "MQTT_ACK_TIMEOUT");
  });

  it("tells where it may not write on MQTT 5, and takes its own topic for a reply that may not go to the caller's", async () => {
    const acl = "topic read framepost/#\ntopic write framepost/gw/res/#\ntopic write framepost/gw/info\n";
    const broker = await mosquitto({ lines: [anybody, "acl_file @/acl"], files: { acl } });
    const gw = device(broker, "5");
    await gw.here();
    const receiver = await reader(broker);
    const address = { command: "ping", responseTopic: "framepost/reply/me" };
    await new Promise<void>((resolve) => gw.link.reply({ ok: 1 }, address, () => resolve()));
    await eventually("it is on the device's own topic", () => receiver.topics().includes("framepost/gw/res/ping"));
    const refused = () => [...gw.link.health().refusedTopics].sort();
    await eventually("both are known", () => refused().length === 2);
    assert.deepEqual(refused(), ["framepost/gw/availability", "framepost/reply/me"]);
  });
});

function shown({ topic, payload }: IPublishPacket): string {
  const text = payload.toString();
  return `${topic} ${text}`;
}

/** Mosquitto's own access lists forbid no subscription, they only deliver nothing; this plugin of its own does. */
function dynamicSecurity(): string | undefined {
  const folders = ["/usr/lib", ...readdirSync("/usr/lib").map((name) => join("/usr/lib", name))];
  return folders.map((folder) => join(folder, "mosquitto_dynamic_security.so")).find((file) => existsSync(file));
}

function rules(denied: readonly string[]): string {
  const types = ["publishClientSend", "publishClientReceive", "subscribe", "unsubscribe"];
  const acls = denied.map((topic) => ({ acltype: "subscribeLiteral", topic, allow: false }));
  return JSON.stringify({
    defaultACLAccess: Object.fromEntries(types.map((type) => [type, true])),
    anonymousGroup: "all",
    groups: [{ groupname: "all", roles: [{ rolename: "all" }] }],
    roles: [{ rolename: "all", acls }],
  });
}

/** A broker that accepts connections and answers no subscription. */
async function neverGranting() {
  const counted = { connects: 0 };
  const server = createServer((socket) => {
    counted.connects += 1;
    socket.on("error", () => {});
    socket.once("data", () => socket.write(Buffer.from([0x20, 3, 0, 0, 0])));
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    url: `mqtt://127.0.0.1:${(server.address() as AddressInfo).port}`,
    get connects() {
      return counted.connects;
    },
    stop: async () => void server.close(),
  };
}
