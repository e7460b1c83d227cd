import { AgentError } from "../../core/errors.ts";
import type { HttpCaller, HttpRequest } from "../../link/http.ts";
import { attemptedText } from "../../link/http-status.ts";
import type { Answered } from "./answers.ts";
import { type Generation, generations, type LayernextApi } from "./generation.ts";

export interface LayernextAccess {
  /** Scheme, host and port, without a trailing slash. */
  readonly url: string;
  readonly apiKey: string;
  readonly secret: string;
  readonly api: LayernextApi;
  /** Between `url` and `/api`; that of the generation when absent. */
  readonly basePath?: string | undefined;
  /** What to do where the server stores in anything but S3, which no live server was ever tried with. */
  readonly otherStorage: "refuse" | "unproven";
}

/** One request of LayerNext's API: the address, HTTP Basic, JSON. The caller judges the answer. */
export class LayernextRequests {
  readonly generation: Generation;
  readonly #base: string;
  readonly #authorization: string;
  readonly #secrets: readonly string[];
  readonly #link: HttpCaller;

  constructor(access: LayernextAccess, link: HttpCaller) {
    const { url, apiKey, secret, api, basePath } = access;
    this.generation = generations[api];
    this.#base = `${url}${basePath ?? this.generation.basePath}/api`;
    const credentials = Buffer.from(`${apiKey}:${secret}`).toString("base64");
    this.#authorization = `Basic ${credentials}`;
    this.#secrets = [secret, credentials];
    this.#link = link;
  }

  async get(path: string, signal: AbortSignal): Promise<Answered> {
    return this.#send("GET", path, undefined, signal);
  }

  async post(path: string, body: object, signal: AbortSignal): Promise<Answered> {
    return this.#send("POST", path, Buffer.from(JSON.stringify(body)), signal);
  }

  async #send(method: "GET" | "POST", path: string, body: Buffer | undefined, signal: AbortSignal): Promise<Answered> {
    const url = `${this.#base}${path}`;
    const request: HttpRequest = {
      method,
      url,
      headers: {
        Accept: "*/*",
        Authorization: this.#authorization,
        ...(body === undefined ? {} : { "Content-Type": "application/json" }),
      },
      ...(body === undefined ? {} : { body }),
    };
    const answer = await this.#link.request(request, signal);
    return { answer, context: { attempted: attemptedText(method, url), secrets: this.#secrets } };
  }
}

/** As one part of a path. Dots alone would climb in it, encoded or not. */
export function pathPart(text: string): string {
  if (/^\.{0,2}$/.test(text)) {
    throw new AgentError("ENCODE_FAILED", `"${text}" cannot be a part of an address`, { disposition: "reject" });
  }
  return encodeURIComponent(text);
}
