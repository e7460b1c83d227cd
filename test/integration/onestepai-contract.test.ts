import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { afterEach, beforeEach, describe, it } from "mocha";
import {
  OnestepaiSandbox,
  sandboxDatasetId,
  type OnestepaiSandboxOptions,
} from "../../src/sandbox/onestepai/server.ts";
import { samplePng } from "../lib/pngs.ts";
import { sampleJpeg } from "../lib/records.ts";
import { SimulatedClock } from "../lib/seams.ts";
import { sampleVoc } from "../lib/voc.ts";

const accessToken = "contract-access-token";
const json = { "Content-Type": "application/json" };
const voc = sampleVoc({ name: "a.jpg", width: 64, height: 48 });
const base64 = (text: string) => Buffer.from(text).toString("base64");

type Part = readonly [name: string, value: string | Buffer, fileName?: string | undefined];

const meta = (field: string, index = 0) => `imagesMetadata[${index}][${field}]`;

describe("OneStepAI sandbox", () => {
  let sandbox: OnestepaiSandbox;
  let url: string;
  let jwt: string;
  let category: string;
  let upload: string;
  const clock = new SimulatedClock();

  async function begin(options: Partial<OnestepaiSandboxOptions> = {}): Promise<void> {
    sandbox = new OnestepaiSandbox({ accessToken, clock, unlockAfterMs: 60_000, ...options });
    ({ url } = await sandbox.start());
  }
  beforeEach(async () => {
    await begin();
    jwt = await (await signIn(JSON.stringify(accessToken))).text();
    category = String(await idFrom("/Categories", { datasetId: sandboxDatasetId, name: "gate" }));
    upload = await (await post(`/Datasets/${sandboxDatasetId}/StartUploading`)).text();
  });
  afterEach(() => sandbox.stop());

  const signIn = (body: string, headers: Readonly<Record<string, string>> = json) =>
    fetch(`${url}/Users/SignIn`, { method: "POST", headers, body });
  const post = (path: string, body?: string | Buffer, headers: Readonly<Record<string, string>> = {}) =>
    fetch(url + path, {
      method: "POST",
      headers: { Authorization: `Bearer ${jwt}`, ...headers },
      ...(body === undefined ? {} : { body }),
    });
  const idFrom = async (path: string, fields: object) => {
    const answer = (await (await post(path, JSON.stringify(fields), json)).json()) as { readonly id: number };
    return answer.id;
  };

  const good = (): readonly Part[] => [
    ["datasetId", String(sandboxDatasetId)],
    ["datasetUploadId", upload],
    [meta("name"), "a.jpg"],
    [meta("annotationType"), "0"],
    [meta("annotation"), base64(voc)],
    [meta("classifyCategoryId"), category],
    ["imagesFiles", sampleJpeg(), "a.jpg"],
  ];
  const changed = (name: string, value: string | Buffer, fileName?: string): readonly Part[] =>
    good().map((part) => (part[0] === name ? [name, value, fileName ?? part[2]] : part));
  const without = (...names: readonly string[]) => good().filter(([name]) => !names.includes(name));
  const unannotated = (): readonly Part[] => [
    ...without(meta("annotationType"), meta("annotation")),
    [meta("annotation"), ""],
  ];

  async function send(parts: readonly Part[], query = "skipUnsupportedImages=false"): Promise<number> {
    const pieces = parts.map(([name, value, fileName]) => {
      const file = fileName === undefined ? "" : `; filename="${fileName}"`;
      const head = `--edge\r\nContent-Disposition: form-data; name="${name}"${file}\r\n\r\n`;
      return Buffer.concat([Buffer.from(head), Buffer.from(value), Buffer.from("\r\n")]);
    });
    const body = Buffer.concat([...pieces, Buffer.from("--edge--\r\n")]);
    const headers = { "Content-Type": "multipart/form-data; boundary=edge" };
    return (await post(`/Images/UploadChunk?${query}`, body, headers)).status;
  }

  it("takes what the document's code sends, with and without an annotation, .jpg and .png", async () => {
    assert.equal(await send(good(), "skipUnsupportedImages=False"), 200);
    assert.equal(await send(unannotated()), 200);
    const png = sampleVoc({ name: "b.png", width: 33, height: 17 });
    const parts = changed(meta("name"), "b.png").map((part): Part =>
      part[0] === "imagesFiles"
        ? ["imagesFiles", samplePng(33, 17), "b.png"]
        : part[0] === meta("annotation")
          ? [part[0], base64(png)]
          : part,
    );
    assert.equal(await send(parts), 200);
    const finish = await post(`/Datasets/${sandboxDatasetId}/FinishUploading?datasetUploadId=${upload}`);
    assert.equal(finish.status, 200);
    assert.deepEqual(sandbox.violations(), []);
    assert.deepEqual(
      sandbox.chunks().map(({ name, boxes }) => [name, boxes?.length]),
      [
        ["a.jpg", 1],
        ["a.jpg", undefined],
        ["b.png", 1],
      ],
    );
  });

  const refused: readonly (readonly [string, number, () => Promise<number> | Promise<Response>])[] = [
    ["a sign-in with GET and the token in the address", 404, () => fetch(`${url}/Users/SignIn?token=${accessToken}`)],
    ["a bare access token", 400, () => signIn(accessToken)],
    ["a number", 400, () => signIn("123456")],
    ["an object", 400, () => signIn(JSON.stringify({ token: accessToken }))],
    ["a sign-in as a form", 400, () => signIn(`"${accessToken}"`, { "Content-Type": "text/plain" })],
    ["a wrong access token", 401, () => signIn('"another"')],
    ["no JWT", 401, () => post("/Datasets", '{"name":"x"}', { ...json, Authorization: "" })],
    ["another scheme", 401, () => post("/Datasets", '{"name":"x"}', { ...json, Authorization: `Token ${jwt}` })],
    [
      "the access token as JWT",
      401,
      () => post("/Datasets", "{}", { ...json, Authorization: `Bearer ${accessToken}` }),
    ],
    ["a sign-in with a query", 400, () => post("/Users/SignIn?x=1", JSON.stringify(accessToken), json)],
    ["an access token in a body", 400, () => post("/Datasets", JSON.stringify({ name: accessToken }), json)],
    ["an access token in a query", 400, () => post(`/Datasets?token=${accessToken}`, '{"name":"x"}', json)],
    ["another path", 404, () => post("/datasets", '{"name":"x"}', json)],
    ["a dataset without a name", 400, () => post("/Datasets", '{"name":""}', json)],
    [
      "a dataset as a form",
      400,
      () => post("/Datasets", "name=x", { "Content-Type": "application/x-www-form-urlencoded" }),
    ],
    ["an unknown key", 400, () => post("/Datasets", '{"name":"x","id":1}', json)],
    ["a category of an unknown dataset", 400, () => post("/Categories", '{"datasetId":9,"name":"x"}', json)],
    ["a dataset's id as text", 400, () => post("/Categories", '{"datasetId":"514","name":"x"}', json)],
    ["a start with a body", 400, () => post(`/Datasets/${sandboxDatasetId}/StartUploading`, "{}", json)],
    ["a start of an unknown dataset", 400, () => post("/Datasets/9/StartUploading")],
    ["a finish with the id in the body", 400, () => post(`/Datasets/514/FinishUploading`, `"${upload}"`, json)],
    ["a finish of an unknown upload", 400, () => post("/Datasets/514/FinishUploading?datasetUploadId=1")],
    ["no query at a chunk", 400, () => send(good(), "")],
    ["another value of the query", 400, () => send(good(), "skipUnsupportedImages=no")],
    ["a chunk as JSON", 400, () => post("/Images/UploadChunk?skipUnsupportedImages=false", "{}", json)],
    ["the prose's DatasetID", 400, () => send([["DatasetID", "514"], ...without("datasetId")])],
    ["the prose's ImagesFles", 400, () => send([...without("imagesFiles"), ["ImagesFles", sampleJpeg(), "a.jpg"]])],
    ["an unknown part", 400, () => send([...good(), ["score", "1"]])],
    ["a second image under index 0", 400, () => send([...good(), ["imagesFiles", sampleJpeg(2), "a.jpg"]])],
    ["an image under index 1", 400, () => send([...good(), [meta("name", 1), "b.jpg"]])],
    ["a name other than the file's", 400, () => send(changed(meta("name"), "b.jpg"))],
    ["a name without .jpg or .png", 400, () => send(changed(meta("name"), "a"))],
    ["an image that is no file part", 400, () => send([...without("imagesFiles"), ["imagesFiles", sampleJpeg()]])],
    ["no category", 400, () => send(without(meta("classifyCategoryId")))],
    ["a category of nobody", 400, () => send(changed(meta("classifyCategoryId"), "1"))],
    ["an upload id of nobody", 400, () => send(changed("datasetUploadId", "1"))],
    ["a picture of another kind", 400, () => send(changed("imagesFiles", Buffer.from("GIF89a")))],
    ["a picture cut short", 400, () => send(changed("imagesFiles", sampleJpeg().subarray(0, 300)))],
    ["a type without an annotation", 400, () => send(changed(meta("annotation"), ""))],
    ["an annotation without a type", 400, () => send(without(meta("annotationType")))],
    ["no annotation part", 400, () => send(without(meta("annotationType"), meta("annotation")))],
    ["another type", 400, () => send(changed(meta("annotationType"), "1"))],
    ["base64 with a prefix", 400, () => send(changed(meta("annotation"), `data:text/xml;base64,${base64(voc)}`))],
    ["base64 with line breaks", 400, () => send(changed(meta("annotation"), `${base64(voc).slice(0, 76)}\r\n`))],
    ["XML as it is", 400, () => send(changed(meta("annotation"), voc))],
  ];
  const annotations: readonly (readonly [string, string])[] = [
    ["an annotation of another size", voc.replace("<width>64", "<width>65")],
    ["a box out of the image", voc.replace("<xmax>24", "<xmax>65")],
    ["a box below the image", voc.replace(/<ymax>\d+/, "<ymax>49")],
    ["an empty box", voc.replace("<xmax>24", "<xmax>4")],
    ["half a pixel", voc.replace("<xmin>4", "<xmin>4.5")],
    ["an object without a name", voc.replace("<name>person</name>", "")],
    ["an annotation that is not closed", voc.replace("</annotation>", "")],
    ["a bare ampersand", voc.replace("person", "cat & dog")],
    ["a DOCTYPE", voc.replace("<annotation", "<!DOCTYPE annotation>\n<annotation")],
    ["another root", voc.replaceAll("annotation", "annotations")],
    ["crossed elements", voc.replace("</name>\n\t\t<bndbox>", "<bndbox></name>")],
  ];
  const wrongAnnotations = annotations.map(([name, xml]): (typeof refused)[number] => [
    name,
    400,
    () => send(changed(meta("annotation"), base64(xml))),
  ]);
  it("refuses each thing that the contract does not have, and remembers it without a secret", async () => {
    for (const [name, status, request] of [...refused, ...wrongAnnotations]) {
      const before = sandbox.counts();
      const answer = await request();
      assert.equal(typeof answer === "number" ? answer : answer.status, status, name);
      assert.equal(sandbox.counts().violations, before.violations + 1, name);
      assert.equal(sandbox.counts().accepted, before.accepted, name);
      const told = sandbox.violations().at(-1) ?? "";
      assert.ok(!told.includes(accessToken) && !told.includes(jwt), name);
    }
  });

  it("compares the boxes with what the image is known to show, once that was said", async () => {
    const sha256 = createHash("sha256").update(sampleJpeg()).digest("hex");
    assert.equal(await send(good()), 200);
    const [shown] = sandbox.chunks()[0]?.boxes ?? [];
    assert.ok(shown !== undefined);
    sandbox.expect(sha256, { boxes: [shown] });
    assert.equal(await send(good()), 200);
    assert.equal(await send(unannotated()), 400);
    assert.equal(await send(changed("imagesFiles", sampleJpeg(2))), 400);
    const { box } = shown;
    const across = { ...box, left: box.top, top: box.left, width: box.height, height: box.width };
    for (const wrong of [{ ...box, left: box.left + 2 }, { ...box, height: box.height - 2 }, across]) {
      sandbox.expect(sha256, { boxes: [{ ...shown, box: wrong }] });
      assert.equal(await send(good()), 400);
    }
    assert.equal(sandbox.counts().violations, 5);
  });

  it("passes over a picture of another kind where it is asked to", async () => {
    assert.equal(await send(changed("imagesFiles", Buffer.from("GIF89a")), "skipUnsupportedImages=true"), 200);
    assert.deepEqual(sandbox.chunks(), []);
  });

  it("has one lock a dataset, which a finish opens", async () => {
    const start = async () => (await post(`/Datasets/${sandboxDatasetId}/StartUploading`)).status;
    const finish = async () =>
      (await post(`/Datasets/${sandboxDatasetId}/FinishUploading?datasetUploadId=${upload}`)).status;
    assert.equal(await start(), 400);
    assert.equal(await finish(), 200);
    assert.equal(await finish(), 400);
    assert.equal(await send(good()), 400);
    assert.equal(await start(), 200);
    assert.deepEqual(sandbox.violations(), []);
  });

  it("unlocks a dataset that got no image for a while, and refuses what comes for the old upload", async () => {
    clock.advance(50_000);
    assert.equal(await send(good()), 200);
    clock.advance(50_000);
    assert.equal(await send(good()), 200);
    clock.advance(61_000);
    assert.equal(await send(good()), 400);
    assert.equal((await post(`/Datasets/${sandboxDatasetId}/StartUploading`)).status, 200);
  });

  it("refuses a token that has expired, and a second category of one name unless told otherwise", async () => {
    const fields = JSON.stringify({ datasetId: sandboxDatasetId, name: "gate" });
    assert.equal((await post("/Categories", fields, json)).status, 400);
    sandbox.expireTokens();
    assert.equal((await post("/Categories", fields, json)).status, 401);
    assert.deepEqual(sandbox.violations(), []);
    await sandbox.stop();
    await begin({ sameCategory: "new" });
    jwt = await (await signIn(JSON.stringify(accessToken))).text();
    const first = await idFrom("/Categories", { datasetId: sandboxDatasetId, name: "gate" });
    assert.notEqual(await idFrom("/Categories", { datasetId: sandboxDatasetId, name: "gate" }), first);
  });
});
