import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { after, afterEach, before, describe, it } from "mocha";
import sharp from "sharp";
import { SystemClock } from "../../src/core/clock.ts";
import type { Delivery, Target } from "../../src/core/ports.ts";
import type { Detection } from "../../src/core/types.ts";
import { labelledBoxes, type SandboxImage } from "../../src/sandbox/iotown/contract.ts";
import { IotownSandbox } from "../../src/sandbox/iotown/server.ts";
import { recordViolation } from "../../src/sandbox/record-contract.ts";
import { iotownConfig } from "../../src/targets/iotown/config.ts";
import { IotownTarget } from "../../src/targets/iotown/target.ts";
import { mqttTargetConfig } from "../../src/targets/mqtt/config.ts";
import { MqttTarget } from "../../src/targets/mqtt/target.ts";
import { reducedTarget, type Reencode } from "../../src/targets/reduced.ts";
import { writeConfig } from "../lib/agent.ts";
import { framepostInside } from "../lib/command-inside.ts";
import { openSpool } from "../lib/disk-spool.ts";
import { Mosquitto } from "../lib/mosquitto.ts";
import { linkSeams, Subscriber } from "../lib/mqtt.ts";
import { inWords } from "../lib/outcome-words.ts";
import { needsProgram } from "../lib/programs.ts";
import { sampleRecord } from "../lib/records.ts";
import { randomScene, sceneHeight, sceneWidth } from "../lib/scenes.ts";
import { seededRandom } from "../lib/seams.ts";
import { tempFolder } from "../lib/temp.ts";
import { judgeScene, never, tinyModel, visionProcess } from "../lib/vision.ts";

const token = "iotown-reduced-canary";
const rules = { minQuality: 50, minScale: 0.5 };

/** A scene that the tiny model reads without a fault, in a JPEG as large as a camera's: a little noise costs many bytes. */
async function noisyScene(seed: number): Promise<{ readonly jpeg: Buffer; readonly detections: readonly Detection[] }> {
  const random = seededRandom(seed);
  const { svg, objects } = randomScene(random);
  const { data, info } = await sharp(Buffer.from(svg)).removeAlpha().raw().toBuffer({ resolveWithObject: true });
  for (let at = 0; at < data.length; at += 1)
    data[at] = Math.min(255, Math.max(0, (data[at] ?? 0) + random() * 16 - 8));
  const { width, height, channels } = info;
  const jpeg = await sharp(data, { raw: { width, height, channels } }).jpeg({ quality: 90 }).toBuffer();
  return { jpeg, detections: objects.map(({ label, box }) => ({ label, score: 0.9, box })) };
}

describe("reduced copies of a real picture", function () {
  this.timeout(20_000);
  const toStop: { stop(): Promise<unknown> }[] = [];
  let vision: Awaited<ReturnType<typeof startedVision>>;
  let copies = 0;

  async function startedVision() {
    const started = visionProcess({ model: await tinyModel() });
    await started.start(never);
    return started;
  }

  before(async () => {
    vision = await startedVision();
  });
  after(async () => {
    await vision.stop();
  });
  afterEach(async () => {
    for (const part of toStop.splice(0).reverse()) await part.stop();
  });

  const reencode: Reencode = async (...args) => {
    copies += 1;
    return vision.reencode(...args);
  };

  function reducing(target: Target): Target {
    toStop.push({ stop: () => target.close() });
    copies = 0;
    return reducedTarget(target, rules, reencode, new SystemClock());
  }

  async function sceneDelivery(seed: number): Promise<Delivery> {
    const { jpeg, detections } = await noisyScene(seed);
    const record = sampleRecord(seed, jpeg, { imageWidth: sceneWidth, imageHeight: sceneHeight, detections });
    return { record, attempts: 0, image: () => Promise.resolve(jpeg) };
  }

  async function deliver(target: Target, delivery: Delivery): Promise<string> {
    const outcome = (await target.deliver([delivery], AbortSignal.timeout(8_000))).get(delivery.record.id);
    assert.ok(outcome !== undefined);
    return inWords(outcome);
  }

  /** What was sent lies where the pixels of the copy show it, and where the original's truth is to scale. */
  async function assertTrue(jpeg: Buffer, sent: readonly Detection[], { record }: Delivery): Promise<void> {
    const { width, height } = await sharp(jpeg).metadata();
    const [across, down] = [width / record.imageWidth, height / record.imageHeight];
    assert.ok(Math.abs(across / down - 1) < 0.002, "the picture keeps its shape");
    const objects = record.detections.map(({ label, box }) => ({
      label,
      box: {
        left: box.left * across,
        top: box.top * down,
        width: box.width * across,
        height: box.height * down,
      },
    }));
    for (const found of [sent, (await vision.detect(jpeg, { exact: true }, never)).detections]) {
      const { missed, extra, edgeErrorMax } = judgeScene(
        objects,
        found.filter(({ score }) => score >= 0.5),
      );
      assert.deepEqual([missed, extra], [0, 0]);
      assert.ok(edgeErrorMax < 1.5, `${edgeErrorMax} pixels`);
    }
    assert.ok(judgeScene(objects, sent).edgeErrorMax < 0.01);
  }

  describe("to IoT.own", () => {
    async function town(
      bodyBytesMax: number,
    ): Promise<{ sandbox: IotownSandbox; target: Target; images: SandboxImage[] }> {
      const images: SandboxImage[] = [];
      const sandbox = new IotownSandbox({ token, bodyBytesMax, onImage: (image) => images.push(image) });
      const { url } = await sandbox.start();
      toStop.push(sandbox);
      const target = reducing(new IotownTarget(iotownConfig.parse({ id: "town", kind: "iotown", url, token })));
      return { sandbox, target, images };
    }

    it("are taken where the original is too large, with the boxes where the copy shows them", async () => {
      const delivery = await sceneDelivery(1);
      const { imageBytes } = delivery.record;
      for (const share of [0.5, 0.12]) {
        const { sandbox, target, images } = await town((imageBytes * share * 4) / 3);
        assert.equal(await deliver(target, delivery), "accepted");
        const [image] = images;
        assert.ok(image !== undefined && images.length === 1);
        assert.ok(image.sizeBytes < imageBytes * share);
        await assertTrue(
          image.jpeg,
          labelledBoxes(image).map((box) => ({ ...box, score: 1 })),
          delivery,
        );
        assert.deepEqual(sandbox.violations(), []);
        const { requests } = sandbox.counts();
        assert.equal(await deliver(target, await sceneDelivery(2)), "accepted");
        assert.ok(sandbox.counts().requests - requests <= 2, "the original is not sent again");
        const full = createHash("sha256").update(await delivery.image());
        assert.equal(delivery.record.imageSha256, full.digest("hex"));
      }
    });

    it("are set aside only at the floor, by the program itself, with what was tried", async () => {
      await using folder = await tempFolder();
      const { jpeg, detections } = await noisyScene(3);
      const file = join(folder.path, "scene.jpg");
      await writeFile(file, jpeg);
      await writeFile(`${file}.labels`, JSON.stringify({ image: file, detections }));
      const sandbox = new IotownSandbox({ token, bodyBytesMax: jpeg.length / 2 });
      toStop.push(sandbox);
      const { url } = await sandbox.start();
      const steep = { id: "town", kind: "iotown", url, token, reduce: { minQuality: 90, minScale: 0.9 } };
      const config = await writeConfig(folder.path, {
        cameras: [{ id: "none", driver: "folder", path: "/nonexistent", mode: "watch" }],
        spool: { minFreeBytes: "1MB" },
        targets: [steep],
      });
      const words = ["send", "-c", config, "--data", folder.path, "--target", "town", "--labels", `${file}.labels`];
      const sent = await framepostInside([...words, file]);
      const why = /too large, also reduced to 1152 x 648 at quality 90 \(\d+ bytes\): POST .*HTTP 413/;
      assert.match(sent.stdout, /refused for good/);
      assert.match(sent.stdout, why);
      const targets = [{ id: "town", newestShare: 0, backfill: false, backlog: {}, wants: () => true }];
      await using opened = await openSpool(join(folder.path, "spool"), { targets });
      const [listed] = await opened.spool.list({ afterSequence: 0, recordsMax: 2 });
      assert.equal(listed?.deliveries[0]?.state, "quarantined");
      assert.match(listed.deliveries[0].error ?? "", why);
      assert.deepEqual(sandbox.stored(), []);
      assert.deepEqual(sandbox.violations(), []);
    });
  });

  describe("to a real broker", () => {
    before(function () {
      needsProgram(this, "mosquitto", "mosquitto");
    });

    async function lab(line: string, keys: object = {}): Promise<{ target: Target; receiver: Subscriber }> {
      const broker = await new Mosquitto({ lines: ["allow_anonymous true", line] }).start();
      toStop.push(broker);
      const receiver = await new Subscriber().start(broker.url);
      toStop.push(receiver);
      const config = mqttTargetConfig.parse({ id: "lab", kind: "mqtt", url: broker.url, ...keys });
      const target = reducing(new MqttTarget({ config, device: "gw-07" }, linkSeams()));
      await target.start();
      await target.probe(AbortSignal.timeout(4_000));
      return { target, receiver };
    }

    async function assertReceived(receiver: Subscriber, delivery: Delivery): Promise<void> {
      await receiver.caughtUp();
      assert.equal(receiver.packets.length, 1);
      const { payload } = receiver.packets[0] ?? { payload: Buffer.alloc(0) };
      assert.equal(recordViolation(Buffer.from(payload), 1), undefined);
      const { image, detections } = JSON.parse(payload.toString()) as { image: string; detections: Detection[] };
      await assertTrue(Buffer.from(image, "base64"), detections, delivery);
    }

    it("fit into its largest packet at once, where it says how large that is", async () => {
      const delivery = await sceneDelivery(4);
      const { imageBytes } = delivery.record;
      for (const share of [0.6, 0.15]) {
        const { target, receiver } = await lab(`max_packet_size ${Math.round(imageBytes * share)}`);
        assert.equal(await deliver(target, delivery), "accepted");
        assert.ok(copies <= 3, `${copies} copies`);
        await assertReceived(receiver, delivery);
      }
    });

    it("fit into the payload that the config names, with a broker of 3.1.1", async () => {
      const delivery = await sceneDelivery(5);
      const payloadBytesMax = `${Math.round(delivery.record.imageBytes / 3)}B`;
      const { target, receiver } = await lab("max_keepalive 60", { protocol: "3.1.1", payloadBytesMax });
      assert.equal(await deliver(target, delivery), "accepted");
      await assertReceived(receiver, delivery);
    });

    it("are found by trying, where it refuses a size that it did not tell", async () => {
      const delivery = await sceneDelivery(6);
      const { target, receiver } = await lab(`message_size_limit ${Math.round(delivery.record.imageBytes * 0.5)}`);
      assert.equal(await deliver(target, delivery), "accepted");
      await assertReceived(receiver, delivery);
    });
  });
});
