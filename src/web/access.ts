import type { IncomingMessage } from "node:http";
import { isIP } from "node:net";
import { isLoopback, type ListenAddress } from "./listen-address.ts";
import { refusal, type Refusal } from "./refusal.ts";
import { loginPath, pathOf } from "./request-shape.ts";
import type { Tokens } from "./tokens.ts";

export interface AccessOptions {
  readonly address: ListenAddress;
  readonly allowedHosts: readonly string[];
  /** Of this machine in its network. */
  readonly hostName: string;
  /** Absent where everybody on this machine may. */
  readonly tokens?: Tokens;
}

/** Files of the page hold nothing that is not in the package. */
const publicPaths = /^\/static\/[A-Za-z0-9._-]+$/;

/**
 * Who may talk to the server. A page of another site cannot: not under a name of its own that it points to this address
 * (Host), not by a form or a picture from its own page (Origin, Sec-Fetch-Site).
 */
export class Access {
  readonly #names: ReadonlySet<string>;
  readonly #allowed: ReadonlySet<string>;
  readonly #anyAddress: boolean;
  readonly #tokens: Tokens | undefined;

  constructor({ address, allowedHosts, hostName, tokens }: AccessOptions) {
    const isPrivate = isLoopback(address.host);
    const own = isPrivate ? [] : [hostName.toLowerCase(), `${hostName.toLowerCase()}.local`];
    this.#allowed = new Set(allowedHosts);
    this.#names = new Set(["localhost", "127.0.0.1", "::1", address.host, ...own, ...allowedHosts]);
    // No site can have an address as the name that it makes browsers look up.
    this.#anyAddress = !isPrivate;
    this.#tokens = tokens;
  }

  problem(request: IncomingMessage): Refusal | undefined {
    return (
      this.#hostProblem(request) ??
      this.#proxyProblem(request) ??
      this.#originProblem(request) ??
      this.#tokenProblem(request)
    );
  }

  /** Without a token, only this machine is let in. What comes through a proxy comes from anywhere. */
  #proxyProblem({ headers }: IncomingMessage): Refusal | undefined {
    const isOpen = this.#tokens === undefined;
    return isOpen && proxyHeaders.some((name) => headers[name] !== undefined) ? forwarded : undefined;
  }

  #hostProblem({ headers }: IncomingMessage): Refusal | undefined {
    const name = hostNameOf(headers.host ?? "");
    const isOwn = name !== undefined && (this.#names.has(name) || (this.#anyAddress && isIP(name) !== 0));
    return isOwn ? undefined : refusal(421, "WEB_HOST");
  }

  #originProblem({ headers, method }: IncomingMessage): Refusal | undefined {
    const { origin, host } = headers;
    if (origin !== undefined && !this.#isOwnOrigin(origin, host ?? "")) return refusal(403, "WEB_ORIGIN");
    const site = headers["sec-fetch-site"];
    if (site === undefined || site === "same-origin" || site === "none") return undefined;
    const follows = method === "GET" && headers["sec-fetch-mode"] === "navigate";
    // A link to the page is followed; a picture, a frame or a script from elsewhere is not served.
    return follows && headers["sec-fetch-dest"] === "document" ? undefined : refusal(403, "WEB_ORIGIN");
  }

  /** A proxy may have changed the Host, and then the names that it is known by stand in `allowedHosts`. */
  #isOwnOrigin(origin: string, host: string): boolean {
    if (!URL.canParse(origin)) return false;
    const { protocol, host: from, hostname } = new URL(origin);
    if (protocol !== "http:" && protocol !== "https:") return false;
    return from === withoutUsualPort(host, protocol) || this.#allowed.has(hostname);
  }

  #tokenProblem(request: IncomingMessage): Refusal | undefined {
    const path = pathOf(request.url ?? "");
    if (this.#tokens === undefined || path === loginPath || publicPaths.test(path)) return undefined;
    switch (this.#tokens.of(request)) {
      case "right":
        return undefined;
      case "wrong":
        return wantsPage(request) ? refusal(303, "WEB_LOGIN", { location: loginPath }) : unauthorized;
      case "limited":
        return this.#tokens.later;
    }
  }
}

const proxyHeaders = ["forwarded", "via", "x-forwarded-for", "x-forwarded-host", "x-forwarded-proto", "x-real-ip"];
const forwarded = refusal(403, "WEB_PROXY_NEEDS_TOKEN");

const unauthorized = refusal(401, "WEB_TOKEN", { "www-authenticate": "Bearer" });

function wantsPage({ method, headers }: IncomingMessage): boolean {
  const isAnonymous = headers.authorization === undefined;
  return method === "GET" && isAnonymous && (headers.accept ?? "").includes("text/html");
}

function hostNameOf(host: string): string | undefined {
  const [, bracketed, plain] = /^(?:\[([0-9A-Fa-f:.]+)\]|([A-Za-z0-9._-]+))(?::\d{1,5})?$/.exec(host) ?? [];
  return (bracketed ?? plain)?.toLowerCase();
}

/** As URLs are written: the port that goes without saying is left out. */
function withoutUsualPort(host: string, protocol: string): string {
  const usual = protocol === "https:" ? ":443" : ":80";
  return (host.endsWith(usual) ? host.slice(0, -usual.length) : host).toLowerCase();
}
