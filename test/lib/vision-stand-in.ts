import { readFileSync, writeFileSync } from "node:fs";
import { Socket } from "node:net";
import { Channel } from "../../src/vision/channel.ts";
import { readRequest } from "../../src/vision/protocol.ts";

/**
 * In place of the vision process: it does what the name of its model says, to show what becomes of a process whose native
 * code fails, hangs or leaks. `<behaviour>-until-<n>` does it in the first n lives only; they are counted in the model's file.
 */

const LEAK_BYTES = 20_000_000;
const leaked: Buffer[] = [];

const channel: Channel = new Channel(
  new Socket({ fd: 3 }),
  ({ header }) => {
    const request = readRequest(header);
    if (request === undefined) return;
    const { id, task } = request;
    if (task.kind === "load") misbehave(task.model.name, task.model.file);
    if (task.kind === "detect" && leaks) leaked.push(Buffer.alloc(LEAK_BYTES, 1));
    const rssBytes = process.memoryUsage.rss();
    channel.send({ id, rssBytes, rssPeakBytes: rssBytes, result: resultOf(task.kind) });
  },
  () => process.exit(0),
);
let leaks = false;
process.on("SIGTERM", () => process.exit(0));
channel.listen();

function misbehave(name: string, file: string): void {
  const [, behaviour = name, lives] = /^(.*)-until-(\d+)$/.exec(name) ?? [];
  if (lives !== undefined) {
    const lived = Number(readFileSync(file, "utf8")) + 1;
    writeFileSync(file, String(lived));
    if (lived > Number(lives)) return;
  }
  if (behaviour === "leak") leaks = true;
  else if (behaviour === "hang") hang();
  else if (behaviour === "abort") process.abort();
  else if (behaviour.startsWith("SIG")) {
    process.kill(process.pid, behaviour);
    // Until the signal arrives.
    hang();
  }
}

/** The thread never comes back, and costs nothing meanwhile. */
function hang(): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);
}

function resultOf(kind: string): object {
  const size = { width: 64, height: 48 };
  if (kind === "load") return { name: "stand-in", labels: [], inputWidth: 64, inputHeight: 48 };
  if (kind === "detect") return { ...size, detections: [], timings: { decodeMs: 0, fillMs: 0, runMs: 0, postMs: 0 } };
  return size;
}
