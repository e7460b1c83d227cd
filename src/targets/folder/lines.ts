import { createReadStream } from "node:fs";

/** A line of ours has at most a hundred detections; one longer than this is damage and is passed over. */
const lineBytesMax = 1024 * 1024;

/**
 * The lines of a file, one after another, in bounded memory. What stands behind the last line end is a line that was
 * being written, and is left out. An overlong line comes as an empty one, so that line numbers stay true.
 */
export async function* linesOf(path: string, signal: AbortSignal): AsyncGenerator<string> {
  let rest: Buffer = Buffer.alloc(0);
  let overlong = false;
  for await (const chunk of createReadStream(path, { highWaterMark: 256 * 1024, signal })) {
    let bytes = Buffer.concat([rest, chunk as Buffer]);
    for (let end = bytes.indexOf(0x0a); end !== -1; end = bytes.indexOf(0x0a)) {
      yield overlong ? "" : bytes.toString("utf8", 0, end);
      overlong = false;
      bytes = bytes.subarray(end + 1);
    }
    overlong ||= bytes.length > lineBytesMax;
    rest = overlong ? Buffer.alloc(0) : bytes;
  }
}
