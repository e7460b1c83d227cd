import { createPrivateKey, createPublicKey, generateKeyPairSync, type KeyObject } from "node:crypto";
import { sign as signBytes, verify as verifyBytes } from "node:crypto";
import { AgentError } from "../core/errors.ts";
import { canonicalJson } from "./canonical-json.ts";

/**
 * Signatures of requests: Ed25519 over five lines without a last line break, none of which can hold one itself.
 *
 *     framepost-command-v1
 *     {root}
 *     {device}, group/{name} or all: the part of the topic between the root and /cmd/
 *     {command}
 *     {the envelope as it was sent, without sig, as canonical JSON (RFC 8785)}
 *
 * So a signature holds for one command to one recipient, and says nothing in any other protocol.
 */
const domain = "framepost-command-v1";

/** To whom a request goes: the words of its topic. */
export interface Recipient {
  readonly root: string;
  /** `{device}`, `group/{name}` or `all`. */
  readonly to: string;
  readonly command: string;
}

/** What an envelope has besides its `sig`. */
export interface Signable {
  /** Id of the key in the device's config. */
  readonly key: string;
  /** Higher than in every request that the key signed before. */
  readonly seq: number;
}

/** The envelope with its signature; to be sent as it is. Fails with `JSON_FORM` where it cannot be signed. */
export function sign<R extends Signable>(
  envelope: R,
  recipient: Recipient,
  privateKey: KeyObject,
): R & { readonly sig: string } {
  const sig = signBytes(null, signedBytes(canonicalJson({ ...envelope, sig: undefined }), recipient), privateKey);
  return { ...envelope, sig: sig.toString("base64") };
}

/** Whether `sig` is the key's for that canonical text of an envelope without its `sig`. */
export function isSigned(
  { unsigned, sig }: { readonly unsigned: string; readonly sig: string },
  recipient: Recipient,
  publicKey: KeyObject,
): boolean {
  return verifyBytes(null, signedBytes(unsigned, recipient), publicKey, Buffer.from(sig, "base64"));
}

function signedBytes(unsigned: string, { root, to, command }: Recipient): Buffer {
  return Buffer.from([domain, root, to, command, unsigned].join("\n"));
}

/**
 * A counter that goes up also when its file is lost: milliseconds of the signer's clock, or one more than the last where
 * that clock went back. Devices compare it with what they have seen, and never with a clock of theirs.
 */
export function nextSeq(lastSeq: number, nowMs: number): number {
  return Math.max(lastSeq + 1, Math.floor(nowMs));
}

export interface KeyTexts {
  /** For `remote.keys` of a device: 44 characters of base64. */
  readonly publicKey: string;
  /** PKCS #8 in PEM, as `openssl genpkey -algorithm ed25519` writes it. A secret. */
  readonly privateKey: string;
}

export function newKeyTexts(): KeyTexts {
  const { publicKey, privateKey } = generateKeyPairSync("ed25519");
  const pem = privateKey.export({ type: "pkcs8", format: "pem" });
  return { publicKey: publicKeyText(publicKey), privateKey: pem.toString() };
}

/** Fails with `SIGNING_KEY`; its text never holds the key. */
export function privateKeyOf(pem: string): KeyObject {
  return ed25519("a private key", () => createPrivateKey(pem));
}

/** The 32 bytes in base64, as a config has them. Fails with `SIGNING_KEY`. */
export function publicKeyOf(text: string): KeyObject {
  const x = Buffer.from(text, "base64").toString("base64url");
  return ed25519("a public key", () => createPublicKey({ key: { kty: "OKP", crv: "Ed25519", x }, format: "jwk" }));
}

/** Of a private key too: what a device has to know of it. */
export function publicKeyText(key: KeyObject): string {
  const { x = "" } = (key.type === "private" ? createPublicKey(key) : key).export({ format: "jwk" });
  return Buffer.from(x, "base64url").toString("base64");
}

function ed25519(what: string, read: () => KeyObject): KeyObject {
  const refused = (why: string) =>
    new AgentError("SIGNING_KEY", `reading ${what} for commands: ${why}`, { disposition: "fatal" });
  let key: KeyObject;
  try {
    key = read();
  } catch {
    // Without the cause: it may quote what it read.
    throw refused("it is none");
  }
  if (key.asymmetricKeyType !== "ed25519") throw refused("it is none of Ed25519");
  return key;
}
