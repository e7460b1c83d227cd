import { AgentError } from "../../core/errors.ts";
import { KeptBuffers } from "../../core/kept-buffers.ts";
import { captureLimits } from "../../core/capture-limits.ts";
import { linkLimits } from "../../core/deliver-limits.ts";
import { iotownLimits } from "../../core/platform-limits.ts";
import type { Seams } from "../../core/ports.ts";
import type { HttpCaller } from "../../link/http.ts";
import { jsonOf } from "../platform-answer.ts";
import type { JsonObject } from "../json.ts";
import { listenToCallbacks, type CallbackAccess, type CallbackOptions } from "./callbacks.ts";
import { badInput, IotownConnection, pathPart, type IotownAccess, type IotownRequest } from "./connection.ts";
import { iotownFormBody, iotownJsonBody, type NodeData, type NodeFiles } from "./data-body.ts";
import { iotownImageBody, type IotownLabel } from "./encode.ts";
import * as parse from "./parse.ts";

export interface IotownClientAccess extends IotownAccess {
  /** Of `downloadImage`, with `{id}` in it. `/api/v1.0/file/{id}` when absent. */
  readonly imagePath?: string | undefined;
  readonly callbacks?: CallbackAccess | undefined;
}

export interface IotownImage {
  readonly jpeg: Buffer;
  readonly labels: readonly IotownLabel[];
}

/** Times are UTC in ISO 8601 with `Z`. */
export interface StorageQuery {
  readonly nid?: string;
  readonly from?: string;
  readonly to?: string;
  /** Rows of a page; up to 5,000. With 1 the vendor's own code gets the newest row of a node. */
  readonly count?: number;
  /** Passed on as it is: no source says which words the server knows. */
  readonly sort?: string;
  readonly lastKey?: string;
}

/** All rows of a node, or one row by its `_id`. */
export type DataSelection = ({ readonly nid: string } | { readonly _id: string }) & {
  readonly from?: string;
  readonly to?: string;
};

export interface NodeCommand {
  readonly nid: string;
  /** A text as it is; bytes go as lower-case hex. */
  readonly command: string | Buffer;
  readonly lorawan?: { readonly fPort: number; readonly confirmed?: boolean };
}

/**
 * The operations of IoT.own's open API v1.0, one method each. Every method throws an AgentError, whose code is in
 * core/outcome.ts; its text never holds the token. None retries. Success is status 200 and nothing else. Sources: the
 * vendor's Python client `pyiotown` and open API manual; which fact comes from where is in this folder's README.
 */
export class IotownClient {
  readonly #access: IotownClientAccess;
  readonly #connection: IotownConnection;
  readonly #buffers = new KeptBuffers(linkLimits.socketsPerTargetMax, linkLimits.keptPayloadBytesMax);

  constructor(access: IotownClientAccess, link: HttpCaller) {
    this.#access = access;
    this.#connection = new IotownConnection(access, link);
  }

  /**
   * `POST /api/v1.0/nn/image`: stores one picture with its labels (pyiotown `uploadImage`). The platform knows no
   * idempotency key and returns no id: a picture sent again after a lost answer is stored twice.
   */
  async uploadImage(image: IotownImage, signal: AbortSignal): Promise<void> {
    const body = iotownImageBody(image.jpeg, image.labels, (sizeBytes) => this.#buffers.take(sizeBytes));
    await this.#send({ method: "POST", path: `${api}/nn/image`, accept: "*/*", body }, signal);
  }

  /**
   * `GET /api/v1.0/nn/images?labels=`: the pictures that carry this label, with all their labels (pyiotown
   * `downloadAnnotations`). `x` and `y` are centres, all numbers fractions.
   */
  async downloadAnnotations(label: string, signal: AbortSignal): Promise<readonly parse.AnnotatedImage[]> {
    const { listBytesMax: answerBytesMax } = iotownLimits;
    const request = { method: "GET", path: `${api}/nn/images`, query: { labels: label }, answerBytesMax } as const;
    return this.#connection.read(request, parse.annotatedImages, signal);
  }

  /**
   * The picture with this id of `downloadAnnotations` (pyiotown `downloadImage`, which is gone from that client). That
   * the ids of `nn/images` are ids of files on a server of today is not established: hence the path is a setting. Fails
   * where what comes back begins like no picture.
   */
  async downloadImage(id: string, signal: AbortSignal): Promise<Buffer> {
    const { imagePath = `${api}/file/{id}` } = this.#access;
    const path = imagePath.replace("{id}", () => pathPart(id, "the image id"));
    const answerBytesMax = captureLimits.jpegBytesMax;
    const request: IotownRequest = { method: "GET", path, accept: "*/*", answerBytesMax };
    const answer = await this.#connection.call(request, signal);
    return parse.isImage(answer.body) ? answer.body : this.#connection.fail(request, answer, "no picture");
  }

  /**
   * `POST /api/v1.0/data` as JSON (pyiotown `post.data`): a row of data for a node that the server knows. Resolves with
   * what the server answered, undefined where that was no JSON. Nothing tells a repeated row from a new one.
   */
  async sendData(data: NodeData, signal: AbortSignal): Promise<unknown> {
    const body = iotownJsonBody(data, (sizeBytes) => this.#buffers.take(sizeBytes));
    return jsonOf(await this.#send({ method: "POST", path: `${api}/data`, body }, signal));
  }

  /** `POST /api/v1.0/data` as a form (pyiotown `post.data` with `upload`): a row with files in it. Else as `sendData`. */
  async sendDataWithFiles(data: NodeFiles, signal: AbortSignal): Promise<unknown> {
    const form = iotownFormBody(data);
    return jsonOf((await this.#connection.call({ method: "POST", path: `${api}/data`, ...form }, signal)).body);
  }

  /** `GET /api/v1.0/storage`: one page of stored rows (pyiotown `get.storage`). */
  async storagePage(query: StorageQuery, signal: AbortSignal): Promise<parse.StoragePage> {
    const { nid, from, to, count, sort, lastKey } = query;
    const { pageBytesMax: answerBytesMax } = iotownLimits;
    const request: IotownRequest = {
      method: "GET",
      path: `${api}/storage`,
      query: { nid, from, to, count, sort, lastKey },
      answerBytesMax,
    };
    return this.#connection.read(request, parse.storagePage, signal);
  }

  /**
   * All rows, page after page. Fails with `HTTP_NOT_THE_PLATFORM` where a `lastKey` comes again, which would never end,
   * and after 10,000 pages: what was given out until then is right, but not all there is.
   */
  async *storage(query: StorageQuery, signal: AbortSignal): AsyncGenerator<parse.StorageRow, void, undefined> {
    const seen = new Set<string>(query.lastKey === undefined ? [] : [query.lastKey]);
    let { lastKey } = query;
    for (let page = 0; page < iotownLimits.pagesMax; page += 1) {
      const { data, lastKey: next } = await this.storagePage(
        lastKey === undefined ? query : { ...query, lastKey },
        signal,
      );
      yield* data;
      if (next === undefined) return;
      if (seen.has(next)) throw endless(`the lastKey ${next.slice(0, 40)} came twice`);
      seen.add(next);
      lastKey = next;
    }
    throw endless(`no end after ${iotownLimits.pagesMax} pages`);
  }

  /** `DELETE /api/v1.0/data` (pyiotown `delete.data`). For good: without `from` and `to`, all rows of a node. */
  async deleteData(selection: DataSelection, signal: AbortSignal): Promise<unknown> {
    const { from, to } = selection;
    const which = "nid" in selection ? { nid: selection.nid } : { _id: selection._id };
    if (Object.values(which).includes("")) throw badInput("deleting data: the nid or _id is empty");
    const body = Buffer.from(JSON.stringify({ ...which, from, to }));
    return jsonOf((await this.#connection.call({ method: "DELETE", path: `${api}/data`, body }, signal)).body);
  }

  /** `POST /api/v1.0/file` (pyiotown `post_files`): a file of its own, to be named by id in data. `key` is its name there. */
  async uploadFile(key: string, bytes: Buffer, signal: AbortSignal): Promise<parse.UploadedFile> {
    const files = [{ part: key, fileName: key, bytes }];
    const form = iotownFormBody({ files });
    return this.#connection.read({ method: "POST", path: `${api}/file`, ...form }, parse.uploadedFile, signal);
  }

  /** `GET /api/v1.0/file/{file_id}` (pyiotown `get.file`): its bytes, up to 128 MB. */
  async fetchFile(fileId: string, signal: AbortSignal): Promise<Buffer> {
    const path = `${api}/file/${pathPart(fileId, "the file id")}`;
    const { fileBytesMax: answerBytesMax } = iotownLimits;
    return (await this.#connection.call({ method: "GET", path, accept: "*/*", answerBytesMax }, signal)).body;
  }

  /** `GET /api/v1.0/nodes` (pyiotown `get.node` without a node). */
  async nodes(
    options: { readonly withoutLorawanSession?: boolean },
    signal: AbortSignal,
  ): Promise<readonly JsonObject[]> {
    const path = `${api}/nodes${sessionSuffix(options)}`;
    const { listBytesMax: answerBytesMax } = iotownLimits;
    return this.#connection.read({ method: "GET", path, answerBytesMax }, parse.nodeList, signal);
  }

  /** `GET /api/v1.0/node/{nid}` (pyiotown `get.node`). Undefined where the server answers without one. */
  async node(
    nid: string,
    options: { readonly withoutLorawanSession?: boolean },
    signal: AbortSignal,
  ): Promise<JsonObject | undefined> {
    const path = `${api}/node/${pathPart(nid, "the node id")}${sessionSuffix(options)}`;
    return this.#connection.read({ method: "GET", path }, parse.nodeIn, signal);
  }

  /**
   * `POST /api/v1.0/command` (pyiotown `post.command`): queues a command to a node. With `lorawan` the answer carries
   * the frame counter by which the `ack` callback speaks of it; one without is a failure, as for the vendor's own tool.
   */
  async command({ nid, command, lorawan }: NodeCommand, signal: AbortSignal): Promise<{ readonly fCnt?: number }> {
    const isText = typeof command === "string";
    const words = {
      nid,
      type: isText ? "string" : "hex",
      command: isText ? command : command.toString("hex"),
      ...(lorawan === undefined ? {} : { lorawan: { f_port: lorawan.fPort, confirmed: lorawan.confirmed } }),
    };
    const request = { method: "POST", path: `${api}/command`, body: Buffer.from(JSON.stringify(words)) } as const;
    const answer = await this.#connection.call(request, signal);
    const fCnt = parse.frameCounter(jsonOf(answer.body));
    if (fCnt !== undefined) return { fCnt };
    return lorawan === undefined ? {} : this.#connection.fail(request, answer, "no fCnt");
  }

  /** `GET /api/v1.0/command/{nid}` (pyiotown `get.command`): what is queued; an entry goes when it was sent. */
  async pendingCommands(nid: string, signal: AbortSignal): Promise<readonly JsonObject[]> {
    const path = `${api}/command/${pathPart(nid, "the node id")}`;
    return this.#connection.read({ method: "GET", path }, parse.pendingCommands, signal);
  }

  /** `GET /api/v1.0/nodes`: answers 401 to a wrong token, so it serves as a check that sends no data. */
  async checkAccess(signal: AbortSignal): Promise<void> {
    // The list itself is not wanted, but an account with thousands of nodes must not fail the check.
    const { listBytesMax: answerBytesMax } = iotownLimits;
    await this.#connection.call({ method: "GET", path: `${api}/nodes`, answerBytesMax }, signal);
  }

  /**
   * What devices and gateways say, over MQTT and read-only: nothing is ever published. Resolves when `signal` is
   * aborted. Fails with `MQTT_…`, `NET_…` or `TLS_…` while the first connection is made; a lost one comes back by itself.
   */
  async callbacks(options: CallbackOptions, seams: Seams, signal: AbortSignal): Promise<void> {
    const { callbacks, token } = this.#access;
    if (callbacks === undefined) {
      const message = "subscribing to callbacks: their broker is not configured (callbacks: url, username, group)";
      throw new AgentError("CONFIG_INVALID", message, { disposition: "fatal" });
    }
    await listenToCallbacks({ ...callbacks, password: token }, options, seams, signal);
  }

  /** For bodies out of the kept buffers alone. After a failure the connection may still be reading it. */
  async #send(request: IotownRequest & { readonly body: Buffer }, signal: AbortSignal): Promise<Buffer> {
    const answer = await this.#connection.call(request, signal);
    if (answer.requestSent === true) this.#buffers.giveBack(request.body);
    return answer.body;
  }
}

const api = "/api/v1.0";

function sessionSuffix({ withoutLorawanSession = false }: { readonly withoutLorawanSession?: boolean }): string {
  return withoutLorawanSession ? "/without-lorawan-session" : "";
}

function endless(what: string): AgentError {
  return new AgentError("HTTP_NOT_THE_PLATFORM", `reading the storage: ${what}`, { disposition: "retry" });
}
