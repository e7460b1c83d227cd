import { spawnSync } from "node:child_process";
import { mkdir, writeFile } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { NotifiedAgent, python } from "../lib/notified-agent.ts";
import { photosAt } from "../lib/photos.ts";
import { sharedFolder } from "../lib/shared.ts";
import { tempFolder } from "../lib/temp.ts";
import { type BenchTable, median, rounded } from "./table.ts";

const program = resolve(dirname(fileURLToPath(import.meta.url)), "../../agent/main.js");
const rounds = 7;
const boundMs = 3_000;
const modelName = "yolov8n-320-f32";
const readyBoundMs = 2_500;

/**
 * From the start of the process until every target of the demo has accepted its first record, build excluded; and until
 * the daemon tells a service manager that it is ready, which is after its model has run.
 */
export async function agentStart(): Promise<BenchTable> {
  const bareMs: number[] = [];
  const firstMs: number[] = [];
  for (let round = 0; round < rounds; round += 1) {
    const startedMs = performance.now();
    spawnSync(process.execPath, ["-e", ""]);
    bareMs.push(performance.now() - startedMs);
    const run = spawnSync(process.execPath, [program, "demo", "--frames", "1", "--json"], { encoding: "utf8" });
    const summary: unknown = JSON.parse(run.stdout.trim().split("\n").at(-1) ?? "null");
    firstMs.push(firstAcceptedMs(summary));
  }
  const value = median(firstMs);
  const ready = await readyFigures();
  return {
    title: "From process start to the first record accepted by every target, and to READY=1",
    columns: ["what", "median ms", "worst ms"],
    rows: [
      ["bare node", rounded(median(bareMs), 0), rounded(Math.max(...bareMs), 0)],
      ["demo, first record accepted", rounded(value, 0), rounded(Math.max(...firstMs), 0)],
      ...ready.rows,
    ],
    verdicts: [
      { name: "first record accepted, ms", value: rounded(value, 0), bound: `≤ ${boundMs}`, holds: value <= boundMs },
      ...ready.verdicts,
    ],
    ...(ready.leftOut === undefined ? {} : { leftOut: ready.leftOut }),
  };
}

/** The program that listens is started first: its 50 ms count. */
async function readyFigures(): Promise<Pick<BenchTable, "rows" | "verdicts" | "leftOut">> {
  const shared = sharedFolder();
  if (shared === undefined || spawnSync(python, ["-V"]).status !== 0) {
    return { rows: [], verdicts: [], leftOut: ["READY=1 needs the shared folder of models and photos, and Python"] };
  }
  const readyMs: number[] = [];
  for (let round = 0; round < rounds; round += 1) {
    await using folder = await tempFolder();
    const config = await writeDaemonConfig(folder.path, join(shared, "models"));
    const startedMs = Date.now();
    const words = ["run", "-c", config, "--data", join(folder.path, "data")];
    await using agent = new NotifiedAgent("descriptor", { folder: folder.path, words });
    await agent.until("ready", () => agent.times("READY=1") === 1, 30_000);
    if (agent.logged("vision.ready").length !== 1) throw new Error("it was ready without its model");
    readyMs.push((agent.notices.find(({ text }) => text.includes("READY=1"))?.atMs ?? Infinity) - startedMs);
    await agent.stop();
  }
  const value = rounded(median(readyMs), 0);
  return {
    rows: [[`daemon with ${modelName}, READY=1`, value, rounded(Math.max(...readyMs), 0)]],
    verdicts: [{ name: "READY=1, ms", value, bound: `≤ ${readyBoundMs}`, holds: value <= readyBoundMs }],
  };
}

async function writeDaemonConfig(folder: string, models: string): Promise<string> {
  const pictures = join(folder, "pictures");
  await mkdir(pictures);
  const [photo = Buffer.alloc(0)] = await photosAt(1_280, 720);
  await writeFile(join(pictures, "one.jpg"), photo);
  const config = join(folder, "framepost.yaml");
  const camera = { id: "yard", driver: "folder", mode: "loop", interval: "10s", path: pictures };
  const target = { id: "iotown", kind: "iotown", url: "http://127.0.0.1:1", token: "bench-token" };
  const detector = { model: join(models, `${modelName}.onnx`) };
  const web = { listen: "127.0.0.1:0" };
  await writeFile(config, JSON.stringify({ cameras: [camera], detector, targets: [target], web }));
  return config;
}

function firstAcceptedMs(summary: unknown): number {
  if (typeof summary === "object" && summary !== null && "firstRecordAcceptedMs" in summary) {
    const { firstRecordAcceptedMs } = summary;
    if (typeof firstRecordAcceptedMs === "number") return firstRecordAcceptedMs;
  }
  throw new Error("the demo did not finish");
}
