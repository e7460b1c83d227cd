import { mask, secretForms } from "../../src/core/mask.ts";
import type { HttpAnswer } from "../../src/link/http-status.ts";
import type { HttpCaller, HttpRequest } from "../../src/link/http.ts";

/** A request as `--dry-run` shows it. */
export interface ShownRequest {
  readonly method: string;
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  /** JSON as it is, with long base64 texts shortened; a multipart body as its parts; other bytes by their size. */
  readonly body?: unknown;
}

type DryAnswer = (
  request: HttpRequest,
) => Pick<HttpAnswer, "status"> & { readonly headers?: HttpAnswer["headers"]; readonly body?: unknown };

const secretHeaders = /^(authorization|token|training-key|cookie)$/i;
/** What is shown of a longer text in a body: pictures are megabytes. */
const textCharsMax = 200;

/** Sends nothing: shows each request and answers as the platform might. */
export class DryRunLink implements HttpCaller {
  readonly #secrets: readonly string[];
  readonly #answer: DryAnswer;
  readonly #show: (request: ShownRequest) => void;

  constructor(secrets: readonly string[], answer: DryAnswer, show: (request: ShownRequest) => void) {
    this.#secrets = secrets;
    this.#answer = answer;
    this.#show = show;
  }

  async request(request: HttpRequest, signal: AbortSignal): Promise<HttpAnswer> {
    signal.throwIfAborted();
    this.#show(this.#shown(request));
    const { status, headers, body } = this.#answer(request);
    const isBytes = Buffer.isBuffer(body);
    return {
      status,
      headers: { "content-type": isBytes ? "application/octet-stream" : "application/json", ...headers },
      body: isBytes ? body : Buffer.from(body === undefined ? "" : JSON.stringify(body)),
      requestSent: true,
    };
  }

  #shown({ method, url, headers, body }: HttpRequest): ShownRequest {
    const shownHeaders = Object.entries(headers).map(([name, value]) => [
      name,
      secretHeaders.test(name) ? mask : this.#hidden(value),
    ]);
    const type = Object.entries(headers).find(([name]) => name.toLowerCase() === "content-type")?.[1] ?? "";
    return {
      method,
      url: this.#hidden(url),
      headers: Object.fromEntries(shownHeaders) as Record<string, string>,
      ...(body === undefined ? {} : { body: this.#shownBody(type, Buffer.concat([body].flat())) }),
    };
  }

  #shownBody(contentType: string, body: Buffer): unknown {
    const boundary = /boundary=(\S+)/.exec(contentType)?.[1];
    if (boundary !== undefined) return { parts: this.#partsOf(body.toString("latin1"), boundary) };
    if (/json/.test(contentType)) return this.#shortened(JSON.parse(body.toString("utf8")) as unknown);
    if (/urlencoded|text/.test(contentType)) return this.#hidden(body.toString("utf8"));
    return `${body.length} bytes`;
  }

  /** Of a body that we have built ourselves: head, empty line, value. */
  #partsOf(body: string, boundary: string): readonly string[] {
    const parts = body.split(`--${boundary}`).slice(1, -1);
    return parts.map((part) => {
      const [head = "", ...rest] = part.trim().split("\r\n\r\n");
      const name = /\sname="([^"]*)"/.exec(head)?.[1] ?? "";
      const fileName = /filename="([^"]*)"/.exec(head)?.[1];
      const value = rest.join("\r\n\r\n");
      if (fileName !== undefined) return `${name}: file ${fileName}, ${value.length} bytes`;
      return `${name}=${this.#short(Buffer.from(value, "latin1").toString("utf8"))}`;
    });
  }

  #shortened(value: unknown): unknown {
    if (typeof value === "string") return this.#short(value);
    if (Array.isArray(value)) return value.map((item) => this.#shortened(item));
    if (typeof value !== "object" || value === null) return value;
    return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, this.#shortened(item)]));
  }

  #short(text: string): string {
    const hidden = this.#hidden(text);
    return hidden.length <= textCharsMax ? hidden : `${hidden.slice(0, 40)}… (${hidden.length} characters)`;
  }

  #hidden(text: string): string {
    const forms = this.#secrets.filter((secret) => secret !== "").flatMap(secretForms);
    return forms.reduce((shown, form) => shown.replaceAll(form, mask), text);
  }
}
