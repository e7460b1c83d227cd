import type { IncomingMessage } from "node:http";
import { AgentError } from "../core/errors.ts";

/** The whole body. Fails with `CONTROL_TOO_LARGE` as soon as it is longer than `bytesMax`. */
export async function readBody(message: IncomingMessage, bytesMax: number): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  // Without an encoding set a stream of HTTP yields buffers.
  for await (const chunk of message as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > bytesMax) {
      throw new AgentError("CONTROL_TOO_LARGE", `read from the control socket: more than ${bytesMax} bytes came`, {
        disposition: "reject",
      });
    }
    chunks.push(chunk);
  }
  return Buffer.concat(chunks, bytes);
}
