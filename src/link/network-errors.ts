import type { Disposition } from "../core/errors.ts";

/** What a foreign error means for the rest of the program. */
export interface Meaning {
  readonly code: string;
  readonly disposition: Disposition;
  readonly text: string;
}

const errnos: Readonly<Record<string, Meaning>> = {
  ECONNREFUSED: { code: "NET_REFUSED", disposition: "retry", text: "connection refused" },
  ENOTFOUND: { code: "NET_DNS", disposition: "retry", text: "the host name is not known" },
  EAI_AGAIN: { code: "NET_DNS", disposition: "retry", text: "the name server does not answer" },
  EAI_FAIL: { code: "NET_DNS", disposition: "retry", text: "the name server failed" },
  ENODATA: { code: "NET_DNS", disposition: "retry", text: "the host name has no address" },
  EHOSTUNREACH: { code: "NET_UNREACHABLE", disposition: "retry", text: "no route to the host" },
  EHOSTDOWN: { code: "NET_UNREACHABLE", disposition: "retry", text: "the host is down" },
  ENETUNREACH: { code: "NET_UNREACHABLE", disposition: "retry", text: "no route to the network" },
  ENETDOWN: { code: "NET_UNREACHABLE", disposition: "retry", text: "the network is down" },
  EADDRNOTAVAIL: { code: "NET_UNREACHABLE", disposition: "retry", text: "no local address to connect from" },
  EACCES: { code: "NET_UNREACHABLE", disposition: "retry", text: "the system forbids the connection" },
  EPERM: { code: "NET_UNREACHABLE", disposition: "retry", text: "a firewall forbids the connection" },
  ECONNRESET: { code: "NET_RESET", disposition: "retry", text: "the connection was cut" },
  EPIPE: { code: "NET_RESET", disposition: "retry", text: "the connection was cut" },
  ETIMEDOUT: { code: "NET_CONNECT_TIMEOUT", disposition: "retry", text: "no answer to the connection attempt" },
  EPROTO: { code: "TLS_FAILED", disposition: "fatal", text: "no TLS connection could be agreed on" },
};

/** Verification results of OpenSSL, whose names Node passes on as codes. */
const untrusted =
  /^(CERT_|DEPTH_ZERO_|SELF_SIGNED_|UNABLE_TO_|INVALID_(CA|PURPOSE)|HOSTNAME_MISMATCH|PATH_LENGTH|ERR_TLS_CERT)/;
const clientCertificate =
  /^ERR_SSL_.*ALERT_((BAD|UNSUPPORTED)_CERTIFICATE|CERTIFICATE_|NO_CERTIFICATE|UNKNOWN_CA|ACCESS_DENIED)/;

/**
 * What a socket or TLS reports by an errno or an OpenSSL code, the same over every protocol; undefined where the code is
 * neither. `detail` is foreign text for a person, already short and one line; used only where the code says too little.
 */
export function networkMeaning(errno: string, detail: string): Meaning | undefined {
  const known = errnos[errno];
  if (known !== undefined) return known;
  if (untrusted.test(errno)) {
    return { code: "TLS_UNTRUSTED", disposition: "fatal", text: `the server's certificate is not trusted: ${detail}` };
  }
  if (clientCertificate.test(errno)) {
    return { code: "TLS_CLIENT_CERT", disposition: "fatal", text: "the server does not accept our client certificate" };
  }
  if (/^ERR_(SSL|TLS|OSSL)_/.test(errno)) {
    return { code: "TLS_FAILED", disposition: "fatal", text: "no TLS connection could be agreed on" };
  }
  return undefined;
}
