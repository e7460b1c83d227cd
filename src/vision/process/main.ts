import "./signals.ts";
import { writeFileSync } from "node:fs";
import { Socket, type OnReadOpts, type SocketConstructorOpts } from "node:net";
import { KeptBuffers } from "../../core/kept-buffers.ts";
import { visionLimits } from "../../core/vision-limits.ts";
import { asAgentError } from "../../core/errors.ts";
import { Channel, type Message } from "../channel.ts";
import { readRequest, sentError, type Reply } from "../protocol.ts";
import { VisionService } from "./service.ts";

/**
 * The vision process: takes tasks from descriptor 3, one at a time, in order. It holds nothing worth saving, so it ends
 * at once when the channel closes, which is also how it learns that the main process has died.
 */

const CHANNEL_DESCRIPTOR = 3;

const service = new VisionService();
let last: Promise<void> = Promise.resolve();
let answered = 0;
let memoryAskedMs = -Infinity;
let memoryKnown = { rssBytes: 0, rssPeakBytes: 0 };

/**
 * Frames are read into one buffer and put together in another, both used again: memory fresh from the system for every
 * frame costs a third of what crossing the process boundary takes (`npm run bench -- vision-boundary`).
 */
const bodies = new KeptBuffers(1, visionLimits.keptFrameBytesMax);
const options: SocketConstructorOpts & { readonly onread: OnReadOpts } = {
  fd: CHANNEL_DESCRIPTOR,
  onread: {
    buffer: Buffer.allocUnsafeSlow(visionLimits.readBytes),
    callback: (sizeBytes, buffer) => {
      channel.take(Buffer.from(buffer.buffer, buffer.byteOffset, sizeBytes));
      return true;
    },
  },
};

const channel: Channel = new Channel(
  new Socket(options),
  (message) => {
    last = last.then(async () => answer(message));
  },
  () => process.exit(0),
  (sizeBytes) => bodies.take(sizeBytes),
);

async function answer({ header, body }: Message): Promise<void> {
  const request = readRequest(header);
  if (request === undefined) return;
  const { id, task } = request;
  try {
    const { result, image } = await service.perform(task, body);
    channel.send({ id, ...memory(), result }, image);
  } catch (error) {
    channel.send({ id, ...memory(), error: sentError(asAgentError(error, task.kind)) });
  } finally {
    // The task is over, so nothing reads its picture any more.
    if (body.length > 0) bodies.giveBack(body);
    answered += 1;
    // After the answer, so that nobody waits for it: a quarter of a millisecond that keeps 10 MB from piling up.
    if (answered % visionLimits.collectAllEvery === 0) globalThis.gc?.();
    else if (answered % visionLimits.collectEvery === 0) globalThis.gc?.({ type: "minor" });
  }
}

/** Asking takes as long as a hundredth of a fast model's run, so it is not asked for every frame. */
function memory(): Pick<Reply, "rssBytes" | "rssPeakBytes"> {
  const nowMs = performance.now();
  if (nowMs >= memoryAskedMs + visionLimits.rssEveryMs) {
    memoryAskedMs = nowMs;
    // The kernel counts the peak in kilobytes.
    memoryKnown = { rssBytes: process.memoryUsage.rss(), rssPeakBytes: process.resourceUsage().maxRSS * 1_024 };
  }
  return memoryKnown;
}

/** Where memory runs out, the kernel ends this process, which comes back, before the agent, which must not go. */
function offerToTheKernel(): void {
  try {
    writeFileSync("/proc/self/oom_score_adj", String(visionLimits.oomScoreAdjustment));
  } catch {
    // Another system, or a container that does not allow it.
  }
}

offerToTheKernel();
channel.listen();
