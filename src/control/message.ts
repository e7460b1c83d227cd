import { AgentError, type Disposition } from "../core/errors.ts";
import { malformed, objectOf, textOf } from "./parse.ts";

/**
 * How a running daemon and a command talk: HTTP on a Unix socket, `POST /queue/<method>`. Every body, there and back, is
 * one line of JSON, and after it the bytes of an image or an envelope where the method carries one. An answer that is
 * not 200 holds an error: code, message, disposition.
 */
export interface Message {
  readonly value: unknown;
  readonly bytes?: Buffer;
}

export const methodPath = "/queue/";

/**
 * What every answer names, so that a command of a newer program knows an older daemon. A new key of a selection needs a new
 * number: a daemon that passes it over would drop more than was meant.
 */
export const protocolHeader = "framepost-control";
export const protocol = "2";

const newline = 0x0a;
const dispositions: ReadonlySet<string> = new Set<Disposition>(["retry", "reject", "fatal"]);

export function encodeMessage({ value, bytes }: Message): Buffer {
  const line = Buffer.from(`${JSON.stringify(value ?? null)}\n`, "utf8");
  return bytes === undefined ? line : Buffer.concat([line, bytes]);
}

/** `null` stands for nothing. Fails with `CONTROL_MALFORMED`. */
export function decodeMessage(body: Buffer): Required<Message> {
  const end = body.indexOf(newline);
  if (end === -1) throw malformed("a line of JSON");
  try {
    const value: unknown = JSON.parse(body.toString("utf8", 0, end));
    return { value: value ?? undefined, bytes: body.subarray(end + 1) };
  } catch (error) {
    throw malformed("a line of JSON", error);
  }
}

export function errorValue({ code, message, disposition }: AgentError): unknown {
  return { error: { code, message, disposition } };
}

export function errorOfValue(value: unknown): AgentError {
  const { code, message, disposition } = objectOf(objectOf(value, "an error")["error"], "an error");
  return new AgentError(textOf(code, "a code"), textOf(message, "a message"), {
    disposition: dispositionOf(disposition),
  });
}

function dispositionOf(value: unknown): Disposition {
  if (typeof value === "string" && dispositions.has(value)) return value as Disposition;
  throw malformed("a disposition");
}
