import type { Duplex } from "node:stream";
import { AgentError } from "../core/errors.ts";
import { visionLimits } from "../core/vision-limits.ts";

/**
 * Messages over a byte stream: two lengths, a JSON header, a binary body. Pictures cross as they are, in one copy, and
 * nothing longer than the limit is ever allocated. Both ends of the vision process speak it.
 */

export interface Message {
  readonly header: unknown;
  readonly body: Buffer;
}

const PREFIX_BYTES = 8;
const EMPTY = Buffer.alloc(0);

export class Channel {
  readonly #stream: Duplex;
  readonly #onMessage: (message: Message) => void;
  readonly #onClose: (why: string) => void;
  readonly #allocateBody: (sizeBytes: number) => Buffer;
  #open = true;
  /** What arrives is copied into `#part` until it is full: first the lengths, then the header, then the body. */
  #part: Buffer = Buffer.allocUnsafe(PREFIX_BYTES);
  #filled = 0;
  #stage: "prefix" | "header" | "body" = "prefix";
  #bodyBytes = 0;
  #header: unknown;

  /**
   * `onClose` is called once, when the other end has gone or has sent something that is no message. `allocateBody` may
   * give memory that was used before.
   */
  constructor(
    stream: Duplex,
    onMessage: (message: Message) => void,
    onClose: (why: string) => void,
    allocateBody: (sizeBytes: number) => Buffer = (sizeBytes) => Buffer.allocUnsafe(sizeBytes),
  ) {
    this.#stream = stream;
    this.#onMessage = onMessage;
    this.#onClose = onClose;
    this.#allocateBody = allocateBody;
  }

  listen(): void {
    this.#stream.on("data", (chunk: Buffer) => this.take(chunk));
    this.#stream.on("error", (error) => this.#closed(error.message));
    this.#stream.on("close", () => this.#closed("closed"));
    this.#stream.on("end", () => this.#closed("ended"));
  }

  /** Fails with `IMAGE_TOO_LARGE` before anything is sent: the other end would hang up on such a message. */
  send(header: object, body: Buffer = EMPTY): void {
    if (!this.#open) return;
    const text = Buffer.from(JSON.stringify(header));
    const sizeBytes = text.length + body.length;
    if (sizeBytes > visionLimits.messageBytesMax) throw tooLarge(sizeBytes);
    const head = Buffer.allocUnsafe(PREFIX_BYTES + text.length);
    head.writeUInt32LE(text.length, 0);
    head.writeUInt32LE(body.length, 4);
    text.copy(head, PREFIX_BYTES);
    // Corked, so that both parts leave in one system call.
    this.#stream.cork();
    this.#stream.write(head);
    if (body.length > 0) this.#stream.write(body);
    this.#stream.uncork();
  }

  close(): void {
    this.#open = false;
    this.#stream.destroy();
  }

  /** Bytes from the other end, for a stream that hands them over itself. They are copied before this returns. */
  take(chunk: Buffer): void {
    let at = 0;
    while (this.#open && at < chunk.length) {
      const copied = chunk.copy(this.#part, this.#filled, at);
      at += copied;
      this.#filled += copied;
      // A body of no bytes is complete as soon as its header is.
      let full = this.#filled === this.#part.length;
      while (full) full = this.#advance();
    }
  }

  /** A part is complete. Returns true while the next one may be complete already, because it is empty. */
  #advance(): boolean {
    const part = this.#part;
    if (this.#stage === "prefix") {
      const headerBytes = part.readUInt32LE(0);
      this.#bodyBytes = part.readUInt32LE(4);
      if (headerBytes === 0 || headerBytes + this.#bodyBytes > visionLimits.messageBytesMax) {
        this.#closed(`a message of ${headerBytes + this.#bodyBytes} bytes`);
        return false;
      }
      this.#expect("header", headerBytes);
      return false;
    }
    if (this.#stage === "header") {
      const header = parsed(part);
      if (header === undefined) {
        this.#closed("a header that is no JSON");
        return false;
      }
      this.#header = header;
      this.#expect("body", this.#bodyBytes);
      return this.#bodyBytes === 0;
    }
    this.#expect("prefix", PREFIX_BYTES);
    this.#onMessage({ header: this.#header, body: part });
    return false;
  }

  #expect(stage: "prefix" | "header" | "body", sizeBytes: number): void {
    this.#stage = stage;
    if (sizeBytes === 0) this.#part = EMPTY;
    else this.#part = stage === "body" ? this.#allocateBody(sizeBytes) : Buffer.allocUnsafe(sizeBytes);
    this.#filled = 0;
  }

  #closed(why: string): void {
    if (!this.#open) return;
    this.close();
    this.#onClose(why);
  }
}

function parsed(bytes: Buffer): unknown {
  try {
    return JSON.parse(bytes.toString()) as unknown;
  } catch {
    return undefined;
  }
}

function tooLarge(sizeBytes: number): AgentError {
  const message = `a picture of ${sizeBytes} bytes does not pass to or from the vision process, which takes at most`;
  return new AgentError("IMAGE_TOO_LARGE", `${message} ${visionLimits.messageBytesMax}`, { disposition: "reject" });
}
