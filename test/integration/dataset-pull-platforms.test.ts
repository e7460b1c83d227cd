import assert from "node:assert/strict";
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, it } from "mocha";
import type { Delivery, Target } from "../../src/core/ports.ts";
import type { Box, Detection } from "../../src/core/types.ts";
import type { HttpSandbox } from "../../src/sandbox/http-sandbox.ts";
import { IotownSandbox } from "../../src/sandbox/iotown/server.ts";
import { CustomVisionSandbox, sandboxProjectId } from "../../src/sandbox/customvision/server.ts";
import { RemoSandbox } from "../../src/sandbox/remo/server.ts";
import { customVisionConfig } from "../../src/targets/customvision/config.ts";
import { CustomVisionTarget } from "../../src/targets/customvision/target.ts";
import { remoConfig } from "../../src/targets/remo/config.ts";
import { RemoTarget } from "../../src/targets/remo/target.ts";
import { iotownConfig } from "../../src/targets/iotown/config.ts";
import { IotownTarget } from "../../src/targets/iotown/target.ts";
import { worstEdge } from "../lib/boxes.ts";
import { commandLine } from "../lib/platform-cases.ts";
import { sampleDelivery, sampleJpeg } from "../lib/records.ts";
import { seededRandom, SimulatedClock } from "../lib/seams.ts";
import { MemoryForTarget } from "../lib/target-memory.ts";
import { tempFolder } from "../lib/temp.ts";

const secret = "pull-canary-secret";
const pictures = 12;
/** Of what `sampleJpeg` says that it is. */
const [width, height] = [64, 48];

interface Bench {
  readonly sandbox: HttpSandbox;
  readonly target: Target;
  readonly environment: Readonly<Record<string, string>>;
  /** Requests for the bytes of a picture. */
  readonly pictureRequest: RegExp;
}

const benches: Readonly<Record<string, () => Promise<Bench>>> = {
  async iotown() {
    const sandbox = new IotownSandbox({ token: secret });
    const { url } = await sandbox.start();
    const target = new IotownTarget(iotownConfig.parse({ id: "t", kind: "iotown", url, token: secret }));
    const environment = { FRAMEPOST_IOTOWN_URL: url, FRAMEPOST_IOTOWN_TOKEN: secret };
    return { sandbox, target, environment, pictureRequest: /^GET .*\/file\// };
  },
  async remo() {
    const sandbox = new RemoSandbox({ email: "edge@site.example", password: secret });
    const { url } = await sandbox.start();
    const account = { url, email: "edge@site.example", password: secret };
    const config = remoConfig.parse({ id: "t", kind: "remo", ...account, datasetId: 1 });
    const target = new RemoTarget({ config, memory: new MemoryForTarget() }, { clock: new SimulatedClock() });
    const environment = {
      FRAMEPOST_REMO_URL: url,
      FRAMEPOST_REMO_EMAIL: account.email,
      FRAMEPOST_REMO_PASSWORD: secret,
      FRAMEPOST_REMO_DATASET_ID: "1",
    };
    return { sandbox, target, environment, pictureRequest: /^GET \/media\// };
  },
  async customvision() {
    const switches = { requestsPerSecondMax: Infinity };
    const sandbox = new CustomVisionSandbox({ trainingKey: secret, switches });
    const { url } = await sandbox.start();
    const account = { url, trainingKey: secret, projectId: sandboxProjectId };
    const config = customVisionConfig.parse({ id: "t", kind: "customvision", ...account });
    const target = new CustomVisionTarget(config, { clock: new SimulatedClock() });
    const environment = {
      FRAMEPOST_CUSTOMVISION_URL: url,
      FRAMEPOST_CUSTOMVISION_TRAINING_KEY: secret,
      FRAMEPOST_CUSTOMVISION_PROJECT_ID: sandboxProjectId,
    };
    return { sandbox, target, environment, pictureRequest: /^GET \/(blobs\/|<image>|%3Cimage%3E)/ };
  },
};

/** Touching borders, tiny, and everything between. */
function detectionsOf(random: () => number): readonly Detection[] {
  return Array.from({ length: 1 + Math.floor(random() * 3) }, () => {
    const box = { left: random() * 60, top: random() * 44, width: 2 + random() * 70, height: 2 + random() * 50 };
    const [right, bottom] = [Math.min(width, box.left + box.width), Math.min(height, box.top + box.height)];
    const inside = { left: box.left, top: box.top, width: right - box.left, height: bottom - box.top };
    return { label: random() < 0.6 ? "person" : "fork lift & co", score: 0.9, box: inside };
  });
}

/** What the platform got: the truth that has to come back. */
function deliveriesOf(): readonly Delivery[] {
  const random = seededRandom(12);
  return Array.from({ length: pictures }, (_, at) =>
    sampleDelivery(at + 1, sampleJpeg(at + 1), { detections: detectionsOf(random) }),
  );
}

async function upload(target: Target, deliveries: readonly Delivery[]): Promise<void> {
  const signal = AbortSignal.timeout(10_000);
  await target.start();
  let left = deliveries;
  for (let calls = 0; left.length > 0 && calls < 50; calls += 1) {
    const batch = left.slice(0, target.capacity().recordsPerCallMax);
    const outcomes = await target.deliver(batch, signal);
    for (const { record } of batch) {
      const outcome = outcomes.get(record.id);
      assert.equal(outcome?.kind, "accepted", JSON.stringify(outcome));
    }
    left = left.slice(batch.length);
  }
  await target.close();
}

type Pulled = ReadonlyMap<string, readonly { readonly label: string; readonly box: Box }[]>;

/** By the bytes of the image, which tell which record it was. */
async function cocoIn(to: string): Promise<Pulled> {
  const { images, annotations, categories } = JSON.parse(
    await readFile(join(to, "annotations", "instances.json"), "utf8"),
  ) as {
    readonly images: readonly { id: number; file_name: string }[];
    readonly annotations: readonly { image_id: number; category_id: number; bbox: number[] }[];
    readonly categories: readonly { id: number; name: string }[];
  };
  const found = images.map(async ({ id, file_name }) => {
    const own = annotations.filter(({ image_id }) => image_id === id);
    const boxes = own.map(({ category_id, bbox: [left = 0, top = 0, across = 0, down = 0] }) => ({
      label: categories.find((category) => category.id === category_id)?.name ?? "",
      box: { left, top, width: across, height: down },
    }));
    return [(await readFile(join(to, "images", file_name))).toString("latin1"), boxes] as const;
  });
  return new Map(await Promise.all(found));
}

async function yoloIn(to: string, classes: readonly string[]): Promise<Pulled> {
  const names = await readdir(join(to, "images", "train"));
  const found = names.map(async (name) => {
    const lines = (await readFile(join(to, "labels", "train", name.replace(".jpg", ".txt")), "utf8"))
      .trim()
      .split("\n");
    const boxes = lines.map((line) => {
      const [index = -1, x = 0, y = 0, w = 0, h = 0] = line.split(" ").map(Number);
      const box = { left: (x - w / 2) * width, top: (y - h / 2) * height, width: w * width, height: h * height };
      return { label: classes[index] ?? "", box };
    });
    return [(await readFile(join(to, "images", "train", name))).toString("latin1"), boxes] as const;
  });
  return new Map(await Promise.all(found));
}

async function vocIn(to: string): Promise<Pulled> {
  const names = await readdir(join(to, "JPEGImages"));
  const found = names.map(async (name) => {
    const xml = await readFile(join(to, "Annotations", name.replace(".jpg", ".xml")), "utf8");
    const object =
      /<name>([^<]*)<\/name>.*?<xmin>(\d+)<\/xmin><ymin>(\d+)<\/ymin><xmax>(\d+)<\/xmax><ymax>(\d+)<\/ymax>/g;
    const boxes = [...xml.matchAll(object)].map(([, label = "", ...corners]) => {
      const [xmin = 0, ymin = 0, xmax = 0, ymax = 0] = corners.map(Number);
      const box = { left: xmin - 1, top: ymin - 1, width: xmax - xmin + 1, height: ymax - ymin + 1 };
      return { label: label.replace("&amp;", "&"), box };
    });
    return [(await readFile(join(to, "JPEGImages", name))).toString("latin1"), boxes] as const;
  });
  return new Map(await Promise.all(found));
}

/** Every box of `classes` came back, each edge within a pixel, and nothing else did. */
async function assertSame(pulled: Pulled, deliveries: readonly Delivery[], classes: readonly string[]): Promise<void> {
  const wanted = deliveries.filter(({ record }) => record.detections.some(({ label }) => classes.includes(label)));
  assert.equal(pulled.size, wanted.length);
  for (const delivery of wanted) {
    const { record } = delivery;
    const boxes = [...(pulled.get((await delivery.image()).toString("latin1")) ?? [])];
    const truth = record.detections.filter(({ label }) => classes.includes(label));
    assert.equal(boxes.length, truth.length, record.name);
    for (const { label, box } of truth) {
      const at = boxes.findIndex((one) => one.label === label && worstEdge(one.box, box) <= 1);
      assert.notEqual(at, -1, `${record.name}: ${label} at ${JSON.stringify(box)} among ${JSON.stringify(boxes)}`);
      boxes.splice(at, 1);
    }
  }
}

for (const [kind, make] of Object.entries(benches)) {
  describe(`dataset pull --from ${kind}`, () => {
    it("gives back what was uploaded, in every format, within a pixel", async () => {
      const { sandbox, target, environment, pictureRequest } = await make();
      await using folder = await tempFolder();
      const deliveries = deliveriesOf();
      try {
        await upload(target, deliveries);
        const classes = ["person", "fork lift & co"];
        const asked = classes.flatMap((name) => ["--class", name]);
        const pull = async (format: string, words: readonly string[]): Promise<Record<string, unknown>> => {
          const to = join(folder.path, format);
          const all = ["dataset", "pull", "--from", kind, "--to", to, "--format", format, ...words, "--json"];
          const run = await commandLine(all, environment);
          assert.ok(!(run.stdout + run.stderr).includes(secret), "a secret is shown");
          assert.equal(run.code, 0, run.stderr);
          return JSON.parse(run.stdout.trim().split("\n").at(-1) ?? "") as Record<string, unknown>;
        };
        const first = await pull("coco", ["--class", "person"]);
        assert.deepEqual([first["missing"], first["classes"]], [0, { person: first["boxes"] }]);
        await assertSame(await cocoIn(join(folder.path, "coco")), deliveries, ["person"]);
        const both = await pull("coco", ["--class", "fork lift & co"]);
        assert.deepEqual([both["images"], both["missing"]], [pictures, 0]);
        assert.equal(both["fetched"], pictures - Number(first["images"]));
        await assertSame(await cocoIn(join(folder.path, "coco")), deliveries, classes);
        await pull("yolo", asked);
        await assertSame(await yoloIn(join(folder.path, "yolo"), classes), deliveries, classes);
        await pull("voc", asked);
        await assertSame(await vocIn(join(folder.path, "voc")), deliveries, classes);
        assert.deepEqual(sandbox.violations(), []);

        const dry = ["dataset", "pull", "--from", kind, "--to", join(folder.path, "dry"), "--format", "coco", ...asked];
        const before = sandbox.counts().requests;
        const shown = await commandLine([...dry, "--dry-run", "--json"], environment);
        assert.equal(shown.code, 0, shown.stderr);
        assert.ok(!(shown.stdout + shown.stderr).includes(secret));
        const { requests } = JSON.parse(shown.stdout) as {
          readonly requests: readonly { method: string; url: string }[];
        };
        const lines = requests.map(({ method, url }) => `${method} ${new URL(url).pathname}`);
        assert.ok(
          lines.some((line) => pictureRequest.test(line)),
          lines.join("\n"),
        );
        assert.equal(sandbox.counts().requests, before);
        assert.ok(!(await readdir(folder.path)).includes("dry"));

        sandbox.fault({ kind: "answer", status: 404 }, 1, pictureRequest);
        const lossy = ["dataset", "pull", "--from", kind, "--to", join(folder.path, "lossy"), "--format", "coco"];
        const run = await commandLine([...lossy, ...asked, "--json"], environment);
        assert.equal(run.code, 1, run.stderr);
        const told = JSON.parse(run.stdout.trim().split("\n").at(-1) ?? "") as Record<string, unknown>;
        assert.deepEqual([told["images"], told["missing"]], [pictures - 1, 1]);
      } finally {
        await sandbox.stop();
      }
    });
  });
}

describe("dataset pull", () => {
  it("refuses a project that has tags and no boxes, and writes nothing", async () => {
    const sandbox = new CustomVisionSandbox({ trainingKey: secret, domainType: "Classification" });
    const { url } = await sandbox.start();
    await using folder = await tempFolder();
    const to = join(folder.path, "to");
    const account = { URL: url, TRAINING_KEY: secret, PROJECT_ID: sandboxProjectId };
    const words = ["dataset", "pull", "--from", "customvision", "--class", "person", "--to", to, "--format", "coco"];
    try {
      for (const [version, why] of [
        ["v3.3", /classifies whole images/],
        ["v1.2", /v1\.2 knows only tags/],
      ] as const) {
        const entries = Object.entries({ ...account, API_VERSION: version });
        const named = entries.map(([name, value]) => [`FRAMEPOST_CUSTOMVISION_${name}`, value] as const);
        const run = await commandLine(words, Object.fromEntries(named));
        assert.equal(run.code, 1);
        assert.match(run.stderr, why);
      }
    } finally {
      await sandbox.stop();
    }
    assert.deepEqual(await readdir(folder.path), []);
  });

  it("says which platforms there are", async () => {
    const words = ["dataset", "pull", "--from", "elsewhere", "--to", "x", "--format", "coco", "--class", "a"];
    const run = await commandLine(words, {});
    assert.equal(run.code, 2);
    assert.match(run.stderr, /no labels from "elsewhere"; there is .*iotown/);
  });
});
