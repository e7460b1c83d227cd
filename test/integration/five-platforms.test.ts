import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { mkdir, readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, describe, it } from "mocha";
import sharp from "sharp";
import { scanJpeg } from "../../src/core/jpeg.ts";
import type { Box, Detection } from "../../src/core/types.ts";
import { CustomVisionSandbox, sandboxProjectId } from "../../src/sandbox/customvision/server.ts";
import { IotownSandbox } from "../../src/sandbox/iotown/server.ts";
import { LayernextSandbox } from "../../src/sandbox/layernext/server.ts";
import { OnestepaiSandbox, sandboxDatasetId } from "../../src/sandbox/onestepai/server.ts";
import { RemoSandbox } from "../../src/sandbox/remo/server.ts";
import { agentOutput, AgentProcess, writeConfig } from "../lib/agent.ts";
import { worstEdge } from "../lib/boxes.ts";
import { tempFolder } from "../lib/temp.ts";

const secret = "five-platforms-secret";
const email = "edge@site.example";

interface Arrived {
  readonly sha256: string;
  readonly boxes: readonly { readonly label: string; readonly box: Box }[];
}

/** The daemon with a target of each kind, and a photo as a camera held upright stores it: sideways, with EXIF. */
describe("run, to all five platforms at once", function () {
  this.timeout(40_000);
  const iotown = new IotownSandbox({ token: secret });
  const layernext = new LayernextSandbox({ apiKey: "framepost", secret });
  const onestepai = new OnestepaiSandbox({ accessToken: secret });
  const customvision = new CustomVisionSandbox({ trainingKey: secret });
  const remo = new RemoSandbox({ email, password: secret });
  const sandboxes = [iotown, layernext, onestepai, customvision, remo];
  let temp: Awaited<ReturnType<typeof tempFolder>>;
  let truth: readonly Detection[] = [];
  let upright: Buffer = Buffer.alloc(0);

  before(async () => {
    temp = await tempFolder();
    const folder = join(temp.path, "photos");
    await mkdir(folder);
    const scene = join(temp.path, "scene.jpg");
    const sceneConfig = await writeConfig(temp.path, { cameras: [{ id: "scene", driver: "simulated" }] });
    await agentOutput(
      "cameras",
      "--shot",
      "scene",
      "--output",
      scene,
      "-c",
      sceneConfig,
      "--data",
      join(temp.path, "s"),
    );
    const sideways = sharp(await readFile(scene))
      .rotate(270)
      .withMetadata({ orientation: 6 });
    await sideways.jpeg({ quality: 95 }).toFile(join(folder, "a.jpg"));
    const [a, b, c, d, e] = [
      await iotown.start(),
      await layernext.start(),
      await onestepai.start(),
      await customvision.start(),
      await remo.start(),
    ];
    const archive = join(temp.path, "archive");
    const config = await writeConfig(temp.path, {
      cameras: [{ id: "photos", driver: "folder", path: folder, mode: "once", interval: "0s" }],
      targets: [
        { id: "archive", kind: "folder", path: archive },
        { id: "a", kind: "iotown", ...a, token: secret },
        { id: "b", kind: "layernext", ...b, apiKey: "framepost", secret, collection: "gate" },
        {
          ...{ id: "c", kind: "onestepai", ...c, accessToken: secret, datasetId: sandboxDatasetId },
          ...{ category: { default: "gate" }, createCategories: true },
        },
        { id: "d", kind: "customvision", ...d, trainingKey: secret, projectId: sandboxProjectId },
        { id: "e", kind: "remo", ...e, email, password: secret, datasetId: 1 },
      ],
    });
    await using agent = new AgentProcess(["run", "-c", config, "--data", join(temp.path, "data")]);
    await agent.until("the photo arrives everywhere", () => everyoneHas() && layernext.annotations().length === 1);
    await agent.stop();
    const line = JSON.parse(await readFile(join(archive, "annotations.jsonl"), "utf8")) as { detections: Detection[] };
    truth = line.detections;
    const [name = ""] = await readdir(join(archive, "images"));
    upright = await readFile(join(archive, "images", name));
  });

  after(async () => {
    for (const sandbox of sandboxes) await sandbox.stop();
    await temp[Symbol.asyncDispose]();
  });

  const everyoneHas = (): boolean =>
    [iotown.stored(), layernext.stored(), onestepai.stored(), customvision.stored(), remo.stored()].every(
      ({ length }) => length === 1,
    );

  it("turns the photo upright and finds what is on it", () => {
    const scan = scanJpeg(upright);
    assert.ok(scan.kind !== "damaged");
    assert.ok(scan.facts.width > scan.facts.height);
    assert.deepEqual([scan.facts.orientation, scan.facts.metadata.length], [1, 0]);
    assert.ok(truth.length >= 3, `${truth.length} objects`);
  });

  const arrivals: Readonly<Record<string, () => Arrived | undefined>> = {
    "IoT.own": () => fromIotown(iotown),
    LayerNext: () => fromLayernext(layernext),
    OneStepAI: () => onestepai.stored().map(({ sha256, labels }) => ({ sha256, boxes: labels }))[0],
    "Custom Vision": () => customvision.stored()[0],
    remo: () => fromRemo(remo),
  };
  for (const [title, arrived] of Object.entries(arrivals)) {
    it(`${title} has the upright photo once, each box within a pixel and inside it`, () => {
      const found = arrived();
      assert.equal(found?.sha256, createHash("sha256").update(upright).digest("hex"));
      assertSame(found.boxes, truth, upright);
    });
  }

  it("breaks no platform's contract", () => {
    assert.deepEqual(
      sandboxes.flatMap((sandbox) => sandbox.violations()),
      [],
    );
  });
});

function fromIotown(sandbox: IotownSandbox): Arrived | undefined {
  return sandbox.stored().map(({ sha256, width, height, labels }) => ({
    sha256,
    boxes: labels.map(({ name, x, y, w, h }) => ({
      label: name,
      box: { left: (x - w / 2) * width, top: (y - h / 2) * height, width: w * width, height: h * height },
    })),
  }))[0];
}

function fromLayernext(sandbox: LayernextSandbox): Arrived | undefined {
  return sandbox.annotations().map(({ sha256, shapes }) => ({
    sha256,
    boxes: shapes.map(({ labelText, points }) => ({
      label: labelText,
      box: boundsOf(points.map(([x, y]) => ({ x, y }))),
    })),
  }))[0];
}

function fromRemo(sandbox: RemoSandbox): Arrived | undefined {
  return sandbox.stored().map(({ sha256, labels }) => ({
    sha256,
    // The server spells classes with a capital.
    boxes: labels.map(({ classes, points }) => ({ label: classes.join().toLowerCase(), box: boundsOf(points) })),
  }))[0];
}

function boundsOf(points: readonly { readonly x: number; readonly y: number }[]): Box {
  const [xs, ys] = [points.map(({ x }) => x), points.map(({ y }) => y)];
  const [left, top] = [Math.min(...xs), Math.min(...ys)];
  return { left, top, width: Math.max(...xs) - left, height: Math.max(...ys) - top };
}

function assertSame(found: Arrived["boxes"], truth: readonly Detection[], jpeg: Buffer): void {
  const scan = scanJpeg(jpeg);
  assert.ok(scan.kind !== "damaged");
  const { width, height } = scan.facts;
  assert.equal(found.length, truth.length);
  for (const { label, box } of truth) {
    const near = found.filter((one) => one.label === label && worstEdge(one.box, box) <= 1);
    assert.equal(near.length, 1, `${label} at ${box.left},${box.top}`);
  }
  for (const { box } of found) {
    assert.ok(box.left >= 0 && box.top >= 0 && box.left + box.width <= width && box.top + box.height <= height);
  }
}
