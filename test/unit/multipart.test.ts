import assert from "node:assert/strict";
import fc from "fast-check";
import { describe, it } from "mocha";
import { type FormPart, multipartBody } from "../../src/link/multipart.ts";
import { ContractViolation } from "../../src/sandbox/checks.ts";
import { multipartBody as parsed } from "../../src/sandbox/multipart.ts";

function encoded(parts: readonly FormPart[]): { readonly contentType: string; readonly body: Buffer } {
  const { contentType, body } = multipartBody(parts);
  return { contentType, body: Buffer.concat(body) };
}

describe("a multipart body", () => {
  it("is read back by Node's own parser as it was meant", async () => {
    const image = Buffer.from([0, 13, 10, 45, 45, 255, 216, 13, 10]);
    const { contentType, body } = encoded([
      { name: "imagesMetadata[0][name]", value: "größe.jpg" },
      { name: "empty", value: "" },
      { name: "files", fileName: 'a "quoted".jpg', contentType: "image/jpeg", value: image },
    ]);
    // eslint-disable-next-line @typescript-eslint/no-deprecated -- discouraged for large bodies; here it is a second opinion
    const form = await new Response(body, { headers: { "content-type": contentType } }).formData();
    assert.deepEqual([...form.keys()], ["imagesMetadata[0][name]", "empty", "files"]);
    assert.equal(form.get("imagesMetadata[0][name]"), "größe.jpg");
    assert.equal(form.get("empty"), "");
    const file = form.get("files");
    assert.ok(file instanceof File);
    assert.deepEqual([file.name, file.type], ['a "quoted".jpg', "image/jpeg"]);
    assert.deepEqual(Buffer.from(await file.arrayBuffer()), image);
  });

  it("keeps any bytes in any order", () => {
    const part = fc
      .tuple(
        fc.stringMatching(/^[a-z[\]0-9]{1,20}$/),
        fc.stringMatching(/^[A-Za-z0-9._-]{1,20}$/),
        fc.uint8Array({ maxLength: 60 }),
      )
      .map(([name, fileName, bytes]) => ({ name, fileName, value: Buffer.from(bytes) }));
    fc.assert(
      fc.property(fc.array(part, { minLength: 1, maxLength: 6 }), (parts) => {
        const { contentType, body } = encoded(parts);
        const read = parsed(contentType, body).map(({ name, fileName, body }) => ({ name, fileName, value: body }));
        assert.deepEqual(read, parts);
      }),
    );
  });

  it("copies no picture", () => {
    const image = Buffer.alloc(100, 7);
    const { body } = multipartBody([
      { name: "a", value: "b" },
      { name: "files", fileName: "a.jpg", value: image },
    ]);
    assert.equal(body.filter((piece) => piece === image).length, 1);
    assert.equal(body.length, 3);
  });

  it("is refused by the sandboxes where anything is missing", () => {
    const { contentType, body } = encoded([{ name: "a", value: "b" }]);
    const text = body.toString();
    const broken: readonly (readonly [string, string, RegExp])[] = [
      ["application/json", text, /not multipart/],
      [contentType, text.slice(2), /first boundary/],
      [contentType, text.slice(0, -4), /a boundary is not followed|last boundary/],
      [contentType, text.replace('name="a"', "nothing"), /no name/],
      [contentType, text.replace("\r\n\r\n", "\r\n"), /end of its headers/],
    ];
    for (const [type, changed, why] of broken) {
      assert.throws(
        () => parsed(type, Buffer.from(changed)),
        (error: unknown) => error instanceof ContractViolation && why.test(error.message),
      );
    }
  });
});
