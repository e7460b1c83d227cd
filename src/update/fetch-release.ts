import { AgentError } from "../core/errors.ts";
import { modelLimits } from "../core/model-limits.ts";
import { Deadline } from "../link/deadline.ts";
import { shownUrl } from "../link/http-errors.ts";
import type { HttpStream, StreamedAnswer } from "../link/http-stream.ts";
import { minisignKeyOf } from "../models/minisign.ts";
import { readRelease, type Release } from "../models/release.ts";

/**
 * The release file and its signature, from beside it. Fails with `RELEASE_…`, and with what a GET fails with; the file is
 * the published one or nothing.
 */
export async function fetchRelease(
  http: HttpStream,
  { url, publicKey }: { readonly url: string; readonly publicKey: string },
  signal: AbortSignal,
): Promise<Release> {
  const key = minisignKeyOf(publicKey);
  const file = await getSmall(http, url, modelLimits.textBytesMax, signal);
  const signature = await getSmall(http, signatureUrl(url), modelLimits.signatureBytesMax, signal);
  return readRelease(file, signature, { key, address: url });
}

/** Before a query, which may hold a token for both. */
function signatureUrl(url: string): string {
  const address = new URL(url);
  address.pathname += ".minisig";
  return address.href;
}

async function getSmall(http: HttpStream, url: string, bytesMax: number, signal: AbortSignal): Promise<Buffer> {
  const cut = new AbortController();
  const deadline = new Deadline(modelLimits.releaseTimeoutMs, signal, () => cut.abort());
  try {
    return await readSmall(await http.get({ url, headers: { "Cache-Control": "no-cache" } }, cut.signal), bytesMax);
  } catch (error) {
    if (!deadline.expired || signal.aborted) throw error;
    const message = `GET ${shownUrl(url)}: no whole answer within ${modelLimits.releaseTimeoutMs} ms`;
    throw new AgentError("NET_TIMEOUT", message, { disposition: "retry" });
  } finally {
    deadline.clear();
  }
}

async function readSmall(answer: StreamedAnswer, bytesMax: number): Promise<Buffer> {
  try {
    if (answer.status !== 200) {
      throw new AgentError("RELEASE_UNAVAILABLE", `${answer.attempted}: HTTP ${answer.status}`, {
        disposition: "retry",
      });
    }
    const chunks: Buffer[] = [];
    let bytes = 0;
    for await (const chunk of answer.body) {
      bytes += chunk.length;
      if (bytes > bytesMax) {
        throw new AgentError("RELEASE_TOO_LARGE", `${answer.attempted}: more than ${bytesMax} bytes came`, {
          disposition: "reject",
        });
      }
      chunks.push(chunk);
    }
    return Buffer.concat(chunks, bytes);
  } finally {
    answer.close();
  }
}
