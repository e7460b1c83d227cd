import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { copyFile, mkdir, readdir, readFile, writeFile } from "node:fs/promises";
import { basename, join } from "node:path";
import { after, before, describe, it } from "mocha";
import sharp from "sharp";
import { scanJpeg, withoutMetadata } from "../../src/core/jpeg.ts";
import type { Detection } from "../../src/core/types.ts";
import type { StoredImage } from "../../src/sandbox/image-store.ts";
import type { SandboxLabel } from "../../src/sandbox/iotown/contract.ts";
import { IotownSandbox } from "../../src/sandbox/iotown/server.ts";
import { agentOutput, AgentProcess, writeConfig } from "../lib/agent.ts";
import { Mosquitto } from "../lib/mosquitto.ts";
import { Subscriber } from "../lib/mqtt.ts";
import { jpegOf } from "../lib/pictures.ts";
import { until } from "../lib/poll.ts";
import { needsProgram } from "../lib/programs.ts";
import { needsShared } from "../lib/shared.ts";
import { tempFolder } from "../lib/temp.ts";

/** A photo as `detect --json` sees it. */
interface Seen {
  readonly width: number;
  readonly height: number;
  readonly detections: readonly Detection[];
}

/** A record as it came out of the broker. */
interface Published extends Seen {
  readonly jpeg: Buffer;
}

const turned = "turned.jpg";
const blank = "blank.jpg";

/** Boxes in pixels and scores of one detector on the same bytes, printed and parsed once more on the way. */
function assertSameDetections(found: readonly Detection[], expected: readonly Detection[], what: string): void {
  assert.deepEqual(
    found.map(({ label }) => label),
    expected.map(({ label }) => label),
    what,
  );
  for (const [at, { score, box }] of found.entries()) {
    const wanted = expected[at] ?? { score: NaN, box: { left: NaN, top: NaN, width: NaN, height: NaN } };
    assert.ok(Math.abs(score - wanted.score) <= 1e-6, `${what}: score ${score} instead of ${wanted.score}`);
    for (const side of ["left", "top", "width", "height"] as const) {
      assert.ok(
        Math.abs(box[side] - wanted.box[side]) <= 1e-3,
        `${what}: ${side} ${box[side]}, not ${wanted.box[side]}`,
      );
    }
  }
}

/** IoT.own's labels are centres and sizes as fractions, rounded to six decimals. */
function assertSameLabels(
  { labels, width, height }: StoredImage<SandboxLabel>,
  expected: readonly Detection[],
  what: string,
): void {
  const fractions = expected.map(({ label, box }) => ({
    name: label,
    x: (box.left + box.width / 2) / width,
    y: (box.top + box.height / 2) / height,
    w: box.width / width,
    h: box.height / height,
  }));
  assert.equal(labels.length, fractions.length, what);
  for (const [at, label] of labels.entries()) {
    const wanted = fractions[at] ?? { name: "", x: NaN, y: NaN, w: NaN, h: NaN };
    assert.equal(label.name, wanted.name, what);
    for (const key of ["x", "y", "w", "h"] as const) {
      assert.ok(Math.abs(label[key] - wanted[key]) <= 1e-6, `${what}: ${key} ${label[key]} instead of ${wanted[key]}`);
    }
  }
}

describe("run, on photos, to IoT.own and a real broker", function () {
  this.timeout(40_000);
  let temp: Awaited<ReturnType<typeof tempFolder>>;
  let broker: Mosquitto;
  let subscriber: Subscriber;
  let iotown: IotownSandbox;
  const undoing: (() => Promise<void>)[] = [];
  let model = "";
  let photos = "";
  let names: readonly string[] = [];
  /** By photo name. */
  const seen = new Map<string, Seen>();
  /** By hash of the delivered picture. */
  const published = new Map<string, Published>();

  async function detectAll(folder: string): Promise<ReadonlyMap<string, Seen>> {
    const lines = await agentOutput("detect", "--json", "--model", model, folder);
    const entries = lines.map((line) => JSON.parse(line) as Seen & { readonly image: string });
    return new Map(entries.map((entry) => [basename(entry.image), entry]));
  }

  /** The photos, one of them also as a camera held upright would store it, and a picture that shows nothing. */
  async function gatherPhotos(shared: string): Promise<void> {
    photos = join(temp.path, "photos");
    await mkdir(photos);
    const from = join(shared, "models", "images");
    for (const name of await readdir(from)) await copyFile(join(from, name), join(photos, name));
    const sideways = await sharp(join(from, "zidane.jpg"), { autoOrient: false })
      .rotate(270)
      .withMetadata({ orientation: 6 })
      .toBuffer();
    await writeFile(join(photos, turned), sideways);
    await writeFile(join(photos, blank), await jpegOf(128, 640, 480));
    names = (await readdir(photos)).sort();
  }

  function record(payload: Buffer): Published {
    const { image, ...rest } = JSON.parse(payload.toString()) as Seen & { readonly image: string };
    return { ...rest, jpeg: Buffer.from(image, "base64") };
  }

  before(async function () {
    const shared = needsShared(this);
    needsProgram(this, "mosquitto", "mosquitto");
    temp = await tempFolder();
    undoing.push(async () => temp[Symbol.asyncDispose]());
    model = join(shared, "models", "yolov8n-320-f32.onnx");
    await gatherPhotos(shared);
    for (const [name, entry] of await detectAll(photos)) seen.set(name, entry);

    broker = await new Mosquitto().start();
    undoing.push(() => broker.stop());
    subscriber = await new Subscriber().start(broker.url, "framepost/#");
    undoing.push(() => subscriber.stop());
    iotown = new IotownSandbox({ token: "sandbox-token" });
    undoing.push(() => iotown.stop());
    const config = await writeConfig(temp.path, {
      device: { name: "photo-test" },
      cameras: [{ id: "photos", driver: "folder", path: photos, mode: "once", interval: "0s" }],
      detector: { model },
      targets: [
        { id: "town", kind: "iotown", url: (await iotown.start()).url, token: "sandbox-token" },
        { id: "broker", kind: "mqtt", url: broker.url },
      ],
    });
    await using agent = new AgentProcess(["run", "-c", config, "--data", join(temp.path, "data")]);
    await agent.untilLogged("camera.ended", 1, 20_000);
    const wanted = [...seen.values()].filter(({ detections }) => detections.length > 0).length;
    await agent.until(
      "all photos arrive",
      () => subscriber.packets.length >= wanted && iotown.stored().length >= wanted,
    );
    await agent.stop();
    await until(() => !agent.groupLives(), "its processes end");
    for (const { payload } of subscriber.packets) {
      const entry = record(Buffer.from(payload));
      published.set(createHash("sha256").update(entry.jpeg).digest("hex"), entry);
    }
  });

  after(async () => {
    for (const undo of undoing.reverse()) await undo();
  });

  /** What a photo must arrive as, unless it had to be turned. */
  async function upright(name: string): Promise<Buffer> {
    const jpeg = await readFile(join(photos, name));
    const scan = scanJpeg(jpeg);
    assert.ok(scan.kind !== "damaged");
    return withoutMetadata(jpeg, scan.facts);
  }

  const hash = (jpeg: Buffer) => createHash("sha256").update(jpeg).digest("hex");

  it("delivers every photo with a detection once to both, and no other", () => {
    const wanted = names.filter((name) => (seen.get(name)?.detections.length ?? 0) > 0);
    assert.equal(wanted.length, 15);
    assert.ok(!wanted.includes(blank));
    assert.equal(subscriber.packets.length, wanted.length);
    assert.deepEqual(
      iotown.stored().map(({ times }) => times),
      wanted.map(() => 1),
    );
    assert.deepEqual(new Set(iotown.stored().map(({ sha256 }) => sha256)), new Set(published.keys()));
    assert.deepEqual(iotown.violations(), []);
  });

  it("delivers the photos' own bytes without their metadata, with the boxes of `detect`", async () => {
    const plain = names.filter((name) => name !== turned && name !== blank);
    for (const name of plain) {
      const sha256 = hash(await upright(name));
      const image = iotown.stored().find((stored) => stored.sha256 === sha256);
      const expected = seen.get(name)?.detections ?? [];
      assert.ok(image !== undefined, `${name} did not arrive as it was`);
      assertSameLabels(image, expected, `${name} at IoT.own`);
      assertSameDetections(published.get(sha256)?.detections ?? [], expected, `${name} at the broker`);
    }
  });

  it("delivers a photo that was stored sideways upright, without EXIF, with the boxes of the upright picture", async () => {
    const own = new Set(
      await Promise.all(names.filter((name) => name !== turned).map(async (name) => hash(await upright(name)))),
    );
    const [sha256 = ""] = [...published.keys()].filter((key) => !own.has(key));
    const entry = published.get(sha256);
    const image = iotown.stored().find((stored) => stored.sha256 === sha256);
    assert.ok(entry !== undefined && image !== undefined);
    const scan = scanJpeg(entry.jpeg);
    assert.ok(scan.kind !== "damaged" && scan.facts.orientation === 1 && scan.facts.metadata.length === 0);
    assert.deepEqual([entry.width, entry.height], [1280, 720]);
    const folder = join(temp.path, "upright");
    await mkdir(folder);
    await writeFile(join(folder, turned), entry.jpeg);
    const expected = (await detectAll(folder)).get(turned)?.detections ?? [];
    assertSameDetections(entry.detections, expected, "at the broker");
    assertSameLabels(image, expected, "at IoT.own");
    // The same people in the same places as on the photo that was never turned.
    assert.deepEqual(
      entry.detections.map(({ label }) => label),
      seen.get("zidane.jpg")?.detections.map(({ label }) => label),
    );
  });
});
