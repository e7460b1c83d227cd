import http, { type ClientRequest, type IncomingMessage } from "node:http";
import https from "node:https";
import { urlToHttpOptions } from "node:url";
import { errnoOf, type AgentError } from "../../core/errors.ts";
import { captureLimits } from "../../core/capture-limits.ts";
import { linkLimits } from "../../core/deliver-limits.ts";
import { HttpExchange } from "../../link/http-exchange.ts";
import { readTlsOptions, type TlsOptions } from "../../link/tls.ts";
import type { CaptureLimits } from "../judge.ts";
import { drain } from "./body.ts";
import { Login, type LoginRefusal } from "./login.ts";
import type { HttpCameraOptions, HttpCameraSeams } from "./options.ts";
import type { HttpTrouble } from "./trouble.ts";

const method = "GET";

/**
 * Requests to one camera, from the start of its driver to its stop: its connections, its login, and its redirects. Those
 * are followed within the camera alone, so that no password and no query leaves it.
 */
export class HttpSession {
  readonly #options: HttpCameraOptions;
  readonly #limits: CaptureLimits;
  readonly #trouble: HttpTrouble;
  readonly #login: Login;
  readonly #plain: http.Agent;
  readonly #secure: https.Agent;
  #closed = false;

  /** Fails with `CAMERA_TLS` where the PEM files cannot be used. */
  static async open(options: HttpCameraOptions, seams: HttpCameraSeams, trouble: HttpTrouble): Promise<HttpSession> {
    try {
      const tls = options.tls === undefined ? { rejectUnauthorized: true } : await readTlsOptions(options.tls);
      return new HttpSession(options, seams, trouble, tls);
    } catch (error) {
      throw trouble.network(error);
    }
  }

  private constructor(options: HttpCameraOptions, seams: HttpCameraSeams, trouble: HttpTrouble, tls: TlsOptions) {
    const { username, password = "" } = options;
    this.#options = options;
    this.#limits = { ...captureLimits, ...seams.limits };
    this.#trouble = trouble;
    this.#login = new Login(username === undefined ? undefined : { username, password }, seams.random);
    const pool = {
      keepAlive: true,
      timeout: this.#limits.httpUnusedMs,
      autoSelectFamilyAttemptTimeout: linkLimits.addressAttemptMs,
    };
    this.#plain = new http.Agent(pool);
    this.#secure = new https.Agent({ ...pool, ...tls });
  }

  /**
   * An answer with status 200, its body not read yet: the caller reads it or destroys it. `idleMs` bounds silence in that
   * body; 0 for no bound. Fails with a `CAMERA_…` code, or with the signal's reason.
   */
  async get(idleMs: number, signal: AbortSignal): Promise<IncomingMessage> {
    let url = new URL(this.#options.url);
    for (let redirects = 0; ; redirects += 1) {
      const answer = await this.#ask(url, idleMs, signal);
      const status = answer.statusCode ?? 0;
      if (status === 200) return answer;
      const { location } = answer.headers;
      await drain(answer, this.#limits.httpPageBytesMax, signal);
      if (location === undefined || ![301, 302, 303, 307, 308].includes(status)) throw this.#trouble.status(answer);
      if (redirects === this.#limits.httpRedirectsMax) {
        throw this.#trouble.error("CAMERA_REDIRECTED", `it redirects more than ${redirects} times`);
      }
      url = this.#redirected(url, location);
    }
  }

  /** Cuts every connection; what is under way fails. */
  close(): void {
    this.#closed = true;
    this.#plain.destroy();
    this.#secure.destroy();
  }

  /** One login at most: a second refusal is the camera's last word. */
  async #ask(url: URL, idleMs: number, signal: AbortSignal): Promise<IncomingMessage> {
    const sent = this.#login.isAsked(url);
    const answer = await this.#send(url, idleMs, signal);
    if (answer.statusCode !== 401) return this.#passed(answer);
    await drain(answer, this.#limits.httpPageBytesMax, signal);
    const verdict = this.#login.challenged(answer.headers["www-authenticate"] ?? "", sent, url);
    if (verdict.kind === "refused") throw this.#refused(verdict);
    const second = await this.#send(url, idleMs, signal);
    if (second.statusCode !== 401) return this.#passed(second);
    second.destroy();
    throw this.#refused(this.#login.refusedAgain());
  }

  #passed(answer: IncomingMessage): IncomingMessage {
    this.#login.passed();
    return answer;
  }

  async #send(url: URL, idleMs: number, signal: AbortSignal): Promise<IncomingMessage> {
    for (let tries = 1; ; tries += 1) {
      signal.throwIfAborted();
      if (this.#closed) throw this.#trouble.error("CAMERA_NOT_STARTED", "it was stopped");
      const authorization = this.#login.authorization(method, url);
      const attempt = await this.#sendOnce(url, authorization, idleMs, signal);
      if (attempt.kind === "answer") return attempt.answer;
      signal.throwIfAborted();
      // The camera may close a kept connection while the request is on its way to it.
      const wasStale = attempt.reused && ["ECONNRESET", "EPIPE"].includes(errnoOf(attempt.error) ?? "");
      if (!wasStale || tries > 1) throw this.#trouble.network(attempt.error);
    }
  }

  async #sendOnce(url: URL, authorization: string | undefined, idleMs: number, signal: AbortSignal): Promise<Attempt> {
    const exchange = new HttpExchange(this.#limits.httpConnectMs, idleMs);
    let onAbort = () => {};
    try {
      return await new Promise<Attempt>((resolve) => {
        const request = exchange.request(this.#requestFor(url, authorization), (answer) => {
          request.once("timeout", () => answer.destroy(this.#silent(idleMs)));
          resolve({ kind: "answer", answer });
        });
        request.on("error", (error) => resolve({ kind: "failed", error, reused: request.reusedSocket }));
        onAbort = () => cut(request, signal);
        signal.addEventListener("abort", onAbort, { once: true });
        request.end();
      });
    } catch {
      // All else that stands in a header is ours, and was checked.
      const error = this.#trouble.error("CAMERA_NOT_HTTP", "it asks for a login in words that cannot be sent back");
      return { kind: "failed", error, reused: false };
    } finally {
      signal.removeEventListener("abort", onAbort);
    }
  }

  #requestFor(url: URL, authorization: string | undefined): https.RequestOptions {
    return {
      ...urlToHttpOptions(url),
      method,
      agent: url.protocol === "https:" ? this.#secure : this.#plain,
      // Old cameras end lines without CR and send a Content-Length beside chunks.
      insecureHTTPParser: true,
      headers: {
        "User-Agent": "framepost",
        Accept: "*/*",
        "Cache-Control": "no-cache",
        ...this.#options.headers,
        ...(authorization === undefined ? {} : { Authorization: authorization }),
      },
    };
  }

  /** To the same origin, or from http to https on the same host. */
  #redirected(from: URL, location: string): URL {
    if (!URL.canParse(location, from.href))
      throw this.#trouble.error("CAMERA_REDIRECTED", "it redirects to no address");
    const to = new URL(location, from);
    const isUpgrade = from.protocol === "http:" && to.protocol === "https:" && to.hostname === from.hostname;
    if (to.origin !== from.origin && !isUpgrade) {
      throw this.#trouble.error("CAMERA_REDIRECTED", `it redirects to ${this.#trouble.quote(to.origin)}; not followed`);
    }
    return to;
  }

  /** Asked again at the longest distance only: cameras lock an account after some wrong passwords. */
  #refused({ why }: LoginRefusal): AgentError {
    return this.#trouble.error("CAMERA_LOGIN_REFUSED", `HTTP 401, ${why}`, this.#limits.backoffMaxMs);
  }

  #silent(idleMs: number): AgentError {
    return this.#trouble.error("CAMERA_TIMEOUT", `nothing came for ${idleMs} ms`);
  }
}

type Attempt =
  | { readonly kind: "answer"; readonly answer: IncomingMessage }
  | { readonly kind: "failed"; readonly error: Error; readonly reused: boolean };

function cut(request: ClientRequest, signal: AbortSignal): void {
  request.destroy(signal.reason instanceof Error ? signal.reason : undefined);
}
