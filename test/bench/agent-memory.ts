import { spawn } from "node:child_process";
import { mkdir, readdir, readFile, writeFile } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import sharp from "sharp";
import { tempFolder } from "../lib/temp.ts";
import { type BenchTable, rounded } from "./table.ts";

const program = resolve(dirname(fileURLToPath(import.meta.url)), "../../agent/main.js");
const boundMb = 20;
const steps = [50, 125, 250, 375, 500];

/** The daemon keeps 500 records of about 200 KB, ten in a second, while both its targets refuse connections. */
export async function agentMemory(): Promise<BenchTable> {
  await using folder = await tempFolder();
  const pictures = join(folder.path, "pictures");
  const data = join(folder.path, "data");
  const config = join(folder.path, "framepost.yaml");
  await mkdir(pictures);
  const bytes = await writePictures(pictures);
  await writeFile(config, configText(pictures));
  const agent = spawn(process.execPath, [program, "run", "-c", config, "--data", data], { stdio: "ignore" });
  const rows: (string | number)[][] = [];
  try {
    for (const records of steps) {
      await until(async () => (await envelopes(data)) >= records);
      rows.push([records, rounded(await rssMb(agent.pid ?? 0), 1)]);
    }
  } finally {
    agent.kill("SIGTERM");
    await new Promise((ended) => agent.once("exit", ended));
  }
  const growthMb = Number(rows.at(-1)?.[1]) - Number(rows[0]?.[1]);
  return {
    title: `Memory of the main process while records of ${Math.round(bytes / 1024)} KB wait for targets that are away`,
    columns: ["records waiting", "resident MB"],
    rows,
    verdicts: [
      {
        name: "growth from 50 to 500 records, MB",
        value: rounded(growthMb, 1),
        bound: `≤ ${boundMb}`,
        holds: growthMb <= boundMb,
      },
    ],
  };
}

/** Noise, so that the bytes are real and every picture differs. */
async function writePictures(folder: string): Promise<number> {
  let bytes = 0;
  for (let index = 0; index < 8; index += 1) {
    const noise = { type: "gaussian" as const, mean: 128, sigma: 15 };
    const jpeg = await sharp({ create: { width: 1280, height: 720, channels: 3, background: "#888888", noise } })
      .jpeg({ quality: 80 })
      .toBuffer();
    bytes += jpeg.length / 8;
    await writeFile(join(folder, `${index}.jpg`), jpeg);
  }
  return bytes;
}

/** Ports 1 and 2 of the loopback address refuse connections. */
function configText(pictures: string): string {
  return `
cameras:
  - id: loop
    driver: folder
    mode: loop
    interval: 100ms
    path: ${pictures}
    keep: { negativesEvery: 1 }
detector: { model: tiny-end-to-end }
targets:
  - { id: iotown, kind: iotown, url: "http://127.0.0.1:1", token: bench-token, includeEmpty: true }
  - { id: mqtt, kind: mqtt, url: "mqtt://127.0.0.1:2", includeEmpty: true }
`;
}

async function envelopes(data: string): Promise<number> {
  const names = await readdir(join(data, "spool/data"), { recursive: true }).catch(() => []);
  return names.filter((name) => name.endsWith(".jpg")).length;
}

async function rssMb(pid: number): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, "utf8");
  return Number(/VmRSS:\s+(\d+) kB/.exec(status)?.[1] ?? 0) / 1024;
}

async function until(holds: () => Promise<boolean>): Promise<void> {
  const deadlineMs = performance.now() + 120_000;
  while (!(await holds())) {
    if (performance.now() > deadlineMs) throw new Error("the daemon keeps no records");
    await delay(20);
  }
}
