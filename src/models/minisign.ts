import { createHash, createPublicKey, type KeyObject, verify } from "node:crypto";
import { AgentError } from "../core/errors.ts";
import { modelLimits } from "../core/model-limits.ts";

/**
 * Verifies what minisign has signed. As documented by minisign (https://jedisct1.github.io/minisign/, "Signature
 * format"): a public key is base64 of "Ed", a key id of 8 bytes and an Ed25519 key of 32. A signature file has four lines: an
 * untrusted comment; base64 of the algorithm, the key id and the signature; a trusted comment; base64 of a second
 * signature, over the first and the trusted comment. "Ed" signs the message itself, "ED" its BLAKE2b-512 hash.
 */

export interface MinisignKey {
  readonly id: Buffer;
  readonly key: KeyObject;
}

interface SignatureFile {
  readonly isHashed: boolean;
  readonly keyId: Buffer;
  readonly signature: Buffer;
  readonly trustedComment: Buffer;
  readonly globalSignature: Buffer;
}

const keyBytes = { algorithm: 2, id: 8, key: 32 } as const;
const signatureBytes = 64;
const untrusted = "untrusted comment: ";
const trusted = "trusted comment: ";

/** The line that begins with RW. Fails with `RELEASE_KEY`. */
export function minisignKeyOf(text: string): MinisignKey {
  const { algorithm, id, key } = keyBytes;
  const bytes = base64Of(text.trim(), algorithm + id + key);
  if (bytes?.toString("latin1", 0, algorithm) !== "Ed") {
    throw new AgentError("RELEASE_KEY", "reading a minisign public key: it is none", { disposition: "fatal" });
  }
  const x = bytes.subarray(algorithm + id).toString("base64url");
  try {
    return {
      id: bytes.subarray(algorithm, algorithm + id),
      key: createPublicKey({ key: { kty: "OKP", crv: "Ed25519", x }, format: "jwk" }),
    };
  } catch (cause) {
    throw new AgentError("RELEASE_KEY", "reading a minisign public key: it holds no Ed25519 key", {
      disposition: "fatal",
      cause,
    });
  }
}

/**
 * The trusted comment, when `file` (a whole `.minisig`) is a signature of `message` by this key. Fails with
 * `RELEASE_SIGNATURE`.
 */
export function verifyMinisign(message: Buffer, file: Buffer, { id, key }: MinisignKey): string {
  const { isHashed, keyId, signature, trustedComment, globalSignature } = signatureFileOf(file);
  if (!keyId.equals(id)) {
    throw wrong(`it was made with another key (${keyName(keyId)}, expected ${keyName(id)})`);
  }
  const signed = isHashed ? createHash("blake2b512").update(message).digest() : message;
  if (!verify(null, signed, key, signature)) throw wrong("it does not belong to this file");
  if (!verify(null, Buffer.concat([signature, trustedComment]), key, globalSignature)) {
    throw wrong("its trusted comment was changed");
  }
  return trustedComment.toString("utf8");
}

function signatureFileOf(file: Buffer): SignatureFile {
  if (file.length > modelLimits.signatureBytesMax) throw wrong(`it has ${file.length} bytes`);
  // One character a byte: the trusted comment is signed as the bytes that it is.
  const lines = file
    .toString("latin1")
    .replace(/\r?\n$/, "")
    .split(/\r?\n/);
  const [comment = "", first = "", second = "", last = ""] = lines;
  if (lines.length !== 4 || !comment.startsWith(untrusted) || !second.startsWith(trusted)) {
    throw wrong("it is no minisign signature");
  }
  const { algorithm, id } = keyBytes;
  const bytes = base64Of(first, algorithm + id + signatureBytes);
  const globalSignature = base64Of(last, signatureBytes);
  const kind = bytes?.toString("latin1", 0, algorithm);
  if (bytes === undefined || globalSignature === undefined || (kind !== "Ed" && kind !== "ED")) {
    throw wrong("it is no minisign signature");
  }
  return {
    isHashed: kind === "ED",
    keyId: bytes.subarray(algorithm, algorithm + id),
    signature: bytes.subarray(algorithm + id),
    trustedComment: Buffer.from(second.slice(trusted.length), "latin1"),
    globalSignature,
  };
}

/** Undefined unless it is the one way to write so many bytes. */
function base64Of(text: string, length: number): Buffer | undefined {
  const bytes = Buffer.from(text, "base64");
  return bytes.length === length && bytes.toString("base64") === text ? bytes : undefined;
}

/** As minisign prints it: a little-endian number. */
function keyName(id: Buffer): string {
  return Buffer.from(id).reverse().toString("hex").toUpperCase();
}

function wrong(why: string): AgentError {
  return new AgentError("RELEASE_SIGNATURE", `checking the signature of a release: ${why}`, { disposition: "reject" });
}
