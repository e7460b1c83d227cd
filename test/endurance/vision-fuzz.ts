import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { visionLimits } from "../../src/core/vision-limits.ts";
import type { BenchTable, Verdict } from "../bench/table.ts";
import { fuzzPictures, fuzzModels, type FuzzFigures } from "../lib/vision-fuzz.ts";
import { fuzzPhotos } from "../lib/fuzz-photos.ts";
import { sharedFolder } from "../lib/shared.ts";
import { tinyModel, tinyModelsFolder } from "../lib/vision.ts";

const rounds = Number(process.env["FRAMEPOST_FUZZ_ROUNDS"] ?? 10_000);
const timeoutMs = 10_000;
/** Small enough to be loaded in a tenth of a second; the tiny ones are taken more often. */
const realModels = ["yunet-2023mar", "yolo-fastestv2", "fastestdet"];

/** `npm run test:endurance -- vision-fuzz`: damaged model files and pictures through the real vision process. */
export async function visionFuzz(seed: number): Promise<BenchTable> {
  const photos = await fuzzPhotos();
  const [picture = Buffer.alloc(0)] = photos;
  const models = await fuzzModels({ seed, rounds, timeoutMs, sources: await modelFiles() }, picture);
  const { detectionsMax, candidatesMax } = visionLimits;
  const settings = { threads: 1, detectionsMax, candidatesMax };
  const load = { kind: "load", model: await tinyModel(), settings } as const;
  const pictures = await fuzzPictures({ seed, rounds, timeoutMs, sources: photos }, load);
  const runs = [
    ["ONNX files", models],
    ["JPEGs", pictures],
  ] as const;
  return {
    title: `Vision process: ${rounds} damaged ONNX files and as many damaged JPEGs`,
    columns: ["damaged", "answer", "times"],
    rows: runs.flatMap(([what, { codes, deaths }]) => [
      ...[...codes].toSorted().map(([code, times]) => [what, code, times]),
      [what, "processes that died", deaths],
    ]),
    verdicts: runs.flatMap(([what, figures]) => verdictsOf(what, figures)),
  };
}

function verdictsOf(what: string, { slowestMs, unclear, codes }: FuzzFigures): readonly Verdict[] {
  for (const one of unclear.slice(0, 10)) process.stderr.write(`unclear: ${one}\n`);
  const answered = [...codes.values()].reduce((sum, times) => sum + times, 0);
  return [
    { name: `${what}: answered`, value: answered, bound: `≥ ${rounds}`, holds: answered >= rounds },
    {
      name: `${what}: answers that are no clear error`,
      value: unclear.length,
      bound: "0",
      holds: unclear.length === 0,
    },
    {
      name: `${what}: slowest answer, ms`,
      value: Math.round(slowestMs),
      bound: `≤ ${timeoutMs + 1_000}`,
      holds: slowestMs <= timeoutMs + 1_000,
    },
  ];
}

async function modelFiles(): Promise<readonly Buffer[]> {
  const names = (await readdir(tinyModelsFolder)).filter((name) => name.endsWith(".onnx"));
  const tiny = await Promise.all(names.map(async (name) => readFile(join(tinyModelsFolder, name))));
  const shared = sharedFolder();
  if (shared === undefined) return tiny;
  const real = await Promise.all(realModels.map(async (name) => readFile(join(shared, "models", `${name}.onnx`))));
  return [...tiny, ...real];
}
