import { AgentError } from "../core/errors.ts";
import { httpStatusError } from "../link/http-status.ts";
import type { StreamedAnswer } from "../link/http-stream.ts";

/** What an answer to a GET, perhaps of a range, means for the bytes that are there. */
export type AnswerReading =
  /** Its body goes on behind them, or begins the file. */
  | {
      readonly kind: "rest" | "whole";
      readonly validator: string | undefined;
      readonly totalBytes: number | undefined;
    }
  /** There is nothing behind them. */
  | { readonly kind: "complete" }
  /** They are of no use: the file is another one now. */
  | { readonly kind: "again"; readonly why: string };

interface Begun {
  readonly bytes: number;
  readonly totalBytes: number | undefined;
  readonly validator: string | undefined;
}

interface Expected {
  readonly sha256?: string;
  readonly bytes?: number;
  readonly bytesMax: number;
}

/** Fails with `HTTP_…`, and with `MODEL_CHECKSUM`, `MODEL_TOO_LARGE` or `MODEL_NO_LENGTH` before a byte has come. */
export function readAnswer(answer: StreamedAnswer, begun: Begun, expected: Expected): AnswerReading {
  const { status, headers, attempted } = answer;
  if (status === 416 && begun.bytes > 0) {
    const totalBytes = totalIn(headers["content-range"]);
    if (totalBytes === begun.bytes) return { kind: "complete" };
    return { kind: "again", why: "the file is another one than the one begun" };
  }
  if (status !== 200 && status !== 206) {
    throw httpStatusError({ status, headers, body: Buffer.alloc(0) }, { attempted });
  }
  if ((headers["content-encoding"] ?? "identity") !== "identity") {
    throw refused("MODEL_CHECKSUM", `${attempted}: the server sends it compressed, which was not asked for`);
  }
  const validator = validatorIn(headers);
  if (status === 206) {
    const [, start = "", total = ""] = /^bytes (\d+)-\d+\/(\d+)$/.exec(headers["content-range"] ?? "") ?? [];
    const goesOn = begun.bytes > 0 && Number(start) === begun.bytes && start !== "";
    const isSame = begun.totalBytes === undefined || begun.totalBytes === Number(total);
    // Some servers give a part of whatever lies there now, whatever If-Range says; a checksum would tell at the end.
    const isOther = expected.sha256 === undefined && contradict(begun.validator, validator);
    if (!goesOn || !isSame || isOther) return { kind: "again", why: "it answers with another part than was asked for" };
    mustFit(attempted, Number(total), expected);
    return { kind: "rest", validator, totalBytes: Number(total) };
  }
  const totalBytes = lengthIn(headers);
  const isChunked = headers["transfer-encoding"]?.includes("chunked") === true;
  if (totalBytes !== undefined) mustFit(attempted, totalBytes, expected);
  else if (!isChunked && expected.sha256 === undefined) {
    // Where the end of the connection is the end of the file, a cut looks like one.
    throw refused("MODEL_NO_LENGTH", `${attempted}: the server does not say how long the file is`);
  }
  return { kind: "whole", validator, totalBytes };
}

/** What If-Range takes: a weak ETag does not vouch for bytes. */
function validatorIn(headers: StreamedAnswer["headers"]): string | undefined {
  const { etag, "last-modified": lastModified } = headers;
  return etag?.startsWith('"') === true ? etag : lastModified;
}

/** An ETag says nothing of a date. */
function contradict(one: string | undefined, other: string | undefined): boolean {
  return one !== undefined && other !== undefined && one !== other && one.startsWith('"') === other.startsWith('"');
}

function lengthIn(headers: StreamedAnswer["headers"]): number | undefined {
  const length = headers["content-length"];
  return length !== undefined && /^\d{1,15}$/.test(length) ? Number(length) : undefined;
}

function totalIn(contentRange: string | undefined): number | undefined {
  const [, total] = /^bytes \*\/(\d{1,15})$/.exec(contentRange ?? "") ?? [];
  return total === undefined ? undefined : Number(total);
}

function mustFit(attempted: string, totalBytes: number, { bytes, bytesMax }: Expected): void {
  if (bytes !== undefined && totalBytes !== bytes) {
    throw refused("MODEL_CHECKSUM", `${attempted}: the file has ${totalBytes} bytes, ${bytes} were expected`);
  }
  if (totalBytes > bytesMax) {
    throw refused("MODEL_TOO_LARGE", `${attempted}: the file has ${totalBytes} bytes, ${bytesMax} are the most`);
  }
}

function refused(code: string, message: string): AgentError {
  return new AgentError(code, message, { disposition: "reject" });
}
