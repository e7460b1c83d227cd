import type { IncomingMessage } from "node:http";
import type { AgentError } from "../../core/errors.ts";
import { captureLimits } from "../../core/capture-limits.ts";
import type { CameraDriver, Shot } from "../../core/ports.ts";
import { withDeadline } from "../deadline.ts";
import type { CaptureLimits } from "../judge.ts";
import { FrameStream } from "../stream/frame-stream.ts";
import { JpegSplitter } from "../stream/jpeg-splitter.ts";
import type { HttpCameraOptions, HttpCameraSeams } from "./options.ts";
import { answeredWith } from "./page.ts";
import { HttpSession } from "./session.ts";
import { HttpTrouble } from "./trouble.ts";

/**
 * One answer that never ends: JPEGs one after the other, however they are strung together. What cameras say of lengths
 * and boundaries is often wrong, so that the pictures are found by their markers alone.
 */
export class HttpMjpegDriver implements CameraDriver {
  readonly kind = "http-mjpeg";
  readonly pace = "newest";
  readonly startTimeMs: number;
  readonly #options: HttpCameraOptions;
  readonly #seams: HttpCameraSeams;
  readonly #limits: CaptureLimits;
  readonly #trouble: HttpTrouble;
  #session: HttpSession | undefined;
  #answer: IncomingMessage | undefined;
  #stream: FrameStream;

  constructor(options: HttpCameraOptions, seams: HttpCameraSeams) {
    this.#options = options;
    this.#seams = seams;
    this.#limits = { ...captureLimits, ...seams.limits };
    // So that its own error comes first, which says more.
    this.startTimeMs = options.timeoutMs + this.#limits.stopGraceMs;
    this.#trouble = new HttpTrouble(this.kind, options);
    this.#stream = new FrameStream(0);
    this.#stream.fail(this.#trouble.error("CAMERA_NOT_STARTED", "it was not started"));
  }

  get stream(): FrameStream {
    return this.#stream;
  }

  /** Resolves once the answer has begun. Silence after that is its supervisor's to see. */
  async start(signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    await this.stop();
    const session = await HttpSession.open(this.#options, this.#seams, this.#trouble);
    this.#session = session;
    const { timeoutMs } = this.#options;
    const late = () => this.#trouble.error("CAMERA_TIMEOUT", `no answer within ${timeoutMs} ms`);
    const begin = async (limited: AbortSignal) => session.get(0, limited);
    const answer = await withDeadline(this.#seams.clock, timeoutMs, signal, begin, late);
    // A stop while it began has closed the session, which had no answer to cut.
    if (this.#session !== session) {
      answer.destroy();
      throw this.#trouble.error("CAMERA_NOT_STARTED", "it was stopped");
    }
    this.#read(answer);
  }

  async shot(signal: AbortSignal): Promise<Shot> {
    return { kind: "image", jpeg: await this.#stream.next(signal) };
  }

  async stop(): Promise<void> {
    this.#stream.fail(this.#trouble.error("CAMERA_NOT_STARTED", "it was stopped"));
    this.#answer?.destroy();
    this.#answer = undefined;
    this.#session?.close();
    this.#session = undefined;
  }

  /** Any end of the answer is a lost camera. */
  #read(answer: IncomingMessage): void {
    const stream = new FrameStream(0);
    const splitter = new JpegSplitter(this.#limits.jpegBytesMax, (view) => stream.offer(view));
    const openingChunks: Buffer[] = [];
    let openingBytes = 0;
    answer.on("data", (chunk: Buffer) => {
      if (stream.framesSeen() === 0 && openingBytes < this.#limits.httpPageBytesMax) {
        openingChunks.push(chunk);
        openingBytes += chunk.length;
      }
      stream.received(chunk.length);
      splitter.push(chunk);
    });
    answer.once("error", (error) => stream.fail(this.#trouble.network(error)));
    answer.once("end", () => stream.fail(this.#ended(answer, stream.framesSeen(), Buffer.concat(openingChunks))));
    answer.once("close", () => stream.fail(this.#trouble.error("CAMERA_LOST", "the connection was closed")));
    answer.socket.setKeepAlive(true, this.#limits.httpIdleMs);
    this.#answer = answer;
    this.#stream = stream;
  }

  #ended(answer: IncomingMessage, frames: number, opening: Buffer): AgentError {
    if (frames === 0) {
      return this.#trouble.error("CAMERA_NOT_A_PICTURE", `${answeredWith(answer, opening, this.#trouble)}, no stream`);
    }
    if (frames === 1 && !/^multipart\//i.test(answer.headers["content-type"] ?? "")) {
      const what = "it sent one picture and ended; read it with the driver http-snapshot";
      return this.#trouble.error("CAMERA_NOT_A_STREAM", what);
    }
    return this.#trouble.error("CAMERA_LOST", `the stream ended after ${frames} frames`);
  }
}
