import type { IncomingMessage } from "node:http";

/** How the body of an answer ended. `bytes` is what came until then. */
export type Body =
  | { readonly kind: "whole"; readonly bytes: Buffer }
  | { readonly kind: "cut"; readonly bytes: Buffer; readonly error: Error }
  | { readonly kind: "oversize" };

/** Reads a body of at most `bytesMax`; fails with the signal's reason alone. */
export async function readBody(answer: IncomingMessage, bytesMax: number, signal: AbortSignal): Promise<Body> {
  if (Number(answer.headers["content-length"]) > bytesMax) {
    answer.destroy();
    return { kind: "oversize" };
  }
  const chunks: Buffer[] = [];
  let sizeBytes = 0;
  const onAbort = () => answer.destroy(signal.reason instanceof Error ? signal.reason : undefined);
  signal.addEventListener("abort", onAbort, { once: true });
  if (signal.aborted) onAbort();
  try {
    signal.throwIfAborted();
    // Leaving the loop early destroys the answer, and its connection with it.
    for await (const chunk of answer as AsyncIterable<Buffer>) {
      sizeBytes += chunk.length;
      if (sizeBytes > bytesMax) return { kind: "oversize" };
      chunks.push(chunk);
    }
    return { kind: "whole", bytes: Buffer.concat(chunks, sizeBytes) };
  } catch (error) {
    signal.throwIfAborted();
    return { kind: "cut", bytes: Buffer.concat(chunks, sizeBytes), error: error as Error };
  } finally {
    signal.removeEventListener("abort", onAbort);
  }
}

/** Reads a short body to its end, so that the connection can be used again; gives up the connection of a long one. */
export async function drain(answer: IncomingMessage, bytesMax: number, signal: AbortSignal): Promise<void> {
  await readBody(answer, bytesMax, signal);
}
