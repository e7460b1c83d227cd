import type { IncomingMessage } from "node:http";
import type { AgentError } from "../../core/errors.ts";
import { scanJpeg } from "../../core/jpeg.ts";
import { captureLimits } from "../../core/capture-limits.ts";
import type { CameraDriver, Shot } from "../../core/ports.ts";
import { withDeadline } from "../deadline.ts";
import type { CaptureLimits } from "../judge.ts";
import { readBody } from "./body.ts";
import type { HttpCameraOptions, HttpCameraSeams } from "./options.ts";
import { answeredWith } from "./page.ts";
import { HttpSession } from "./session.ts";
import { HttpTrouble } from "./trouble.ts";

/** One GET for each picture, over a connection that is kept. */
export class HttpSnapshotDriver implements CameraDriver {
  readonly kind = "http-snapshot";
  readonly pace = "newest";
  readonly shotTimeMs: number;
  readonly #options: HttpCameraOptions;
  readonly #seams: HttpCameraSeams;
  readonly #limits: CaptureLimits;
  readonly #trouble: HttpTrouble;
  #session: HttpSession | undefined;

  constructor(options: HttpCameraOptions, seams: HttpCameraSeams) {
    this.shotTimeMs = options.timeoutMs;
    this.#options = options;
    this.#seams = seams;
    this.#limits = { ...captureLimits, ...seams.limits };
    this.#trouble = new HttpTrouble(this.kind, options);
  }

  async start(signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    await this.stop();
    this.#session = await HttpSession.open(this.#options, this.#seams, this.#trouble);
  }

  async shot(signal: AbortSignal): Promise<Shot> {
    signal.throwIfAborted();
    const session = this.#session;
    if (session === undefined) throw this.#trouble.error("CAMERA_NOT_STARTED", "the driver was not started");
    const { timeoutMs } = this.#options;
    const take = async (limited: AbortSignal) =>
      this.#picture(await session.get(this.#limits.httpIdleMs, limited), limited);
    const late = () => this.#trouble.error("CAMERA_TIMEOUT", `no whole picture within ${timeoutMs} ms`);
    return { kind: "image", jpeg: await withDeadline(this.#seams.clock, timeoutMs, signal, take, late) };
  }

  async stop(): Promise<void> {
    this.#session?.close();
    this.#session = undefined;
  }

  async #picture(answer: IncomingMessage, signal: AbortSignal): Promise<Buffer> {
    if (/^multipart\//i.test(answer.headers["content-type"] ?? "")) {
      answer.destroy();
      throw this.#trouble.error("CAMERA_NOT_A_PICTURE", "it sends a stream; read it with the driver http-mjpeg");
    }
    const body = await readBody(answer, this.#limits.jpegBytesMax, signal);
    if (body.kind === "oversize") throw this.#bad(`the picture exceeds ${this.#limits.jpegBytesMax} bytes`);
    if (body.bytes.length > 0 && !isJpeg(body.bytes)) {
      throw this.#trouble.error("CAMERA_NOT_A_PICTURE", `${answeredWith(answer, body.bytes, this.#trouble)}, no JPEG`);
    }
    // Some cameras announce more than they send; a picture is judged by its bytes.
    if (body.kind === "whole" || scanJpeg(body.bytes).kind === "complete") return body.bytes;
    const { message } = this.#trouble.network(body.error);
    throw this.#bad(`the picture was cut after ${body.bytes.length} bytes (${message})`);
  }

  #bad(what: string): AgentError {
    return this.#trouble.error("CAMERA_BAD_IMAGE", what);
  }
}

function isJpeg(bytes: Buffer): boolean {
  return bytes[0] === 0xff && (bytes.length < 2 || bytes[1] === 0xd8);
}
