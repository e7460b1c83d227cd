import { Socket } from "node:net";
import { asAgentError } from "../../core/errors.ts";
import { Channel, type Message } from "../channel.ts";
import { readRequest, sentError } from "../protocol.ts";
import { VisionService } from "./service.ts";

/**
 * The vision process: takes tasks from descriptor 3, one at a time, in order. It holds nothing worth saving, so it ends
 * at once when the channel closes, which is also how it learns that the main process has died.
 */

const CHANNEL_DESCRIPTOR = 3;

const service = new VisionService();
let last: Promise<void> = Promise.resolve();

const channel = new Channel(
  new Socket({ fd: CHANNEL_DESCRIPTOR }),
  (message) => {
    last = last.then(async () => answer(message));
  },
  () => process.exit(0),
);

async function answer({ header, body }: Message): Promise<void> {
  const startedMs = performance.now();
  const request = readRequest(header);
  if (request === undefined) return;
  const finish = () => ({
    id: request.id,
    // The kernel counts it in kilobytes.
    rssPeakBytes: process.resourceUsage().maxRSS * 1_024,
    insideMs: performance.now() - startedMs,
  });
  try {
    const { result, image } = await service.perform(request.task, body);
    channel.send({ ...finish(), result }, image);
  } catch (error) {
    channel.send({ ...finish(), error: sentError(asAgentError(error, request.task.kind)) });
  }
}

// A Ctrl-C reaches the whole terminal group: when this process ends is the main process's decision.
process.on("SIGINT", () => undefined);
process.on("SIGTERM", () => process.exit(0));
channel.listen();
