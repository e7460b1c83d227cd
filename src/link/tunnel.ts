import type { AgentOptions, ClientRequest } from "node:http";
import type { Socket } from "node:net";
import { checkServerIdentity, type ConnectionOptions } from "node:tls";
import { HttpsProxyAgent } from "https-proxy-agent";
import { AgentError, errnoOf, messageOf } from "../core/errors.ts";
import { linkLimits } from "../core/deliver-limits.ts";
import { shownUrl } from "./http-errors.ts";
import type { TlsOptions } from "./tls.ts";

/** People also write a `%` as it is, which is no encoding then. */
function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

/**
 * Reaches every address through CONNECT. What the package leaves open: its own deadline, the TLS options of the target,
 * and a proxy's refusal, which it passes on as if the target had answered it.
 */
export class TunnelAgent extends HttpsProxyAgent<string> {
  readonly #attempted: string;
  readonly #tls: TlsOptions;
  readonly #connectOptions: HttpsProxyAgent<string>["connectOpts"];
  readonly #timeoutMs: number;

  constructor(proxy: string, pool: AgentOptions, tls: TlsOptions, timeoutMs: number) {
    const { origin, username, password } = new URL(proxy);
    const user = `${decoded(username)}:${decoded(password)}`;
    // As a header and not in the address: the package prints its address when DEBUG is set.
    const headers = user === ":" ? {} : { "Proxy-Authorization": `Basic ${Buffer.from(user).toString("base64")}` };
    super(origin, { ...pool, headers });
    this.#attempted = `the proxy ${shownUrl(origin)}`;
    this.#tls = tls;
    this.#timeoutMs = timeoutMs;
    this.#connectOptions = this.connectOpts;
  }

  override async connect(
    request: ClientRequest,
    options: Parameters<HttpsProxyAgent<string>["connect"]>[1],
  ): Promise<Socket> {
    const timeout = new AbortController();
    const timer = setTimeout(() => timeout.abort(), this.#timeoutMs);
    const cut = (): void => timeout.abort();
    request.once("close", cut);
    let status = 0;
    request.once("proxyConnect", (answer: { readonly statusCode: number }) => (status = answer.statusCode));
    // The package reads this before its first await, so each socket gets its own signal.
    this.connectOpts = { ...this.#connectOptions, signal: timeout.signal };
    try {
      const socket = await super.connect(request, { ...options, ...this.#tls, ...this.#identity(options.host) });
      if (status === 200) return socket;
      socket.destroy();
    } catch (error) {
      const why = timeout.signal.aborted ? `no tunnel within ${this.#timeoutMs} ms` : errnoOf(error);
      throw this.#failed(why ?? messageOf(error, linkLimits.snippetChars));
    } finally {
      clearTimeout(timer);
      request.off("close", cut);
    }
    throw this.#failed(`refused the tunnel with HTTP ${status}`);
  }

  /** The package forgets the host of the target, and a certificate for an IP address would be held against "localhost". */
  #identity(host: string | undefined): Pick<ConnectionOptions, "checkServerIdentity"> {
    const expected = this.#tls.servername ?? host ?? "";
    return { checkServerIdentity: (_, certificate) => checkServerIdentity(expected, certificate) };
  }

  #failed(what: string): AgentError {
    return new AgentError("PROXY_FAILED", `${this.#attempted}: ${what}`, { disposition: "retry" });
  }
}
