import { createCipheriv, createDecipheriv, createHmac, randomBytes } from "node:crypto";
import { AgentError } from "../core/errors.ts";
import { keyForm, keyOfText } from "../core/key-text.ts";
import { spoolLimits } from "../core/spool-limits.ts";

/**
 * AES-256-GCM of one record as two messages, so that its metadata can be read without its JPEG. Invariants: no nonce is
 * ever used twice with a key, and the two messages of a record cannot be exchanged: both have the record's nonce, but
 * for its last bit, which says which of them it is. The other 95 bits are random: after 2^32 records under one key the
 * chance that any two are alike is still only one in 2^32.
 */

const algorithm = "aes-256-gcm";

export const nonceBytes = 12;
export const tagBytes = 16;

export type Message = "image" | "metadata";

/** What is known of a message without the key. */
export interface MessageHead {
  readonly nonce: Buffer;
  /** Vouched for, not hidden. */
  readonly associated: Buffer;
}

export interface Encrypted {
  readonly bytes: Buffer;
  readonly tag: Buffer;
}

/** Fails with `SPOOL_KEY_INVALID`, whose message never shows the text. */
export function keyOf(text: string): Buffer {
  const key = keyOfText(text);
  if (key !== undefined) return key;
  throw new AgentError("SPOOL_KEY_INVALID", `take spool.encryption.key: ${keyForm}`, { disposition: "fatal" });
}

export function keyMissing(folder: string): AgentError {
  const message = `open ${folder}: it holds encrypted records, and no key is configured`;
  return new AgentError("SPOOL_KEY_MISSING", message, { disposition: "fatal" });
}

export function keyWrong(folder: string): AgentError {
  const message = `open ${folder}: it holds records that were encrypted with another key`;
  return new AgentError("SPOOL_KEY_WRONG", message, { disposition: "fatal" });
}

/** Not from the seam: what a test can repeat, an attacker may. */
export function newNonce(): Buffer {
  return nonceOf("image", randomBytes(nonceBytes));
}

/** Tells a key from another, and nothing about the key itself. */
export function checkValueOf(key: Uint8Array): string {
  return createHmac("sha256", key).update("framepost spool key").digest("hex").slice(0, 32);
}

export class RecordCipher {
  readonly #key: Uint8Array;
  #imported: ReturnType<typeof crypto.subtle.importKey> | undefined;

  /** 32 bytes. */
  constructor(key: Uint8Array) {
    this.#key = key;
  }

  /** Large messages in another thread: they take longer than the loop may stand still. */
  async encrypt(message: Message, { nonce, associated }: MessageHead, plain: Buffer): Promise<Encrypted> {
    const iv = nonceOf(message, nonce);
    if (plain.length > spoolLimits.hashHereBytesMax) {
      const algorithmOf = { name: "AES-GCM", iv, additionalData: associated, tagLength: tagBytes * 8 };
      const sealed = Buffer.from(await crypto.subtle.encrypt(algorithmOf, await this.#subtleKey(), plain));
      return { bytes: sealed.subarray(0, plain.length), tag: sealed.subarray(plain.length) };
    }
    const cipher = createCipheriv(algorithm, this.#key, iv, { authTagLength: tagBytes });
    cipher.setAAD(associated);
    const bytes = cipher.update(plain);
    cipher.final();
    return { bytes, tag: cipher.getAuthTag() };
  }

  /** Undefined when this key did not make these bytes with this tag, nonce and associated data. */
  async decrypt(message: Message, head: MessageHead, encrypted: Encrypted): Promise<Buffer | undefined> {
    const { bytes, tag } = encrypted;
    if (bytes.length <= spoolLimits.hashHereBytesMax) return this.decryptHere(message, head, encrypted);
    const { nonce, associated } = head;
    const iv = nonceOf(message, nonce);
    const algorithmOf = { name: "AES-GCM", iv, additionalData: associated, tagLength: tagBytes * 8 };
    const key = await this.#subtleKey();
    try {
      return Buffer.from(await crypto.subtle.decrypt(algorithmOf, key, Buffer.concat([bytes, tag])));
    } catch (error) {
      if (error instanceof Error && error.name === "OperationError") return undefined;
      throw error;
    }
  }

  /** The same in this thread, whatever its size. */
  decryptHere(message: Message, { nonce, associated }: MessageHead, { bytes, tag }: Encrypted): Buffer | undefined {
    const cipher = createDecipheriv(algorithm, this.#key, nonceOf(message, nonce), { authTagLength: tagBytes });
    cipher.setAAD(associated);
    cipher.setAuthTag(tag);
    const plain = cipher.update(bytes);
    try {
      cipher.final();
    } catch {
      return undefined;
    }
    return plain;
  }

  async #subtleKey(): ReturnType<typeof crypto.subtle.importKey> {
    this.#imported ??= crypto.subtle.importKey("raw", this.#key, "AES-GCM", false, ["encrypt", "decrypt"]);
    return await this.#imported;
  }
}

function nonceOf(message: Message, nonce: Buffer): Buffer {
  const own = Buffer.from(nonce);
  const last = own.length - 1;
  own[last] = message === "image" ? (own[last] ?? 0) & 0xfe : (own[last] ?? 0) | 1;
  return own;
}
