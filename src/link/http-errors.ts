import { AgentError, type Disposition } from "../core/errors.ts";

/**
 * How a request that got no answer is told to the rest of the program. Nothing of the request travels in the error: an
 * error of an HTTP library holds the headers, the token and the whole body, and one log line would publish them.
 */
export interface LinkFault {
  /** An errno, an OpenSSL or parser code, as Node reports it. */
  readonly errno: string | undefined;
  /** Foreign text for a person, already short and one line; used only where the code says too little. */
  readonly detail: string;
}

interface Reading {
  readonly code: string;
  readonly disposition: Disposition;
  readonly what: string;
}

const errnos: Readonly<Record<string, Reading>> = {
  ECONNREFUSED: { code: "NET_REFUSED", disposition: "retry", what: "connection refused" },
  ENOTFOUND: { code: "NET_DNS", disposition: "retry", what: "the host name is not known" },
  EAI_AGAIN: { code: "NET_DNS", disposition: "retry", what: "the name server does not answer" },
  EAI_FAIL: { code: "NET_DNS", disposition: "retry", what: "the name server failed" },
  ENODATA: { code: "NET_DNS", disposition: "retry", what: "the host name has no address" },
  EHOSTUNREACH: { code: "NET_UNREACHABLE", disposition: "retry", what: "no route to the host" },
  EHOSTDOWN: { code: "NET_UNREACHABLE", disposition: "retry", what: "the host is down" },
  ENETUNREACH: { code: "NET_UNREACHABLE", disposition: "retry", what: "no route to the network" },
  ENETDOWN: { code: "NET_UNREACHABLE", disposition: "retry", what: "the network is down" },
  EADDRNOTAVAIL: { code: "NET_UNREACHABLE", disposition: "retry", what: "no local address to connect from" },
  EACCES: { code: "NET_UNREACHABLE", disposition: "retry", what: "the system forbids the connection" },
  EPERM: { code: "NET_UNREACHABLE", disposition: "retry", what: "a firewall forbids the connection" },
  ECONNRESET: { code: "NET_RESET", disposition: "retry", what: "the connection was cut" },
  EPIPE: { code: "NET_RESET", disposition: "retry", what: "the connection was cut" },
  ETIMEDOUT: { code: "NET_CONNECT_TIMEOUT", disposition: "retry", what: "no answer to the connection attempt" },
  EPROTO: { code: "TLS_FAILED", disposition: "fatal", what: "no TLS connection could be agreed on" },
};

/** Verification results of OpenSSL, whose names Node passes on as codes. */
const untrusted =
  /^(CERT_|DEPTH_ZERO_|SELF_SIGNED_|UNABLE_TO_|INVALID_(CA|PURPOSE)|HOSTNAME_MISMATCH|PATH_LENGTH|ERR_TLS_CERT)/;
const clientCertificate =
  /^ERR_SSL_.*ALERT_((BAD|UNSUPPORTED)_CERTIFICATE|CERTIFICATE_|NO_CERTIFICATE|UNKNOWN_CA|ACCESS_DENIED)/;

export function linkError(attempted: string, fault: LinkFault): AgentError {
  const { errno, detail } = fault;
  const { code, disposition, what } = readingOf(errno, detail);
  return new AgentError(code, `${attempted}: ${what}${errno === undefined ? "" : ` (${errno})`}`, {
    disposition,
    ...(errno === undefined ? {} : { facts: { errno } }),
  });
}

function readingOf(errno: string | undefined, detail: string): Reading {
  const known = errnos[errno ?? ""];
  if (known !== undefined) return known;
  const name = errno ?? "";
  if (untrusted.test(name)) {
    return { code: "TLS_UNTRUSTED", disposition: "fatal", what: `the server's certificate is not trusted: ${detail}` };
  }
  if (clientCertificate.test(name)) {
    return { code: "TLS_CLIENT_CERT", disposition: "fatal", what: "the server does not accept our client certificate" };
  }
  if (/^ERR_(SSL|TLS|OSSL)_/.test(name)) {
    return { code: "TLS_FAILED", disposition: "fatal", what: "no TLS connection could be agreed on" };
  }
  if (/^(HPE_|Z_|ERR__ERROR_FORMAT)/.test(name)) {
    return { code: "HTTP_NOT_THE_PLATFORM", disposition: "retry", what: "what came back is damaged or not HTTP" };
  }
  return { code: "NET_RESET", disposition: "retry", what: `the exchange failed: ${detail}` };
}

/** A URL as it may be printed: no user, no password, no query. */
export function shownUrl(url: string): string {
  if (!URL.canParse(url)) return "an address that is not a URL";
  const { origin, pathname } = new URL(url);
  return origin + pathname;
}
