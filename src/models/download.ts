import { createHash } from "node:crypto";
import { rm } from "node:fs/promises";
import { backoffMs } from "../core/backoff.ts";
import type { DiskShare } from "../core/disk-budget.ts";
import { AgentError, asAgentError } from "../core/errors.ts";
import { modelLimits } from "../core/model-limits.ts";
import type { Seams } from "../core/ports.ts";
import { shownUrl } from "../link/http-errors.ts";
import type { HttpStream, StreamedAnswer } from "../link/http-stream.ts";
import { readAnswer } from "./download-answer.ts";
import { DownloadPart, type LeftPart, partsIn } from "./part.ts";

export interface DownloadRequest {
  /** `https://…` or `http://…`. User and query are shown nowhere. */
  readonly url: string;
  /** 64 hexadecimal digits; without it the file is only known to be as long as the server says. */
  readonly sha256?: string;
  /** The exact size. */
  readonly bytes?: number;
  readonly bytesMax: number;
}

export interface DownloadOptions {
  readonly signal: AbortSignal;
  /** So many stay free on the disk. */
  readonly freeBytesMin: number;
  readonly onProgress?: (progress: DownloadProgress) => void;
  /** A try failed, and the next one begins after the pause. */
  readonly onTrouble?: (error: AgentError, pauseMs: number) => void;
  /** Beside records: what the download takes of the budget. */
  readonly share?: DiskShare | undefined;
  readonly bytesPerSecond?: number | undefined;
}

export interface DownloadProgress {
  readonly bytes: number;
  readonly totalBytes: number | undefined;
}

export interface Downloaded {
  readonly sha256: string;
  readonly bytes: number;
}

type DownloadLimits = Pick<
  typeof modelLimits,
  | "downloadFlushBytes"
  | "downloadFlushEveryMs"
  | "downloadFailuresMax"
  | "downloadTriesMax"
  | "downloadBackoffFirstMs"
  | "downloadBackoffMaxMs"
>;

export interface ModelDownloadsOptions {
  /** Of the models: what is not done yet lies there. */
  readonly folder: string;
  readonly http: HttpStream;
  readonly limits?: { readonly [Name in keyof DownloadLimits]?: number };
}

/**
 * Downloads of single files, each of which is proven or not there. One that was interrupted, by whatever, goes on where it
 * was: the bytes that the server then adds are of the same file by its ETag or Last-Modified, or else by the checksum at
 * the end. What turns out wrong, or finds no room, leaves nothing behind.
 */
export class ModelDownloads {
  readonly #folder: string;
  readonly #http: HttpStream;
  readonly #limits: { readonly [Name in keyof DownloadLimits]: number };
  readonly #seams: Seams;

  constructor({ folder, http, limits }: ModelDownloadsOptions, seams: Seams) {
    this.#folder = folder;
    this.#http = http;
    this.#limits = { ...modelLimits, ...limits };
    this.#seams = seams;
  }

  /**
   * The file lies at `into`, flushed, when this resolves. `into` has to be on the disk of the models.
   *
   * Fails with `MODEL_CHECKSUM` (the wrong bytes, or size), `MODEL_TOO_LARGE`, `MODEL_NO_LENGTH` or `MODEL_NO_ROOM`: the
   * next try begins anew. Fails with `NET_…`, `TLS_…`, `PROXY_FAILED`, `HTTP_…`, `MODEL_STORE` or `ABORTED`: the next one
   * goes on.
   */
  async fetch(request: DownloadRequest, into: string, options: DownloadOptions): Promise<Downloaded> {
    const part = await DownloadPart.claim(this.#folder, keyOf(request), shownUrl(request.url));
    try {
      const done = await this.#untilDone(request, part, options);
      await part.moveTo(into);
      return done;
    } catch (error) {
      const failure = options.signal.aborted ? stopped(request) : asAgentError(error, `the download to ${into}`);
      if (part.bytes > 0 && (failure.code === "MODEL_STORE" || !failure.code.startsWith("MODEL_"))) {
        await part.release();
      } else {
        await part.discard();
      }
      throw failure;
    } finally {
      options.share?.uses(0);
    }
  }

  /** Downloads that are not done: cut ones, and those that another process works on. */
  async unfinished(): Promise<readonly LeftPart[]> {
    return await partsIn(this.#folder);
  }

  /** Removes what nobody will go on with any more. */
  async sweep(): Promise<void> {
    const nowMs = this.#seams.clock.nowMs();
    for (const { folder, bytes, atMs, state } of await this.unfinished()) {
      const ageMaxMs = state === "cut" ? modelLimits.downloadAgeMaxMs : modelLimits.foreignAgeMaxMs;
      const isUseless = state === "cut" && bytes === 0;
      const isOld = state !== "under way" && nowMs - atMs > ageMaxMs;
      if (isUseless || isOld) await rm(folder, { recursive: true, force: true });
    }
  }

  async #untilDone(request: DownloadRequest, part: DownloadPart, options: DownloadOptions): Promise<Downloaded> {
    const { clock, random, log } = this.#seams;
    let isPieced = part.bytes > 0;
    let isSecond = false;
    let failures = 0;
    for (let tries = 1; ; tries += 1) {
      const before = part.bytes;
      try {
        await this.#fetchOn(request, part, options);
        const wrong = await wrongIn(request, part);
        if (wrong === undefined) return { sha256: part.sha256(), bytes: part.bytes };
        if (!isPieced || isSecond) throw wrong;
        // Pieces of two files, perhaps: once more from the first byte.
        [isPieced, isSecond] = [false, true];
        await part.restart();
      } catch (error) {
        options.signal.throwIfAborted();
        const failure = asAgentError(error, `GET ${shownUrl(request.url)}`);
        if (failure.code.startsWith("MODEL_") || failure.disposition !== "retry") throw failure;
        failures = part.bytes > before ? 1 : failures + 1;
        if (failures >= this.#limits.downloadFailuresMax || tries >= this.#limits.downloadTriesMax) throw failure;
        const { downloadBackoffFirstMs: firstMs, downloadBackoffMaxMs: maxMs } = this.#limits;
        const pauseMs = Math.max(backoffMs(failures, firstMs, maxMs, random), failure.afterMs ?? 0);
        log.debug("download.failed", { code: failure.code, error: failure.message, bytes: part.bytes, pauseMs });
        options.onTrouble?.(failure, pauseMs);
        await clock.sleep(pauseMs, options.signal);
        isPieced = part.bytes > 0;
      }
    }
  }

  /** One request, and as much of its answer as comes. */
  async #fetchOn(request: DownloadRequest, part: DownloadPart, options: DownloadOptions): Promise<void> {
    const isSure = part.validator !== undefined || request.sha256 !== undefined;
    if (part.bytes > 0 && !isSure) await part.restart();
    if (part.bytes > 0 && request.sha256 !== undefined && part.bytes === (request.bytes ?? part.totalBytes)) return;
    const answer = await this.#http.get({ url: request.url, headers: rangeHeaders(part) }, options.signal);
    try {
      const reading = readAnswer(answer, part, request);
      if (reading.kind === "complete") return;
      if (reading.kind === "again") {
        await part.restart();
        throw new AgentError("HTTP_UNEXPECTED_STATUS", `${answer.attempted}: ${reading.why}`, { disposition: "retry" });
      }
      if (reading.kind === "whole" && part.bytes > 0) await part.restart();
      part.expect(reading);
      await this.#take(answer, part, request, options);
    } finally {
      answer.close();
    }
  }

  async #take(
    answer: StreamedAnswer,
    part: DownloadPart,
    request: DownloadRequest,
    options: DownloadOptions,
  ): Promise<void> {
    const { clock } = this.#seams;
    const { onProgress, signal, share, bytesPerSecond } = options;
    const totalBytes = part.totalBytes ?? request.bytes;
    const startedMs = clock.monotonicMs();
    const [startBytes, flushed] = [part.bytes, { bytes: part.bytes, atMs: startedMs }];
    await this.#mustHaveRoom(part, totalBytes, options);
    for await (const chunk of answer.body) {
      if (part.bytes + chunk.length > Math.min(totalBytes ?? Infinity, request.bytesMax)) {
        throw tooMuch(answer, request, totalBytes);
      }
      await part.write(chunk);
      share?.uses(part.bytes);
      onProgress?.({ bytes: part.bytes, totalBytes });
      const nowMs = clock.monotonicMs();
      const isDue = part.bytes - flushed.bytes >= this.#limits.downloadFlushBytes;
      if (isDue || nowMs - flushed.atMs >= this.#limits.downloadFlushEveryMs) {
        await part.flush();
        await this.#mustHaveRoom(part, totalBytes, options);
        Object.assign(flushed, { bytes: part.bytes, atMs: nowMs });
      }
      const earlyMs = bytesPerSecond === undefined ? 0 : ((part.bytes - startBytes) / bytesPerSecond) * 1_000;
      const aheadMs = startedMs + earlyMs - clock.monotonicMs();
      if (aheadMs > 0) await clock.sleep(aheadMs, signal);
    }
    if (part.bytes >= (totalBytes ?? 0)) return;
    throw new AgentError("NET_RESET", `${answer.attempted}: it ended after ${part.bytes} of ${totalBytes} bytes`, {
      disposition: "retry",
    });
  }

  async #mustHaveRoom(
    part: DownloadPart,
    totalBytes: number | undefined,
    { freeBytesMin, share }: DownloadOptions,
  ): Promise<void> {
    const wanted = totalBytes === undefined ? this.#limits.downloadFlushBytes : totalBytes - part.bytes;
    const free = await part.freeBytes();
    if (free - wanted < freeBytesMin) {
      const left = `${megabytes(free)} are free, and ${megabytes(freeBytesMin)} have to stay so`;
      throw new AgentError("MODEL_NO_ROOM", `no room for ${megabytes(wanted)} of a model: ${left}`, {
        disposition: "retry",
      });
    }
    if (share?.mayGrow(wanted) === false) {
      throw new AgentError("MODEL_NO_ROOM", `no room for ${megabytes(wanted)} of a model beside the records`, {
        disposition: "retry",
      });
    }
  }
}

function megabytes(bytes: number): string {
  return `${(bytes / (1024 * 1024)).toFixed(1)} MB`;
}

/** The same file is gone on with: the one of that checksum from wherever, else that of the address. */
function keyOf({ url, sha256 }: DownloadRequest): string {
  return createHash("sha256")
    .update(sha256 ?? url)
    .digest("hex")
    .slice(0, 16);
}

function rangeHeaders({ bytes, validator }: DownloadPart): Readonly<Record<string, string>> {
  if (bytes === 0) return {};
  return { Range: `bytes=${bytes}-`, ...(validator === undefined ? {} : { "If-Range": validator }) };
}

/** Undefined when it is the file that was asked for, and the disk gives it back as it came. */
async function wrongIn(request: DownloadRequest, part: DownloadPart): Promise<AgentError | undefined> {
  const { bytes } = part;
  const sha256 = part.sha256();
  if (bytes === 0) return wrong(request, "0 bytes came");
  if (request.bytes !== undefined && bytes !== request.bytes) {
    return wrong(request, `${bytes} bytes came, ${request.bytes} were expected`);
  }
  if (request.sha256 !== undefined && sha256 !== request.sha256) {
    return wrong(request, `what came has sha256 ${sha256}, expected ${request.sha256}`);
  }
  return (await part.readBack()) === sha256 ? undefined : wrong(request, "the disk gives back other bytes than came");
}

function wrong(request: DownloadRequest, what: string): AgentError {
  return new AgentError("MODEL_CHECKSUM", `GET ${shownUrl(request.url)}: ${what}`, { disposition: "reject" });
}

function tooMuch(answer: StreamedAnswer, { bytesMax }: DownloadRequest, totalBytes: number | undefined): AgentError {
  if (totalBytes !== undefined && totalBytes <= bytesMax) {
    return new AgentError("MODEL_CHECKSUM", `${answer.attempted}: more than the ${totalBytes} bytes of the file came`, {
      disposition: "reject",
    });
  }
  return new AgentError("MODEL_TOO_LARGE", `${answer.attempted}: more than ${bytesMax} bytes came`, {
    disposition: "reject",
  });
}

function stopped({ url }: DownloadRequest): AgentError {
  return new AgentError("ABORTED", `GET ${shownUrl(url)}: stopped`, { disposition: "retry" });
}
