import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, it } from "mocha";
import { minisignKeyOf, verifyMinisign } from "../../src/models/minisign.ts";
import { TestSigner } from "../lib/minisign.ts";
import { needsProgram } from "../lib/programs.ts";
import { tempFolder } from "../lib/temp.ts";

/** Made by minisign 0.11, of `{"a":1}\n`, with a key that was thrown away. */
const byMinisign = {
  message: Buffer.from('{"a":1}\n'),
  publicKey: "RWT7AGfRlfa7ncpuYC7OYPk62pL1UAFD3ZLt8fZ5yeOQdPSg5cOfX0h4",
  hashed: `untrusted comment: signature from minisign secret key
RUT7AGfRlfa7nYfYRJuFSEIdsfrVs3PwEJr04794SG52/b68HELh48CYCWcQ3yA40YB4B7WPJsrZdyJ+MZkrstZPE/u120ibSgY=
trusted comment: trusted hello
o//sKVfU+3ZtoRc+9hx1fKtlM6KsMjxcGHAGep4ZHKXS0VSpj6VRLmQPu9JqVaG5w+vG1sydUU0GzM3aWgdLCw==
`,
  legacy: `untrusted comment: signature from minisign secret key
RWT7AGfRlfa7nT2iKEOWyre3y6/XR/o983/nLfzpOEHeeOgiIedLM9c0M10uiiVcbmaPWODFffQCLs/U7uCmRZh54ajIfRKu9wE=
trusted comment: legacy
k0A39qc7Qmui4DV5r4V4Bt12N3Lf/x0AL0ecUpbicBEJzhX3JajTAo2J0UgNiI0by+olT0tuflEOfBL361MEAA==
`,
};
const refused = { code: "RELEASE_SIGNATURE", disposition: "reject" } as const;

describe("a minisign signature", () => {
  const key = minisignKeyOf(byMinisign.publicKey);

  it("of the program itself is right, in both of its forms", () => {
    assert.equal(verifyMinisign(byMinisign.message, Buffer.from(byMinisign.hashed), key), "trusted hello");
    assert.equal(verifyMinisign(byMinisign.message, Buffer.from(byMinisign.legacy), key), "legacy");
    const asOnWindows = byMinisign.hashed.replaceAll("\n", "\r\n");
    assert.equal(verifyMinisign(byMinisign.message, Buffer.from(asOnWindows), key), "trusted hello");
  });

  it("is wrong when one byte of the message, of the signature or of the trusted comment is another", () => {
    const { message, hashed } = byMinisign;
    assert.throws(() => verifyMinisign(Buffer.from('{"a":2}\n'), Buffer.from(hashed), key), refused);
    for (let at = "untrusted comment: ".length; at < hashed.length - 1; at += 1) {
      const changed = Buffer.from(hashed);
      changed[at] = (changed[at] ?? 0) ^ 1;
      // The untrusted comment may be anything.
      if (at < hashed.indexOf("\n")) assert.doesNotThrow(() => verifyMinisign(message, changed, key), `byte ${at}`);
      else assert.throws(() => verifyMinisign(message, changed, key), refused, `byte ${at}`);
    }
  });

  it("is wrong when it is cut anywhere, empty, far too long, or followed by more", () => {
    const { message, hashed } = byMinisign;
    for (let end = 0; end < hashed.length - 1; end += 1) {
      assert.throws(() => verifyMinisign(message, Buffer.from(hashed.slice(0, end)), key), refused, `${end} bytes`);
    }
    for (const more of ["\n", "x", hashed, "x".repeat(1_000_000)]) {
      assert.throws(() => verifyMinisign(message, Buffer.from(hashed + more), key), refused);
    }
  });

  it("of another key is refused, and names both", () => {
    const other = new TestSigner(7);
    const signature = other.sign(byMinisign.message);
    assert.throws(() => verifyMinisign(byMinisign.message, signature, key), {
      ...refused,
      message: /another key \(F8F8F8F8F8F8F8F8, expected 9DBBF695D16700FB\)/,
    });
    // The same id with another key: somebody who only copied the id.
    const forged = Buffer.from(other.publicKey, "base64");
    key.id.copy(forged, 2);
    const own = minisignKeyOf(forged.toString("base64"));
    assert.throws(() => verifyMinisign(byMinisign.message, Buffer.from(byMinisign.hashed), own), refused);
  });

  it("needs a key that is one", () => {
    const short = byMinisign.publicKey.slice(0, -4);
    const secret = `RWRTY0Iy${byMinisign.publicKey.slice(8)}`.replace("RWR", "RUR");
    for (const text of ["", "RW", short, `${byMinisign.publicKey}AAAA`, secret, "RW".repeat(28)]) {
      assert.throws(
        () => {
          const parsed = minisignKeyOf(text);
          verifyMinisign(byMinisign.message, Buffer.from(byMinisign.hashed), parsed);
        },
        { code: /^RELEASE_(KEY|SIGNATURE)$/ },
        text,
      );
    }
  });

  it("of the tests' own signer is right for minisign too", async function () {
    needsProgram(this, "minisign", "minisign");
    await using folder = await tempFolder();
    const signer = new TestSigner(9);
    const message = Buffer.from("a release\n");
    await writeFile(join(folder.path, "m"), message);
    for (const legacy of [false, true]) {
      const signature = signer.sign(message, { legacy, comment: "über" });
      assert.equal(verifyMinisign(message, signature, minisignKeyOf(signer.publicKey)), "über");
      await writeFile(join(folder.path, "m.minisig"), signature);
      const said = spawnSync("minisign", ["-Vm", join(folder.path, "m"), "-P", signer.publicKey], { encoding: "utf8" });
      assert.equal(said.status, 0, said.stderr);
    }
  });
});
