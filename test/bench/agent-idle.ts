import { spawn } from "node:child_process";
import { once } from "node:events";
import { copyFile, mkdir, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { setTimeout as delay } from "node:timers/promises";
import { photosAt } from "../lib/photos.ts";
import { childrenOf, cpuSecondsOf, type SharedMemory, sharedMemoryOf } from "../lib/process-figures.ts";
import { repositoryFolder, sharedFolder } from "../lib/shared.ts";
import { tempFolder } from "../lib/temp.ts";
import { atMost, type BenchTable, rounded } from "./table.ts";

const modelName = "yolov8n-320-f32";
const boundMb = 250;
const boundPercent = 1;
const warmUpMs = 40_000;
const measuredMs = 200_000;
const memoryEveryMs = 10_000;

/** The daemon as it spends its life: a frame every ten seconds, each looked at, kept and delivered. */
export async function agentIdle(): Promise<BenchTable> {
  const title = `The daemon at one frame of 1280 x 720 in 10 s, with ${modelName}`;
  const shared = sharedFolder();
  if (shared === undefined) {
    return { title, columns: [], rows: [], verdicts: [], leftOut: ["needs the shared folder of models and photos"] };
  }
  await using folder = await tempFolder();
  // A copy, so that no other process of this machine shares its pages.
  const node = join(folder.path, "node");
  await copyFile(process.execPath, node);
  await using server = await acceptingServer();
  const config = await writeConfig(folder.path, { port: server.port, models: join(shared, "models") });
  const words = [
    join(repositoryFolder, "dist/agent/main.js"),
    "run",
    "-c",
    config,
    "--data",
    join(folder.path, "data"),
  ];
  const agent = spawn(node, words, {
    stdio: ["ignore", "ignore", "pipe"],
    env: { ...process.env, JOURNAL_STREAM: undefined },
  });
  try {
    await started(agent.stderr);
    await delay(warmUpMs);
    const pids = [agent.pid ?? 0, ...(await childrenOf(agent.pid ?? 0))];
    const { cpuPercent, memory } = await watched(pids, node);
    return {
      title,
      ...tableOf(cpuPercent, memory),
      notes,
      ...(server.taken() > 0 ? {} : { leftOut: ["no delivery"] }),
    };
  } finally {
    agent.kill("SIGTERM");
    await once(agent, "exit");
  }
}

const notes = [
  `Over ${measuredMs / 1_000} s after the first ${warmUpMs / 1_000}: the most memory of each, the mean of the processor time. The pictures lie in a folder, so that no camera program counts; the page is on and nobody looks at it.`,
  "Both processes run the same program, Node.js, whose pages are in memory once: counted once, they are divided between the two; all else counts whole for each.",
];

async function watched(pids: readonly number[], node: string) {
  const before = await Promise.all(pids.map(cpuSecondsOf));
  const startedMs = performance.now();
  const memory: SharedMemory[] = [];
  while (performance.now() < startedMs + measuredMs) {
    await delay(memoryEveryMs);
    for (const [index, pid] of pids.entries()) {
      const now = await sharedMemoryOf(pid, node);
      memory[index] = larger(memory[index] ?? now, now);
    }
  }
  const seconds = (performance.now() - startedMs) / 1_000;
  const after = await Promise.all(pids.map(cpuSecondsOf));
  const cpuPercent = after.map((spent, index) => (100 * (spent - (before[index] ?? 0))) / seconds);
  return { cpuPercent, memory };
}

function larger(a: SharedMemory, b: SharedMemory): SharedMemory {
  return {
    residentMb: Math.max(a.residentMb, b.residentMb),
    ownMb: Math.max(a.ownMb, b.ownMb),
    dividedMb: Math.max(a.dividedMb, b.dividedMb),
  };
}

function tableOf(cpuPercent: readonly number[], memory: readonly SharedMemory[]): Omit<BenchTable, "title"> {
  const both = {
    residentMb: sum(memory.map(({ residentMb }) => residentMb)),
    ownMb: sum(memory.map(({ ownMb }) => ownMb)),
    dividedMb: sum(memory.map(({ dividedMb }) => dividedMb)),
  };
  const cpu = sum(cpuPercent);
  const row = (name: string, { residentMb, ownMb, dividedMb }: SharedMemory, percent: number) => {
    const megabytes = [residentMb, ownMb, dividedMb].map((value) => rounded(value, 1));
    return [name, ...megabytes, rounded(percent, 2)];
  };
  const names = ["main process", "vision process"];
  return {
    columns: ["process", "resident MB", "of it, own", "with Node.js counted once", "% of a core"],
    rows: [
      ...memory.map((each, index) => row(names[index] ?? "another", each, cpuPercent[index] ?? 0)),
      row("together", both, cpu),
    ],
    verdicts: [
      atMost("memory together, Node.js counted once", rounded(both.dividedMb, 1), boundMb, "MB"),
      atMost("processor time together", rounded(cpu, 2), boundPercent, "% of a core"),
    ],
  };
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}

async function started(stderr: NodeJS.ReadableStream): Promise<void> {
  const said: string[] = [];
  for await (const line of createInterface({ input: stderr })) {
    said.push(line);
    if (!line.includes('"event":"started"')) continue;
    stderr.resume();
    return;
  }
  throw new Error(`the daemon did not start:\n${said.slice(-5).join("\n")}`);
}

async function acceptingServer() {
  let taken = 0;
  const server = createServer((request, response) => {
    request.resume().on("end", () => {
      taken += 1;
      response.writeHead(200, { "Content-Type": "application/json" }).end('{"errorCode":200,"errorMsg":"OK"}');
    });
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    port: (server.address() as AddressInfo).port,
    taken: () => taken,
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections();
      await new Promise((closed) => server.close(closed));
    },
  };
}

async function writeConfig(
  folder: string,
  { port, models }: { readonly port: number; readonly models: string },
): Promise<string> {
  const pictures = join(folder, "pictures");
  await mkdir(pictures);
  for (const [index, jpeg] of (await photosAt(1_280, 720)).entries()) {
    await writeFile(join(pictures, `${index}.jpg`), jpeg);
  }
  const config = join(folder, "framepost.yaml");
  await writeFile(
    config,
    JSON.stringify({
      cameras: [{ id: "yard", driver: "folder", mode: "loop", interval: "10s", path: pictures }],
      detector: { model: join(models, `${modelName}.onnx`) },
      targets: [{ id: "iotown", kind: "iotown", url: `http://127.0.0.1:${port}`, token: "bench-token" }],
      web: { listen: "127.0.0.1:0" },
    }),
  );
  return config;
}
