import type { IncomingMessage } from "node:http";
import { webLimits } from "../core/web-limits.ts";

/** Undefined when it is larger than a body may be. Fails when the other side goes away, or takes too long. */
export async function readBody(request: IncomingMessage): Promise<Buffer | undefined> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > webLimits.bodyBytesMax) return undefined;
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}
