import { join } from "node:path";
import { motionDefaults } from "../../src/core/vision-limits.ts";
import { resolveModel, type ModelSpec } from "../../src/vision/model.ts";
import { median, rounded, type BenchTable } from "../bench/table.ts";
import { fuzzPhotos } from "../lib/fuzz-photos.ts";
import { photosAt } from "../lib/photos.ts";
import { memoryOf } from "../lib/process-memory.ts";
import { sharedFolder } from "../lib/shared.ts";
import { never, tinyModel, visionProcess } from "../lib/vision.ts";

const detections = Number(process.env["FRAMEPOST_SLOPE_DETECTIONS"] ?? 50_000);
const modelName = process.env["FRAMEPOST_SLOPE_MODEL"];
const SAMPLES = 200;
const QUARTERS = 4;
/** Of the last quarter's median over the second's: what the first holds is warm-up. */
const GROWTH_MB_MAX = 2;

/**
 * `npm run test:endurance -- vision-slope`: the resident set of the vision process over 50,000 detections.
 * FRAMEPOST_SLOPE_MODEL names a file of the shared folder, on frames of 1280 x 720; without it the tiny model sees small ones.
 */
export async function visionSlope(): Promise<BenchTable> {
  const shared = sharedFolder();
  const isReal = shared !== undefined && modelName !== undefined;
  const model = isReal ? await resolved(join(shared, "models", `${modelName}.onnx`)) : await tinyModel();
  const frames = isReal ? await photosAt(1_280, 720) : await fuzzPhotos();
  await using vision = visionProcess({ model, threads: 1 });
  await vision.start(never);
  const { pid = 0 } = vision.health();
  const samples: number[] = [];
  for (let index = 0; index < detections; index += 1) {
    const options = {
      exact: false,
      cameraId: "one",
      monotonicMs: index,
      gate: motionDefaults,
      force: true,
      measure: true,
    };
    await vision.watch(frames[index % frames.length] ?? Buffer.alloc(0), options, never);
    if ((index + 1) % Math.floor(detections / SAMPLES) === 0) samples.push((await memoryOf(pid)).residentMb);
  }
  const quarter = samples.length / QUARTERS;
  const medians = Array.from({ length: QUARTERS }, (_, at) =>
    rounded(median(samples.slice(at * quarter, (at + 1) * quarter)), 1),
  );
  const growth = rounded((medians.at(-1) ?? 0) - (medians[1] ?? 0), 1);
  return {
    title: `Vision process: resident memory over ${detections} detections, ${model.name}`,
    columns: ["quarter", "median resident MB"],
    rows: medians.map((resident, at) => [at + 1, resident]),
    verdicts: [
      {
        name: "growth from the second to the last quarter, MB",
        value: growth,
        bound: `≤ ${GROWTH_MB_MAX}`,
        holds: growth <= GROWTH_MB_MAX,
      },
      {
        name: "processes replaced",
        value: vision.health().restarts,
        bound: "0",
        holds: vision.health().restarts === 0,
      },
    ],
  };
}

async function resolved(file: string): Promise<ModelSpec> {
  return resolveModel(file, { modelsFolders: [] });
}
