import assert from "node:assert/strict";
import { once } from "node:events";
import { readFile } from "node:fs/promises";
import { createServer, type AddressInfo } from "node:net";
import { join } from "node:path";
import { inspect } from "node:util";
import { Aedes } from "aedes";
import { afterEach, before, describe, it } from "mocha";
import { connectAsync, type IClientOptions } from "mqtt";
import { HttpLink } from "../../src/link/http.ts";
import { SandboxBroker } from "../../src/sandbox/broker.ts";
import type { CallbackAccess, CallbackOptions, IotownCallback } from "../../src/targets/iotown/callbacks.ts";
import { IotownClient } from "../../src/targets/iotown/client.ts";
import { makeAuthority, makeCertificate } from "../lib/certificates.ts";
import { eventually, Mosquitto, passwordLine } from "../lib/mosquitto.ts";
import { linkSeams } from "../lib/mqtt.ts";
import { needsProgram } from "../lib/programs.ts";
import { tempFolder } from "../lib/temp.ts";

const token = "callback-token-canary";
const account = { url: "", username: "me@example.com", group: "g1" };
const data = "iotown/rx/g1/device/LW1/data";

describe("IoT.own callbacks from a real broker", () => {
  const toStop: (() => Promise<unknown>)[] = [];

  before(function () {
    needsProgram(this, "mosquitto", "mosquitto");
    needsProgram(this, "openssl", "openssl");
  });
  afterEach(async () => {
    for (const stop of toStop.splice(0).reverse()) await stop();
  });

  /** Listens until the test ends. */
  function listen(callbacks: CallbackAccess, options: Partial<CallbackOptions> = {}, password = token) {
    const heard: IotownCallback[] = [];
    const stop = new AbortController();
    const client = new IotownClient({ url: "http://127.0.0.1:9", token: password, callbacks }, new HttpLink());
    const seams = linkSeams();
    const onCallback = (callback: IotownCallback): void => void heard.push(callback);
    const done = client.callbacks({ ...options, onCallback }, seams, stop.signal);
    done.catch(() => undefined);
    toStop.push(async () => {
      stop.abort();
      await done.catch(() => undefined);
    });
    const connected = (times: number): Promise<void> =>
      eventually(
        "the subscription",
        () => seams.log.lines.filter(({ event }) => event === "mqtt.connected").length >= times,
      );
    return { heard, stop, done, connected };
  }

  async function broker(lines: readonly string[], files: Readonly<Record<string, string>>): Promise<Mosquitto> {
    const passwords = passwordLine(account.username, token) + passwordLine("platform", "p");
    // The account reads its own group and writes nothing; the platform does all.
    const acl = `user ${account.username}\ntopic read iotown/rx/g1/#\n\nuser platform\ntopic readwrite #\n`;
    const access = ["allow_anonymous false", "password_file @/passwords", "acl_file @/acl"];
    const made = new Mosquitto({ lines: [...access, ...lines], files: { passwords, acl, ...files } });
    toStop.push(() => made.stop());
    return made.start();
  }

  async function platform(url: string, options: IClientOptions = {}) {
    const login = { username: "platform", password: "p", reconnectPeriod: 0 };
    const client = await connectAsync(url, { ...login, ...options });
    toStop.push(() => client.endAsync(true));
    return client;
  }

  it("come over TLS that is checked, with the token as password, and nothing is published", async () => {
    await using folder = await tempFolder();
    const authority = await makeAuthority(folder.path, "authority");
    const made = await makeCertificate(folder.path, "broker", authority, { subjectAltName: "IP:127.0.0.1" });
    const files = { "cert.pem": await readFile(made.cert, "utf8"), "key.pem": await readFile(made.key, "utf8") };
    const { port } = await broker(["certfile @/cert.pem", "keyfile @/key.pem"], files);
    const url = `mqtts://127.0.0.1:${port}`;
    const untrusted = listen({ ...account, url });
    await assert.rejects(untrusted.done, { code: "TLS_UNTRUSTED" });

    const ca = join(folder.path, "authority.pem");
    const trusted = listen({ ...account, url, tls: { ca, insecureSkipVerify: false } });
    await trusted.connected(1);
    const sender = await platform(url, { ca: await readFile(ca) });
    const seen: string[] = [];
    sender.on("message", (topic) => seen.push(topic));
    await sender.subscribeAsync("#", { qos: 2 });
    const sent = [data, "iotown/rx/g1/gateway/gw/boot", "iotown/rx/g2/device/LW1/data"];
    for (const topic of sent) await sender.publishAsync(topic, '{"data":{"t":1}}', { qos: 2 });
    await eventually("both messages of the group", () => trusted.heard.length === 2);
    assert.deepEqual(
      trusted.heard.map(({ source, id, kind, message }) => [source, id, kind, message]),
      [
        ["device", "LW1", "data", { data: { t: 1 } }],
        ["gateway", "gw", "boot", { data: { t: 1 } }],
      ],
    );
    trusted.stop.abort();
    await trusted.done;
    await eventually("what was published is seen", () => seen.length >= sent.length);
    assert.deepEqual(seen, sent);
  });

  it("end with what is wrong where the token is, and show it to nobody", async () => {
    const { url } = await broker([], {});
    const { done } = listen({ ...account, url }, {}, "wrong-token-canary");
    await assert.rejects(done, (error: Error & { code?: string }) => {
      assert.equal(error.code, "MQTT_CREDENTIALS");
      assert.doesNotMatch(inspect(error, { depth: 10, showHidden: true }), /wrong-token-canary|me@example/);
      return true;
    });
  });

  it("come of one device alone where one is named, and again after the broker was away", async () => {
    const made = await broker([], {});
    const { heard, connected } = listen({ ...account, url: made.url }, { device: "LW1", qos: 1 });
    await connected(1);
    const first = await platform(made.url);
    await first.publishAsync("iotown/rx/g1/device/LW2/data", "{}", { qos: 1 });
    await first.publishAsync("iotown/rx/g1/gateway/LW1/boot", "{}", { qos: 1 });
    await first.publishAsync(data, "1", { qos: 1 });
    await eventually("the one that was asked for", () => heard.length === 1);
    await made.kill();
    await made.launch();
    await connected(2);
    const second = await platform(made.url);
    await second.publishAsync(data, "2", { qos: 1 });
    await eventually("the one after the break", () => heard.length === 2);
    assert.deepEqual(
      heard.map(({ message }) => message),
      [1, 2],
    );
  });
});

describe("IoT.own callbacks where the broker says no", () => {
  it("end with a refused subscription", async () => {
    const refusing = await Aedes.createBroker({ authorizeSubscribe: (_, __, answer) => answer(null, null) });
    const server = createServer((socket) => void refusing.handle(socket));
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    const { port } = server.address() as AddressInfo;
    const callbacks = { ...account, url: `mqtt://127.0.0.1:${port}` };
    const client = new IotownClient({ url: "http://127.0.0.1:9", token, callbacks }, new HttpLink());
    const listening = client.callbacks({ onCallback: () => undefined }, linkSeams(), AbortSignal.timeout(5_000));
    await assert.rejects(listening, { code: "MQTT_NOT_AUTHORISED", message: /device\/\+\/data.*may not read there/ });
    await new Promise<void>((resolve) => refusing.close(resolve));
    server.close();
  });

  it("are not asked for without a broker in the settings", async () => {
    const client = new IotownClient({ url: "http://127.0.0.1:9", token }, new HttpLink());
    const listening = client.callbacks({ onCallback: () => undefined }, linkSeams(), AbortSignal.timeout(5_000));
    await assert.rejects(listening, { code: "CONFIG_INVALID", message: /not configured/ });
  });

  it("leave out a message beyond any callback's size", async () => {
    const broker = new SandboxBroker();
    const { url } = await broker.start();
    await broker.send(data, "x".repeat(2_000_000), { retain: true });
    await broker.send("iotown/rx/g1/device/LW2/boot", "small", { retain: true });
    const heard: IotownCallback[] = [];
    const stop = new AbortController();
    const client = new IotownClient({ url, token, callbacks: { ...account, url } }, new HttpLink());
    const listening = client.callbacks({ onCallback: (callback) => heard.push(callback) }, linkSeams(), stop.signal);
    await eventually("the small one", () => heard.some(({ message }) => message === "small"));
    stop.abort();
    await listening;
    assert.equal(heard.length, 1);
    assert.equal(broker.counts().published, 0);
    await broker.stop();
  });
});
