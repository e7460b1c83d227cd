import { createHash } from "node:crypto";
import type { Challenge } from "./challenge.ts";

/** HTTP Digest (RFC 7616), with the older forms of RFC 2069 and RFC 2617 that cameras still speak. */

export interface Credentials {
  readonly username: string;
  readonly password: string;
}

/** A server's challenge that can be answered. */
export interface DigestChallenge {
  readonly realm: string;
  readonly nonce: string;
  readonly opaque: string | undefined;
  /** As the server wrote it; absent means MD5. */
  readonly algorithm: string | undefined;
  readonly hash: "md5" | "sha256" | "sha512-256";
  readonly session: boolean;
  /** False for the form of RFC 2069, without counter and client nonce. */
  readonly qop: boolean;
  /** The nonce is too old, and the password was right. */
  readonly stale: boolean;
  readonly userhash: boolean;
  readonly utf8: boolean;
}

/** What one answer is computed for. */
export interface DigestRequest {
  readonly method: string;
  /** The request target as it is sent, with its query. */
  readonly uri: string;
  /** Answers given to this nonce, this one included. */
  readonly count: number;
  readonly cnonce: string;
}

const hashes = { MD5: "md5", "SHA-256": "sha256", "SHA-512-256": "sha512-256" } as const;
/** Strongest first. */
const strengths = ["sha512-256", "sha256", "md5"] as const;

/** The strongest challenge that can be answered; undefined when there is none. */
export function strongestDigest(challenges: readonly Challenge[]): DigestChallenge | undefined {
  const known = challenges.flatMap((challenge) => digestChallenge(challenge) ?? []);
  return strengths.flatMap((hash) => known.filter((challenge) => challenge.hash === hash))[0];
}

function digestChallenge({ scheme, parameters }: Challenge): DigestChallenge | undefined {
  const nonce = parameters.get("nonce");
  if (scheme !== "digest" || nonce === undefined) return undefined;
  const algorithm = parameters.get("algorithm");
  const [, name = "", sess] =
    /^(.*?)(-sess)?$/.exec((algorithm ?? "MD5").toUpperCase().replace(/-SESS$/, "-sess")) ?? [];
  const hash = Object.entries(hashes).find(([known]) => known === name)?.[1];
  const qops = parameters
    .get("qop")
    ?.toLowerCase()
    .split(/[\s,]+/);
  // auth-int alone would need the whole body to be hashed; no camera is known to ask for it.
  if (hash === undefined || (qops !== undefined && !qops.includes("auth") && !qops.includes(""))) return undefined;
  return {
    realm: parameters.get("realm") ?? "",
    nonce,
    opaque: parameters.get("opaque"),
    algorithm,
    hash,
    session: sess !== undefined,
    qop: qops?.includes("auth") ?? false,
    stale: parameters.get("stale")?.toLowerCase() === "true",
    userhash: parameters.get("userhash")?.toLowerCase() === "true",
    utf8: parameters.get("charset")?.toLowerCase() === "utf-8",
  };
}

/**
 * The value of the `Authorization` header (RFC 7616, section 3.4). All texts here hold one byte in each character, as
 * Node hands headers over and sends them: what a server wrote goes back, and into the hash, byte by byte.
 */
export function digestAuthorization(
  challenge: DigestChallenge,
  credentials: Credentials,
  { method, uri, count, cnonce }: DigestRequest,
): string {
  const { realm, nonce, opaque, algorithm, session, qop, userhash } = challenge;
  const h = (text: string) => createHash(challenge.hash).update(text, "latin1").digest("hex");
  const username = inBytes(credentials.username);
  const nc = count.toString(16).padStart(8, "0");
  const secret = h(`${username}:${realm}:${inBytes(credentials.password)}`);
  const a1 = session ? h(`${secret}:${nonce}:${cnonce}`) : secret;
  const a2 = h(`${method}:${uri}`);
  const response = h(qop ? `${a1}:${nonce}:${nc}:${cnonce}:auth:${a2}` : `${a1}:${nonce}:${a2}`);
  return `Digest ${[
    userhash ? `username="${h(`${username}:${realm}`)}"` : usernameField(challenge, credentials.username),
    `realm=${quoted(realm)}`,
    `nonce=${quoted(nonce)}`,
    `uri=${quoted(uri)}`,
    `response="${response}"`,
    ...(algorithm === undefined ? [] : [`algorithm=${algorithm}`]),
    ...(opaque === undefined ? [] : [`opaque=${quoted(opaque)}`]),
    ...(qop ? ["qop=auth", `nc=${nc}`] : []),
    ...(qop || session ? [`cnonce=${quoted(cnonce)}`] : []),
    ...(userhash ? ["userhash=true"] : []),
  ].join(", ")}`;
}

/** The value of the `Authorization` header (RFC 7617). Servers that say no charset get UTF-8 too, as from browsers. */
export function basicAuthorization({ username, password }: Credentials): string {
  return `Basic ${Buffer.from(`${username}:${password}`.normalize("NFC"), "utf8").toString("base64")}`;
}

function usernameField({ utf8 }: DigestChallenge, username: string): string {
  if (!utf8 || /^[\x20-\x7e]*$/.test(username)) return `username=${quoted(inBytes(username))}`;
  const encoded = encodeURIComponent(username.normalize("NFC")).replaceAll(/['()*]/g, percentEncoded);
  return `username*=UTF-8''${encoded}`;
}

function percentEncoded(character: string): string {
  return `%${character.charCodeAt(0).toString(16).toUpperCase()}`;
}

function quoted(text: string): string {
  return `"${text.replaceAll(/[\\"]/g, "\\$&")}"`;
}

/** UTF-8, one byte in each character. */
function inBytes(text: string): string {
  return Buffer.from(text.normalize("NFC"), "utf8").toString("latin1");
}
