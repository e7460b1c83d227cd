import { createHash, createPrivateKey, createPublicKey, type KeyObject, sign } from "node:crypto";

/** Signs as minisign does, for releases of tests. */
export class TestSigner {
  readonly publicKey: string;
  readonly #id: Buffer;
  readonly #key: KeyObject;

  /** `seed` makes the key: one byte 32 times. */
  constructor(seed: number) {
    // PKCS#8 of Ed25519 (RFC 8410): a fixed opening, then the seed.
    const der = Buffer.concat([Buffer.from("302e020100300506032b657004220420", "hex"), Buffer.alloc(32, seed)]);
    this.#key = createPrivateKey({ key: der, format: "der", type: "pkcs8" });
    this.#id = Buffer.alloc(8, seed ^ 0xff);
    const raw = createPublicKey(this.#key).export({ format: "der", type: "spki" }).subarray(-32);
    this.publicKey = Buffer.concat([Buffer.from("Ed"), this.#id, raw]).toString("base64");
  }

  /** A whole `.minisig`. */
  sign(message: Buffer, { legacy = false, comment = "a release" } = {}): Buffer {
    const signed = legacy ? message : createHash("blake2b512").update(message).digest();
    const signature = sign(null, signed, this.#key);
    const first = Buffer.concat([Buffer.from(legacy ? "Ed" : "ED"), this.#id, signature]).toString("base64");
    const last = sign(null, Buffer.concat([signature, Buffer.from(comment)]), this.#key).toString("base64");
    const lines = ["untrusted comment: made by a test", first, `trusted comment: ${comment}`, last, ""];
    return Buffer.from(lines.join("\n"));
  }
}
