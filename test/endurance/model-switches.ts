import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { scene } from "../../src/capture/simulated/scene.ts";
import { SystemClock } from "../../src/core/clock.ts";
import { VisionSwitch } from "../../src/vision/switch.ts";
import type { BenchTable } from "../bench/table.ts";
import { ownChildren, ownDescriptors } from "../lib/own-processes.ts";
import { RecordingLogger } from "../lib/seams.ts";
import { releaseFiles, takeoverOf } from "../lib/takeover-bench.ts";
import { tempFolder } from "../lib/temp.ts";
import { never, tinyModel } from "../lib/vision.ts";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";

const switches = Number(process.env["FRAMEPOST_MODEL_SWITCHES"] ?? 50);
const warmUp = 10;

interface Sample {
  readonly heapBytes: number;
  readonly rssBytes: number;
  readonly childRssBytes: number;
  readonly descriptors: number;
  readonly children: number;
}

/**
 * `npm run test:endurance -- model-switches`: two models of different families take turns, each loaded and proven in a
 * second process, while pictures are detected all the time.
 */
export async function modelSwitches(): Promise<BenchTable> {
  await using folder = await tempFolder();
  const seams = { clock: new SystemClock(), random: Math.random, log: new RecordingLogger() };
  const vision = new VisionSwitch({ model: await tinyModel(), threads: 1 }, seams);
  await vision.start(never);
  const { svg } = scene({ seed: 2, index: 1, width: 640, height: 360 });
  const { jpeg } = await vision.render(svg, { quality: 90 }, never);
  const { store, takeover } = takeoverOf({ folder: folder.path, vision, seams });
  for (const tiny of ["tiny-yolo8", "tiny-ssd"]) {
    const staged = await store.stage({ name: tiny, version: "1" });
    for (const [path, bytes] of Object.entries(await releaseFiles(tiny, jpeg))) {
      await writeFile(join(staged.folder, path), bytes);
    }
    await store.install(staged);
  }
  await takeover.guard();
  takeover.start();
  const flow = detecting(vision, jpeg);
  const samples: Sample[] = [];
  for (let count = 0; count < switches; count += 1) {
    await takeover.use(count % 2 === 0 ? "tiny-yolo8" : "tiny-ssd");
    seams.log.lines.length = 0;
    samples.push(await sample(vision));
  }
  const looks = await flow.end();
  await takeover.stop();
  await vision.stop();
  return table(samples, looks, (await ownChildren()).length);
}

/** One picture after the other, as a pipeline does it. */
function detecting(vision: VisionSwitch, jpeg: Buffer) {
  const looks = { seen: 0, failed: 0 };
  let isOver = false;
  const running = (async () => {
    while (!isOver) {
      await vision.detect(jpeg, { exact: false }, never).then(
        () => (looks.seen += 1),
        () => (looks.failed += 1),
      );
      await new SystemClock().sleep(20, never);
    }
  })();
  return {
    async end() {
      isOver = true;
      await running;
      return looks;
    },
  };
}

async function sample(vision: VisionSwitch): Promise<Sample> {
  collectGarbage();
  const { heapUsed, rss } = process.memoryUsage();
  return {
    heapBytes: heapUsed,
    rssBytes: rss,
    childRssBytes: vision.health().rssPeakBytes,
    descriptors: await ownDescriptors(),
    children: (await ownChildren()).length,
  };
}

let collect: (() => void) | undefined;

/** After two collections: what the first one finalises, the second one frees. */
function collectGarbage(): void {
  setFlagsFromString("--expose-gc");
  // Once: each new context is a megabyte of its own.
  collect ??= runInNewContext("gc") as () => void;
  collect();
  collect();
}

function table(
  samples: readonly Sample[],
  looks: { readonly seen: number; readonly failed: number },
  left: number,
): BenchTable {
  const early = samples.slice(warmUp, 2 * warmUp);
  const late = samples.slice(-warmUp);
  const median = (list: readonly Sample[], key: keyof Sample) =>
    list.map((one) => one[key]).toSorted((a, b) => a - b)[Math.floor(list.length / 2)] ?? NaN;
  const keys = ["heapBytes", "rssBytes", "childRssBytes", "descriptors", "children"] as const;
  const names = {
    heapBytes: "heap of the main process, MB",
    rssBytes: "memory of the main process, MB",
    childRssBytes: "memory of the vision process in use (peak), MB",
    descriptors: "open descriptors",
    children: "child processes",
  } as const;
  const shown = (key: keyof Sample, value: number) =>
    key.endsWith("Bytes") ? Number((value / 1_048_576).toFixed(1)) : value;
  const growth = (key: keyof Sample) => median(late, key) - median(early, key);
  const verdict = (key: keyof Sample, bound: number, text: string) => ({
    name: `growth: ${names[key]}`,
    value: shown(key, growth(key)),
    bound: text,
    holds: growth(key) <= bound,
  });
  return {
    title: `Models: ${samples.length} switches while pictures are detected`,
    columns: ["what", `switches ${warmUp + 1} to ${2 * warmUp}`, `last ${warmUp}`],
    rows: [
      ...keys.map((key) => [names[key], shown(key, median(early, key)), shown(key, median(late, key))] as const),
      ["pictures detected", "", looks.seen],
      ["pictures that failed", "", looks.failed],
    ],
    verdicts: [
      verdict("heapBytes", 3 * 1_048_576, "≤ 3 MB"),
      verdict("rssBytes", 15 * 1_048_576, "≤ 15 MB"),
      verdict("childRssBytes", 10 * 1_048_576, "≤ 10 MB"),
      verdict("descriptors", 0, "0"),
      verdict("children", 0, "0"),
      { name: "pictures that failed", value: looks.failed, bound: "0", holds: looks.failed === 0 },
      { name: "processes left at the end", value: left, bound: "0", holds: left === 0 },
    ],
  };
}
