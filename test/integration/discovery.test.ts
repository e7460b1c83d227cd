import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterEach, before, describe, it } from "mocha";
import { SandboxBroker } from "../../src/sandbox/broker.ts";
import { cameraReading, DiscoveryBench, type DiscoveryBenchOptions, fullReading } from "../lib/discovery-bench.ts";
import { checkDiscovery } from "../lib/discovery-checker.ts";
import { handmadeJpeg } from "../lib/jpegs.ts";
import { keptTopics } from "../lib/kept-topics.ts";
import { eventually, Mosquitto } from "../lib/mosquitto.ts";
import { Subscriber } from "../lib/mqtt.ts";
import { needsProgram } from "../lib/programs.ts";
import { tempFolder } from "../lib/temp.ts";

const topic = "homeassistant/device/framepost_gw/config";

const everything = [
  ...["device_problem", "device_queue", "device_oldest", "device_sent", "device_quarantined", "device_inference"],
  ...[
    "device_disk",
    "device_memory",
    "device_temperature",
    "device_threshold",
    "device_model",
    "device_fetch",
    "device_flush",
  ],
  ...["device_restart", "camera_front_connection", "camera_front_problem", "camera_front_lastFrame"],
  ...["camera_front_objects", "camera_front_picture", "camera_front_capture", "camera_front_interval"],
  ...["camera_front_snapshot", "target_cloud_connection", "target_cloud_upload"],
];

describe("Home Assistant", () => {
  const toStop: { stop(): Promise<unknown> }[] = [];
  let folder: Awaited<ReturnType<typeof tempFolder>>;

  before(function () {
    needsProgram(this, "mosquitto", "mosquitto");
  });

  afterEach(async () => {
    for (const part of toStop.splice(0).reverse()) await part.stop();
    await folder[Symbol.asyncDispose]();
  });

  async function mosquitto(options: ConstructorParameters<typeof Mosquitto>[0] = {}): Promise<Mosquitto> {
    folder = await tempFolder();
    const broker = new Mosquitto(options);
    toStop.push(broker);
    return broker.start();
  }

  function benchOf(url: string, options: Partial<DiscoveryBenchOptions> = {}): DiscoveryBench {
    const bench = new DiscoveryBench(url, { stateFolder: folder.path, ...options });
    toStop.push(bench);
    return bench;
  }

  async function hear(url: string, filter: string): Promise<Subscriber> {
    const subscriber = new Subscriber();
    toStop.push(subscriber);
    return subscriber.start(url, filter);
  }

  /** Without the marks of others. */
  function heard({ packets }: Subscriber, at: string): Subscriber["packets"] {
    return packets.filter((packet) => packet.topic.startsWith(at));
  }

  async function announced(url: string, at = topic): Promise<void> {
    await eventually("it is announced", async () => (await keptTopics(url))[at] !== undefined);
  }

  async function fullyShown(url: string, options: Partial<DiscoveryBenchOptions>): Promise<void> {
    const bench = benchOf(url, { settings: { pictures: true }, ...options });
    bench.pictures.set("front", handmadeJpeg(8, 8));
    await bench.start();
    await eventually("all is shown", async () => {
      return checkDiscovery(topic, await keptTopics(url)).problems.length === 0;
    }).catch(() => undefined);
    const { problems, entities, commandTopics } = checkDiscovery(topic, await keptTopics(url));
    assert.deepEqual(problems, []);
    assert.deepEqual(entities.map(({ key }) => key).sort(), [...everything].sort());
    const shown = Object.fromEntries(entities.map(({ key, value }) => [key, value]));
    assert.equal(shown["device_oldest"], "4.2");
    assert.equal(shown["device_disk"], "5.6");
    assert.equal(shown["device_model"], "bees@1");
    assert.equal(shown["camera_front_lastFrame"], "2026-01-01T00:00:00.000Z");
    assert.equal(shown["camera_front_interval"], "5");
    assert.equal(commandTopics.length, 9);
  }

  it("is shown everything, valid and live, on MQTT 5", async () => {
    const { url } = await mosquitto();
    await fullyShown(url, { protocol: "5" });
  });

  it("is shown everything, valid and live, on MQTT 3.1.1", async () => {
    folder = await tempFolder();
    const broker = new SandboxBroker();
    toStop.push(broker);
    const { url } = await broker.start();
    await fullyShown(url, { protocol: "auto" });
  });

  it("gives orders as plain payloads, which become requests", async () => {
    const { url } = await mosquitto();
    const bench = await benchOf(url).start();
    await announced(url);
    const orders: Readonly<Record<string, readonly [payload: string, command: string, args: object]>> = {
      camera_front_capture: ["OFF", "capture.pause", { camera: "front" }],
      camera_front_interval: ["2.5", "capture.set", { camera: "front", intervalMs: 2_500 }],
      camera_front_snapshot: ["PRESS", "snapshot", { camera: "front" }],
      target_cloud_upload: ["OFF", "upload.pause", { target: "cloud" }],
      device_threshold: ["0.4", "detect.set", { threshold: 0.4 }],
      device_flush: ["PRESS", "queue.flush", {}],
      device_restart: ["PRESS", "restart", {}],
      device_model: ["wasps@2", "model.select", { model: "wasps@2" }],
      device_fetch: ["PRESS", "model.fetch", {}],
    };
    const home = await hear(url, "nothing");
    for (const [entity, [payload]] of Object.entries(orders)) {
      await home.say(`framepost/gw/set/${entity}`, payload);
    }
    await home.say("framepost/gw/set/camera_front_capture", "ON");
    await eventually("they are taken", () => bench.taken.length === 10);
    const expected = [...Object.values(orders), ["ON", "capture.resume", { camera: "front" }] as const];
    for (const [at, [, command, args]] of expected.entries()) {
      const taken = bench.taken[at];
      assert.equal(taken?.topic, `framepost/gw/cmd/${command}`);
      assert.deepEqual((taken.body as { readonly args: unknown }).args, args);
    }
    const ids = new Set(bench.taken.map(({ body }) => (body as { readonly id: string }).id));
    assert.equal(ids.size, 10);
  });

  it("is refused nonsense by the commands themselves, and never runs another one", async () => {
    const { url } = await mosquitto();
    const bench = await benchOf(url).start();
    await announced(url);
    const home = await hear(url, "nothing");
    await home.say("framepost/gw/set/device_restart", "");
    await home.say("framepost/gw/set/device_threshold", "much");
    await home.say("framepost/gw/set/camera_front_interval", "1h; reboot");
    await home.say("framepost/gw/set/camera_front_capture", "TOGGLE");
    await home.say("framepost/gw/set/restart", "PRESS");
    await home.say("framepost/gw/set/camera_front_problem", "OFF");
    await eventually("they are taken", () => bench.taken.length === 6);
    assert.deepEqual(
      bench.taken.map(({ topic: at, body }) => [at.split("/").at(-1), (body as { readonly args?: unknown }).args]),
      [
        ["restart", { payload: "" }],
        ["detect.set", { threshold: "much" }],
        ["capture.set", { camera: "front", intervalMs: "1h; reboot" }],
        ["capture.pause", { camera: "front", payload: "TOGGLE" }],
        ["unknown", undefined],
        ["unknown", undefined],
      ],
    );
  });

  it("cannot leave an order at the broker", async () => {
    const { url } = await mosquitto();
    const home = await hear(url, "nothing");
    await home.say("framepost/gw/set/device_restart", "PRESS", { retain: true });
    const bench = await benchOf(url).start();
    await announced(url);
    await home.say("framepost/gw/set/device_flush", "PRESS", { retain: true });
    await eventually("it is taken", () => bench.taken.length === 1);
    assert.deepEqual(
      bench.taken.map(({ retain, cameOn }) => [retain, cameOn]),
      [[true, "framepost/gw/set/device_flush"]],
    );
  });

  it("is shown only what the device has, and may order only what it obeys", async () => {
    const { url } = await mosquitto();
    const bench = benchOf(url, { commands: ["snapshot", "capture.pause"] });
    const { device, ...others } = fullReading();
    const { problem, queued, sent, quarantined, inferenceMs, memoryBytes } = device;
    bench.reading = { ...others, device: { problem, queued, sent, quarantined, inferenceMs, memoryBytes } };
    await bench.start();
    await announced(url);
    const { problems, entities, commandTopics } = checkDiscovery(topic, await keptTopics(url));
    assert.deepEqual(problems, []);
    assert.deepEqual(commandTopics, ["framepost/gw/set/camera_front_snapshot"]);
    assert.ok(!entities.some(({ key }) => /temperature|picture|threshold|model/.test(key)));
  });

  it("is told once that a camera is gone", async () => {
    const { url } = await mosquitto();
    const bench = benchOf(url);
    bench.reading = fullReading(cameraReading("front"), cameraReading("back"));
    await bench.start();
    await eventually("its state is live", async () => "framepost/gw/state/camera_back" in (await keptTopics(url)));
    await announced(url);
    await bench.stop();
    const home = await hear(url, topic);
    await benchOf(url).start();
    await eventually("its state is gone", async () => !("framepost/gw/state/camera_back" in (await keptTopics(url))));
    await eventually("both messages come", () => heard(home, topic).length === 3);
    const messages = heard(home, topic).map(({ payload }) => JSON.parse(payload.toString()) as { components: object });
    const ofBack = messages.map(({ components }) =>
      Object.fromEntries(Object.entries(components).filter(([key]) => key.startsWith("camera_back_"))),
    );
    assert.deepEqual(ofBack.slice(1), [
      {
        camera_back_connection: { platform: "binary_sensor" },
        camera_back_problem: { platform: "binary_sensor" },
        camera_back_lastFrame: { platform: "sensor" },
        camera_back_objects: { platform: "sensor" },
        camera_back_capture: { platform: "switch" },
        camera_back_interval: { platform: "number" },
        camera_back_snapshot: { platform: "button" },
      },
      {},
    ]);
    assert.deepEqual(checkDiscovery(topic, await keptTopics(url)).problems, []);
  });

  it("is left nothing when it is turned off, under whatever prefix it was shown", async () => {
    const { url } = await mosquitto();
    const bench = benchOf(url, { settings: { pictures: true, prefix: "ha" } });
    bench.pictures.set("front", handmadeJpeg(8, 8));
    await bench.start();
    const at = "ha/device/framepost_gw/config";
    await eventually("the picture is there", async () => "framepost/gw/picture/front" in (await keptTopics(url)));
    await announced(url, at);
    await bench.stop();
    const moved = await benchOf(url).start();
    await announced(url);
    await eventually("the old one is gone", async () => !(at in (await keptTopics(url))));
    assert.ok(!("framepost/gw/picture/front" in (await keptTopics(url))));
    await moved.stop();
    await benchOf(url, { settings: { enabled: false } }).start();
    await eventually("it is all gone", async () => {
      return Object.keys(await keptTopics(url)).join() === "framepost/gw/availability";
    });
  });

  it("is shown all again by a broker that has forgotten everything", async () => {
    const broker = await mosquitto();
    const { url } = broker;
    await benchOf(url).start();
    await announced(url);
    await broker.kill();
    await broker.launch();
    await announced(url);
    await eventually("all is shown", async () => {
      return checkDiscovery(topic, await keptTopics(url)).problems.length === 0;
    });
  });

  it("is shown all again when it announces itself", async () => {
    const { url } = await mosquitto();
    await benchOf(url, { settings: { prefix: "ha" } }).start();
    const at = "ha/device/framepost_gw/config";
    await announced(url, at);
    const home = await hear(url, at);
    const states = await hear(url, "framepost/gw/state/#");
    await eventually(
      "what is kept has come",
      () => heard(home, at).length === 1 && heard(states, "framepost").length === 3,
    );
    for (const [times, birth] of ["ha/status", "homeassistant/status"].entries()) {
      await home.say(birth, "offline");
      await home.say(birth, "online");
      await eventually("it comes again", () => heard(home, at).length === 2 + times);
      assert.equal(heard(states, "framepost").length, 3 * (2 + times));
    }
  });

  it("is told of a change at once, and of what drifts only with it", async () => {
    const { url } = await mosquitto();
    const bench = await benchOf(url).start();
    await announced(url);
    const states = await hear(url, "framepost/gw/state/device");
    await eventually("what is kept has come", () => heard(states, "framepost").length === 1);
    const { device } = bench.reading;
    let reads = 0;
    const drifted = { ...bench.reading, device: { ...device, memoryBytes: 3e8 } };
    Object.defineProperty(bench, "reading", { configurable: true, get: () => (reads += 1) && drifted });
    bench.discovery.hurry();
    await eventually("it was looked at", () => reads === 1);
    Object.defineProperty(bench, "reading", { value: { ...drifted, device: { ...drifted.device, problem: true } } });
    bench.discovery.hurry();
    await eventually("it is told", () => heard(states, "framepost").length === 2);
    const told = JSON.parse(heard(states, "framepost")[1]?.payload.toString() ?? "") as object;
    assert.deepEqual(told, { ...told, problem: "ON", memory: 300 });
  });

  it("is shown pictures that fit, and seldom", async () => {
    const { url } = await mosquitto();
    const bench = benchOf(url, { settings: { pictures: true, maxPictureBytes: 5_000 } });
    bench.copyBytes = [9_000, 6_000, 4_000];
    bench.pictures.set("front", handmadeJpeg(8, 8));
    const home = await hear(url, "#");
    const pictures = () => heard(home, "framepost/gw/picture/front");
    await bench.start();
    await eventually("a picture comes", () => pictures().length === 1);
    assert.equal(pictures()[0]?.payload.length, 4_000);
    bench.pictures.set("front", handmadeJpeg(8, 8));
    bench.show({ ...bench.reading, device: { ...bench.reading.device, problem: true } });
    await eventually("it was looked at", async () => {
      return (await keptTopics(url))["framepost/gw/state/device"]?.includes('"ON"') === true;
    });
    await home.caughtUp();
    assert.equal(pictures().length, 1);
    assert.ok(bench.pictures.has("front"), "the next one waits for its time");
  });

  it("is shown no picture that is too large for the broker, and why is said once", async () => {
    const { url } = await mosquitto({ lines: ["allow_anonymous true", "max_packet_size 20000"] });
    const bench = benchOf(url, { settings: { pictures: true } });
    bench.copyBytes = [19_900];
    bench.pictures.set("front", handmadeJpeg(8, 8));
    await bench.start();
    await announced(url);
    assert.ok(!("framepost/gw/picture/front" in (await keptTopics(url))));
    const said = bench.seams.log.lines.filter(({ event }) => event === "discovery.no_picture");
    assert.deepEqual(
      said.map(({ fields }) => fields["code"]),
      ["PICTURE_TOO_LARGE"],
    );
  });

  it("is shown all although it is not known what was shown before", async () => {
    const { url } = await mosquitto();
    for (const name of ["discovery.json", "discovery.json.bak"]) await writeFile(join(folder.path, name), "{");
    const bench = await benchOf(url).start();
    await announced(url);
    assert.ok(bench.seams.log.lines.some(({ event }) => event === "discovery.forgotten"));
  });

  it("does without what the broker forbids, and it is said", async () => {
    const acl = "topic readwrite framepost/#\ntopic readwrite mark/#\n";
    const { url } = await mosquitto({ lines: ["allow_anonymous true", "acl_file @/acl"], files: { acl } });
    const bench = await benchOf(url, { protocol: "5" }).start();
    await eventually("the states are there", async () => {
      return "framepost/gw/state/target_cloud" in (await keptTopics(url));
    });
    await eventually("it is said", () => bench.seams.log.lines.some(({ event }) => event === "discovery.failed"));
  });
});
