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
  const request = readRequest(header);
  if (request === undefined) return;
  const { id, task } = request;
  // The kernel counts it in kilobytes.
  const rssPeakBytes = () => process.resourceUsage().maxRSS * 1_024;
  try {
    const { result, image } = await service.perform(task, body);
    channel.send({ id, rssPeakBytes: rssPeakBytes(), result }, image);
  } catch (error) {
    channel.send({ id, rssPeakBytes: rssPeakBytes(), error: sentError(asAgentError(error, task.kind)) });
  }
}

// A Ctrl-C reaches the whole terminal group: when this process ends is the main process's decision.
process.on("SIGINT", () => undefined);
process.on("SIGTERM", () => process.exit(0));
channel.listen();
