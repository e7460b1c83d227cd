import { type DetailedPeerCertificate, connect } from "node:tls";
import { AgentError } from "../core/errors.ts";
import { Deadline } from "./deadline.ts";
import { readTlsOptions, type TlsSettings } from "./tls.ts";

export interface PeerCertificate {
  /** Its common name, else its whole subject. */
  readonly subject: string;
  readonly validToMs: number;
}

/** A chain longer than this is none. */
const chainMax = 10;

/**
 * The certificates that a server shows, its own first, without the root that it need not show. It is only asked for them:
 * whether they are trusted is for whoever talks to it. Fails with `TLS_…` or `NET_…`.
 */
export async function peerCertificates(
  { host, port, tls }: { readonly host: string; readonly port: number; readonly tls?: TlsSettings | undefined },
  timeoutMs: number,
  signal: AbortSignal,
): Promise<readonly PeerCertificate[]> {
  const options = tls === undefined ? {} : await readTlsOptions(tls);
  return await new Promise((resolve, reject) => {
    const servername = tls?.servername ?? (/[a-z]/i.test(host) && !host.includes(":") ? host : "");
    const socket = connect({ ...options, host, port, servername, rejectUnauthorized: false });
    const attempted = `asking ${host}:${port} for its certificate`;
    const fail = (code: string, why: string) =>
      socket.destroy(new AgentError(code, `${attempted}: ${why}`, { disposition: "retry" }));
    const deadline = new Deadline(timeoutMs, signal, () => fail("NET_TIMEOUT", "no answer in time"));
    socket.once("secureConnect", () => {
      resolve(chainOf(socket.getPeerCertificate(true)));
      socket.destroy();
    });
    socket.once("error", (error: Error) => {
      reject(
        error instanceof AgentError
          ? error
          : new AgentError("TLS_FAILED", `${attempted}: ${error.message}`, { disposition: "retry", cause: error }),
      );
    });
    socket.once("close", () => deadline.clear());
  });
}

function chainOf(first: DetailedPeerCertificate): readonly PeerCertificate[] {
  const chain: PeerCertificate[] = [];
  let shown: DetailedPeerCertificate | undefined = first;
  // One without a subject is what Node gives where a server shows none.
  while (shown !== undefined && Object.keys(shown).length > 0 && chain.length < chainMax) {
    // Absent where the server does not show who signed.
    const issuer: DetailedPeerCertificate | undefined = shown.issuerCertificate;
    const isRoot: boolean = issuer === shown;
    if (!isRoot || chain.length === 0) chain.push({ subject: nameOf(shown), validToMs: Date.parse(shown.valid_to) });
    shown = isRoot ? undefined : issuer;
  }
  return chain;
}

function nameOf({ subject }: DetailedPeerCertificate): string {
  const { CN: name } = subject;
  return typeof name === "string" && name !== "" ? name : Object.values(subject).flat().join(", ");
}
