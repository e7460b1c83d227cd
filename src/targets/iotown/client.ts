import { linkLimits } from "../../core/limits.ts";
import type { HttpCaller, HttpRequest } from "../../link/http.ts";
import { KeptBuffers } from "../../core/kept-buffers.ts";
import { attemptedText, type HttpAnswer } from "../../link/http-status.ts";
import { requireSuccess } from "./answer.ts";
import { iotownImageBody, type IotownLabel } from "./encode.ts";

export interface IotownAccess {
  /** Scheme, host and port, without a trailing slash. */
  readonly url: string;
  readonly token: string;
  readonly grpid?: string | undefined;
}

export interface IotownImage {
  readonly jpeg: Buffer;
  readonly labels: readonly IotownLabel[];
}

/**
 * The operations of IoT.own's open API v1.0, one method each. Every method throws an AgentError, whose code is in
 * core/outcome.ts; its text never holds the token. None retries. Sources: the vendor's Python client `pyiotown` and open
 * API manual; which fact comes from where is in this folder's README.
 */
export class IotownClient {
  readonly #access: IotownAccess;
  readonly #link: HttpCaller;
  readonly #buffers = new KeptBuffers(linkLimits.socketsPerTargetMax, linkLimits.keptPayloadBytesMax);

  constructor(access: IotownAccess, link: HttpCaller) {
    this.#access = access;
    this.#link = link;
  }

  /**
   * `POST /api/v1.0/nn/image`: stores one picture with its labels (pyiotown `uploadImage`). The platform knows no
   * idempotency key and returns no id: a picture sent again after a lost answer is stored twice.
   */
  async uploadImage(image: IotownImage, signal: AbortSignal): Promise<void> {
    const body = iotownImageBody(image.jpeg, image.labels, (sizeBytes) => this.#buffers.take(sizeBytes));
    const answer = await this.#call({ method: "POST", path: "/nn/image", accept: "*/*", body }, signal);
    // After a failure the connection may still be reading it.
    if (answer.requestSent === true) this.#buffers.giveBack(body);
  }

  /** `GET /api/v1.0/nodes`: answers 401 to a wrong token, so it serves as a check that sends no data. */
  async checkAccess(signal: AbortSignal): Promise<void> {
    // The list itself is not wanted, but an account with thousands of nodes must not fail the check.
    await this.#call(
      { method: "GET", path: "/nodes", accept: "application/json", answerBytesMax: nodesBytesMax },
      signal,
    );
  }

  async #call(operation: Operation, signal: AbortSignal): Promise<HttpAnswer> {
    const { token, grpid } = this.#access;
    const { method, path, accept, body, answerBytesMax } = operation;
    const url = `${this.#access.url}/api/v1.0${path}`;
    const request: HttpRequest = {
      method,
      url,
      headers: {
        Accept: accept,
        Token: token,
        ...(grpid === undefined ? {} : { grpid }),
        ...(body === undefined ? {} : { "Content-Type": "application/json" }),
      },
      ...(body === undefined ? {} : { body }),
      ...(answerBytesMax === undefined ? {} : { answerBytesMax }),
    };
    const answer = await this.#link.request(request, signal);
    requireSuccess(answer, { attempted: attemptedText(method, url), secrets: [token] });
    return answer;
  }
}

const nodesBytesMax = 8 * 1024 * 1024;

interface Operation {
  readonly method: HttpRequest["method"];
  /** Under `/api/v1.0`. */
  readonly path: string;
  readonly accept: string;
  readonly body?: Buffer;
  readonly answerBytesMax?: number;
}
