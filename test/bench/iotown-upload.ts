import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import net from "node:net";
import { fileURLToPath } from "node:url";
import axios from "axios";
import { iotownConfig } from "../../src/targets/iotown/config.ts";
import { iotownImageBody, iotownLabels } from "../../src/targets/iotown/encode.ts";
import { IotownTarget } from "../../src/targets/iotown/target.ts";
import { sampleDelivery, sampleJpeg } from "../lib/records.ts";
import { median } from "./payload.ts";
import { rounded, type BenchTable } from "./table.ts";

/** Many short rounds: what else the machine does then falls on all ways alike. */
const rounds = 40;
const uploadsPerRound = 12;
const warmUpRounds = 8;
const sizeBytes = 200_000;
const token = "bench-token";

interface Way {
  readonly name: string;
  upload(): Promise<void>;
  close(): void | Promise<void>;
}

/**
 * One upload after the other to a server in another process: the product's own path, from record to outcome, against a
 * raw socket that writes ready-made bytes (the floor) and against what one would write first with axios.
 */
export async function iotownUpload(): Promise<BenchTable> {
  const script = fileURLToPath(new URL("discard-server.js", import.meta.url));
  const server = spawn(process.execPath, [script], { stdio: ["pipe", "pipe", "inherit"] });
  const [line] = (await once(server.stdout, "data")) as [Buffer];
  const port = Number(line.toString());
  const url = `http://127.0.0.1:${port}`;
  const ways = [await rawSocket(port), product(url), axiosObject(url)];
  const rates: number[][] = ways.map(() => []);
  const cpus: number[][] = ways.map(() => []);
  try {
    for (let round = -warmUpRounds; round < rounds; round += 1) {
      for (const [at, way] of ways.entries()) {
        const { rate, cpuMs } = await timed(way);
        if (round < 0) continue;
        rates[at]?.push(rate);
        cpus[at]?.push(cpuMs);
      }
    }
  } finally {
    for (const way of ways) await way.close();
    server.stdin.end();
    await once(server, "exit");
  }
  const [rawRate = 0, productRate = 0, axiosRate = 0] = rates.map(median);
  return {
    title: "Upload of a 200 KB JPEG to IoT.own, one connection, server in another process",
    columns: ["way", "uploads/s", "CPU ms each", "of the raw socket"],
    rows: ways.map(({ name }, at) => [
      name,
      Math.round(median(rates[at] ?? [])),
      rounded(median(cpus[at] ?? []), 2),
      rounded(median(rates[at] ?? []) / rawRate, 2),
    ]),
    verdicts: [
      verdict("upload against a raw socket with ready bytes", productRate / rawRate, 0.3),
      verdict("upload against the plain axios object call", productRate / axiosRate, 1.7),
    ],
  };
}

function verdict(name: string, value: number, least: number): BenchTable["verdicts"][number] {
  return { name, value: rounded(value, 2), bound: `≥ ${least}`, holds: value >= least };
}

async function timed(way: Way): Promise<{ rate: number; cpuMs: number }> {
  const cpuBefore = process.cpuUsage();
  const startedMs = performance.now();
  for (let upload = 0; upload < uploadsPerRound; upload += 1) await way.upload();
  const seconds = (performance.now() - startedMs) / 1_000;
  const { user, system } = process.cpuUsage(cpuBefore);
  return { rate: uploadsPerRound / seconds, cpuMs: (user + system) / 1_000 / uploadsPerRound };
}

const jpeg = sampleJpeg(1, sizeBytes);
const delivery = sampleDelivery(1, jpeg);
const labels = iotownLabels(delivery.record, { boxOrigin: "center", minScore: 0 });

function product(url: string): Way {
  const target = new IotownTarget(iotownConfig.parse({ id: "bench", kind: "iotown", url, token }));
  const signal = new AbortController().signal;
  return {
    name: "Framepost: record to outcome",
    async upload() {
      const outcomes = await target.deliver([delivery], signal);
      assert.equal(outcomes.get(delivery.record.id)?.kind, "accepted");
    },
    close: () => target.close(),
  };
}

/** Its plain defaults, which on Node are the global agent, and that keeps its connection as the product's own does. */
function axiosObject(url: string): Way {
  return {
    name: "axios.post(url, object), connection kept",
    async upload() {
      const body = { image: jpeg.toString("base64"), type: "jpg", labels };
      const answer = await axios.post(`${url}/api/v1.0/nn/image`, body, { headers: { Token: token } });
      assert.equal(answer.status, 200);
    },
    close: () => undefined,
  };
}

async function rawSocket(port: number): Promise<Way> {
  const body = iotownImageBody(jpeg, labels);
  const head = [
    "POST /api/v1.0/nn/image HTTP/1.1",
    "Host: 127.0.0.1",
    "Content-Type: application/json",
    `Token: ${token}`,
    `Content-Length: ${body.length}`,
  ].join("\r\n");
  const bytes = Buffer.concat([Buffer.from(`${head}\r\n\r\n`), body]);
  const socket = net.connect(port, "127.0.0.1");
  socket.setNoDelay(true);
  await once(socket, "connect");
  return {
    name: "raw socket, ready bytes",
    async upload() {
      const answered = once(socket, "data");
      socket.write(bytes);
      const [chunk] = (await answered) as [Buffer];
      assert.ok(chunk.toString("latin1").startsWith("HTTP/1.1 200"));
    },
    close: () => void socket.destroy(),
  };
}
