import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { motionDefaults } from "../../src/core/vision-limits.ts";
import { resolveModel } from "../../src/vision/model.ts";
import { photosAt } from "../lib/photos.ts";
import { memoryOf, type ProcessMemory } from "../lib/process-memory.ts";
import { sharedFolder } from "../lib/shared.ts";
import { never, visionProcess } from "../lib/vision.ts";
import { atMost, rounded, type BenchTable } from "./table.ts";

const width = 1_280;
const height = 720;
const FRAMES = 400;
const BOUND_MB = 140;
const modelName = "yolov8n-320-f32";

/** What the vision process takes as the daemon uses it: frames of one camera, with the gate, and now and then a thumbnail. */
export async function visionMemory(): Promise<BenchTable> {
  const title = `Memory of the vision process, ${modelName}, ${width} x ${height} (MB)`;
  const shared = sharedFolder();
  if (shared === undefined) {
    return { title, columns: [], rows: [], verdicts: [], leftOut: ["needs the shared folder of models and photos"] };
  }
  const frames = await photosAt(width, height);
  const rows: (string | number)[][] = [];
  await using vision = visionProcess({ model: undefined, threads: 1 });
  await vision.start(never);
  await delay(500);
  rows.push(["started, nothing loaded", ...columnsOf(await memoryOf(vision.health().pid ?? 0))]);
  await vision.stop();
  const model = await resolveModel(join(shared, "models", `${modelName}.onnx`), { modelsFolders: [] });
  await using detecting = visionProcess({ model, threads: 1 });
  await detecting.start(never);
  const pid = detecting.health().pid ?? 0;
  rows.push(["model loaded", ...columnsOf(await memoryOf(pid))]);
  for (let index = 0; index < FRAMES; index += 1) {
    const frame = frames[index % frames.length] ?? Buffer.alloc(0);
    const options = {
      exact: false,
      cameraId: "one",
      monotonicMs: index,
      gate: motionDefaults,
      force: true,
      measure: true,
    };
    await detecting.watch(frame, options, never);
    if (index % 10 === 0) await detecting.thumbnail(frame, { sideMax: 320, quality: 70 }, never);
    if (index === 0 || index === 99) rows.push([`after ${index + 1} frames`, ...columnsOf(await memoryOf(pid))]);
  }
  const steady = await memoryOf(pid);
  rows.push([`after ${FRAMES} frames`, ...columnsOf(steady)]);
  return {
    title,
    columns: ["when", "resident", "of it, own", "of it, files (shared with other Node processes)", "peak so far"],
    rows,
    verdicts: [
      atMost("resident with its model", rounded(steady.residentMb, 1), BOUND_MB, "MB"),
      atMost("peak", rounded(steady.peakMb, 1), BOUND_MB, "MB"),
    ],
  };
}

function columnsOf({ residentMb, ownMb, filesMb, peakMb }: ProcessMemory): readonly number[] {
  return [residentMb, ownMb, filesMb, peakMb].map((value) => rounded(value, 1));
}
