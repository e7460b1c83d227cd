import assert from "node:assert/strict";
import { createHash, randomUUID } from "node:crypto";
import { afterEach, beforeEach, describe, it } from "mocha";
import { LayernextSandbox } from "../../src/sandbox/layernext/server.ts";
import { sampleJpeg } from "../lib/records.ts";

const [apiKey, secret] = ["key-1", "contract-secret"];
const authorization = `Basic ${Buffer.from(`${apiKey}:${secret}`).toString("base64")}`;
const jpeg = sampleJpeg();

type Fields = Record<string, unknown>;

interface Answer {
  readonly status: number;
  readonly fields: Fields;
}

/** Requests by hand, so that nothing of our own client can hide what the sandbox would let through. */
class Caller {
  readonly #base: string;

  constructor(base: string) {
    this.#base = base;
  }

  async call(method: string, path: string, body?: unknown, headers: Record<string, string> = {}): Promise<Answer> {
    const answer = await fetch(`${this.#base}${path}`, {
      method,
      redirect: "manual",
      headers: { authorization, ...(body === undefined ? {} : { "content-type": "application/json" }), ...headers },
      ...(body === undefined ? {} : { body: typeof body === "string" ? body : JSON.stringify(body) }),
    });
    const text = await answer.text();
    return { status: answer.status, fields: (text.startsWith("{") ? JSON.parse(text) : {}) as Fields };
  }

  post(path: string, body: unknown, headers?: Record<string, string>): Promise<Answer> {
    return this.call("POST", path, body, headers);
  }
}

const upload = (names: readonly string[] = ["a.jpg"]) => ({
  collectionType: 5,
  collectionName: "dock",
  metaDataObject: {},
  isOverrideMetaData: false,
  storagePrefixPath: null,
  objectKeyList: names,
});

async function put(url: string, headers: Record<string, string> = { "content-type": "image/jpeg" }, body = jpeg) {
  const answer = await fetch(url, { method: "PUT", headers, body: new Uint8Array(body), redirect: "manual" });
  await answer.arrayBuffer();
  return { status: answer.status, etag: (answer.headers.get("etag") ?? "").slice(1, -1) };
}

describe("LayerNext sandbox", () => {
  let sandbox: LayernextSandbox;
  let caller: Caller;

  beforeEach(async () => {
    sandbox = new LayernextSandbox({ apiKey, secret, jobPolls: 2 });
    caller = new Caller((await sandbox.start()).url);
  });
  afterEach(() => sandbox.stop());

  async function opened() {
    const { fields } = await caller.post("/api/client/uploadMetadataInCollection", upload());
    const { uploadId, jobId } = fields as { uploadId: string; jobId: string };
    const wanted = { fileName: "a.jpg", collectionName: "dock", uploadId };
    const file = await caller.post("/api/client/fileUpload/initializeMultipartUpload", wanted);
    const { fileId, fileKey } = file.fields as { fileId: string; fileKey: string };
    return { uploadId, jobId, fileId, fileKey };
  }

  async function signed({ fileId, fileKey }: { fileId: string; fileKey: string }): Promise<string> {
    const wanted = { fileId, fileKey, parts: 1, contentType: "image/jpeg" };
    const { fields } = await caller.post("/api/client/fileUpload/getMultipartPreSignedUrls", wanted);
    return (fields["parts"] as readonly { signedUrl: string }[])[0]?.signedUrl ?? "";
  }

  const finalize = (file: Fields, etag: string, finalizeUrl = "") =>
    caller.post("/api/client/fileUpload/finalizeMultipartUpload", {
      fileId: file["fileId"],
      fileKey: file["fileKey"],
      parts: [{ PartNumber: 1, ETag: etag }],
      uploadId: file["uploadId"],
      finalizeUrl,
    });

  const complete = (uploadId: string, query = "isReturnedUniqueName=True") =>
    caller.call("GET", `/api/client/collectionUploadingStatus/${uploadId}/complete?${query}`);

  const poll = (jobId: string) => caller.call("GET", `/api/client/jobs/${jobId}/getStatus`);

  async function stored() {
    const file = await opened();
    const { etag } = await put(await signed(file));
    assert.equal((await finalize(file, etag)).status, 204);
    assert.equal((await complete(file.uploadId)).status, 200);
    return file;
  }

  async function element(jobId: string, change: Fields = {}, shape: Fields = {}) {
    const asked = { labels: { kitchen: {} }, userName: "x" };
    const { fields } = await caller.post("/api/client/system/label/references", asked);
    const { ref, color } = fields["kitchen"] as { ref: string; color: string };
    const label = { label: ref, labelText: "kitchen", metadata: {}, key: ref, color, attributeValues: {} };
    const annotation = {
      boxBoundariesAndDimensions: { x: 4, y: 2, w: 20, h: 9 },
      points: [
        [4, 2],
        [24, 2],
        [24, 11],
        [4, 11],
      ],
      id: `shape_${randomUUID()}`,
      shapeId: 1,
      createdAt: { $date: "2026-03-05 10:15:00.000000" },
      type: "rectangle",
      confidence: 0.5,
      label,
      metadata: {},
      ...shape,
    };
    const data = { annotationObjects: [annotation], isUserAnnotated: false };
    return { objectKey: null, storagePath: null, bucketName: null, jobId, fileName: "a.jpg", data, ...change };
  }

  const update = (elements: unknown, change: Fields = {}, query = "isNormalized=False") =>
    caller.post(`/api/metadata/operationdata/run/update?${query}`, {
      metaUpdatesArray: JSON.stringify(elements),
      sessionId: "1772705700.104211",
      totalImageCount: 1,
      uploadedImageCount: 1,
      operationMode: 2,
      operationType: 1,
      ...change,
    });

  async function done(jobId: string): Promise<void> {
    for (let polls = 0; polls < 3; polls += 1) await poll(jobId);
  }

  it("takes the page's samples, step by step, and lets its job go 3, 1, 2", async () => {
    const { jobId } = await stored();
    const statuses = [await poll(jobId), await poll(jobId), await poll(jobId), await poll(jobId)];
    assert.deepEqual(
      statuses.map(({ fields }) => fields["status"]),
      [3, 1, 2, 2],
    );
    assert.equal((await update([await element(jobId)])).status, 200);
    assert.deepEqual([...sandbox.violations(), ...sandbox.storage.violations()], []);
    assert.equal(sandbox.stored()[0]?.sha256, createHash("sha256").update(jpeg).digest("hex"));
  });

  it("compares credentials whole", async () => {
    const basic = (text: string) => `Basic ${Buffer.from(text).toString("base64")}`;
    for (const wrong of [
      "",
      "Basic",
      basic(`${apiKey}:wrong`),
      basic(apiKey),
      `Bearer ${secret}`,
      authorization.replace("Basic", "Bearer"),
    ]) {
      const { status } = await caller.call("GET", "/api/client/getDetails/system", undefined, { authorization: wrong });
      assert.equal(status, 401);
    }
    assert.equal((await caller.post("/api/client/uploadMetadataInCollection", { ...upload(), x: secret })).status, 400);
    assert.ok(!sandbox.violations().join().includes(secret));
  });

  it("demands each step's form", async () => {
    const path = "/api/client/uploadMetadataInCollection";
    const wrong = [
      { ...upload(), isOverrideMetaData: undefined },
      { ...upload(), more: 1 },
      { ...upload(), collectionType: "5" },
      { ...upload([]) },
      { ...upload(["a.jpg", "a.jpg"]) },
      { ...upload(["notes.txt"]) },
      { ...upload(), metaDataObject: [] },
    ];
    for (const body of wrong) assert.equal((await caller.post(path, body)).status, 400, JSON.stringify(body));
    assert.equal((await caller.post(`/${path}`, upload())).status, 404);
    assert.equal((await caller.post(`${path}?x=1`, upload())).status, 400);
    assert.equal((await caller.post(path, upload(), { "content-type": "text/plain" })).status, 400);
  });

  it("lets no step be left out", async () => {
    const path = "/api/client/fileUpload/initializeMultipartUpload";
    const file = await opened();
    const wanted = { fileName: "a.jpg", collectionName: "dock", uploadId: file.uploadId };
    assert.equal((await caller.post(path, { ...wanted, uploadId: "other" })).status, 406);
    assert.equal((await caller.post(path, { ...wanted, fileName: "b.jpg" })).status, 400);
    assert.equal((await caller.post(path, { ...wanted, collectionName: "gate" })).status, 400);
    assert.equal((await finalize(file, "x")).status, 406, "nothing was stored");
    assert.equal((await complete(file.uploadId)).status, 400, "nothing is finalized");
    assert.equal((await poll("other")).status, 406);
  });

  it("takes a finalizing only with the storage's ETag, unquoted", async () => {
    const file = await opened();
    const { etag } = await put(await signed(file));
    for (const wrong of ["", `"${etag}"`, etag.toUpperCase()]) assert.equal((await finalize(file, wrong)).status, 400);
    assert.equal((await finalize(file, etag, "http://127.0.0.1/other?x=1")).status, 400);
    assert.equal((await finalize({ ...file, fileKey: "dock_b.jpg" }, etag)).status, 400, "another file's key");
    const other = await opened();
    assert.equal((await finalize({ ...file, uploadId: other.uploadId }, etag)).status, 400, "another upload");
    assert.equal((await finalize(file, etag)).status, 204);
    assert.equal((await complete(file.uploadId, "isReturnedUniqueName=true")).status, 400);
    assert.equal((await complete(file.uploadId, "")).status, 400);
  });

  it("signs an address for one PUT of one file with one content type, and for nobody with credentials", async () => {
    const [file, other] = [await opened(), await opened()];
    const url = await signed(file);
    assert.equal((await put(url, { "content-type": "image/png" })).status, 403);
    assert.equal((await put(url.replace(file.fileId, other.fileId))).status, 403);
    assert.equal((await put(url.replace(/=.*/, "=0"))).status, 403);
    for (const name of ["authorization", "token"]) {
      assert.equal((await put(url, { "content-type": "image/jpeg", [name]: authorization })).status, 400);
    }
    assert.equal((await put(url, undefined, jpeg.subarray(0, 100))).status, 400, "not a whole picture");
    assert.equal((await put(url)).status, 200);
    assert.equal((await put(url)).status, 403, "a second time");
    const late = await signed(other);
    sandbox.storage.expire();
    assert.equal((await put(late)).status, 403, "expired");
  });

  it("answers for a file that it has, and for one that was removed", async () => {
    await stored();
    const again = await opened();
    assert.equal((await complete(again.uploadId)).status, 200);
    const { fields } = await caller.post("/api/client/uploadMetadataInCollection", upload(["gone.jpg"]));
    sandbox.removeFile("gone.jpg");
    const wanted = { fileName: "gone.jpg", collectionName: "dock", uploadId: fields["uploadId"] };
    const removed = await caller.post("/api/client/fileUpload/initializeMultipartUpload", wanted);
    assert.deepEqual(removed.fields, { uploadRemovedFile: true });
  });

  it("takes annotations only for a job that is done and a file that it has", async () => {
    const { jobId } = await stored();
    assert.equal((await update([await element(jobId)])).status, 406);
    await done(jobId);
    assert.equal((await update([await element("other")])).status, 406);
    assert.equal((await update([await element(jobId, { fileName: "b.jpg" })])).status, 406);
    assert.equal((await update([await element(jobId, { objectKey: "dock_a.jpg" })])).status, 400, "addressed twice");
    assert.equal((await update([await element(jobId)])).status, 200);
  });

  it("reads the data call strictly", async () => {
    const { jobId } = await stored();
    await done(jobId);
    const good = await element(jobId);
    const wrong: readonly (readonly [string, unknown, Fields?, string?])[] = [
      ["a list that is not encoded twice", [], { metaUpdatesArray: [good] }],
      ["text that is no JSON", [], { metaUpdatesArray: "[" }],
      ["a session that is no time", [good], { sessionId: "x" }],
      ["a count that is not cumulative", [good], { uploadedImageCount: 2, totalImageCount: 2 }],
      ["more images than in all", [good], { totalImageCount: 0 }],
      ["ids that occur twice", [good, good], { uploadedImageCount: 2, totalImageCount: 2 }],
      ["another mode", [good], { operationMode: 3 }],
      ["another type", [good], { operationType: 2 }],
      ["a boolean as JavaScript writes it", [good], {}, "isNormalized=false"],
      ["no boolean", [good], {}, ""],
      [
        "too many images",
        Array.from({ length: 1_001 }, () => ({ ...good, data: { ...good.data, annotationObjects: [] } })),
        { uploadedImageCount: 1_001, totalImageCount: 1_001 },
      ],
    ];
    for (const [name, elements, change, query] of wrong) {
      assert.equal((await update(elements, change, query)).status, 400, name);
    }
    assert.equal((await update([good])).status, 200);
  });

  it("counts the images of a session over its calls", async () => {
    const { jobId } = await stored();
    await done(jobId);
    const one = async () => update([await element(jobId)], { totalImageCount: 2 });
    assert.equal((await one()).status, 200);
    assert.equal((await one()).status, 400, "it does not count on");
    const counted = { uploadedImageCount: 2, totalImageCount: 3 };
    assert.equal((await update([await element(jobId)], counted)).status, 400, "another total");
    assert.equal((await update([await element(jobId)], { ...counted, totalImageCount: 2 })).status, 200);
    assert.equal((await one()).status, 200, "a session that has ended is over");
  });

  it("reads each annotation strictly", async () => {
    const { jobId } = await stored();
    await done(jobId);
    const centred = { boxBoundariesAndDimensions: { x: 14, y: 6.5, w: 20, h: 9 } };
    const outside = [
      [-1, 2],
      [24, 2],
      [24, 11],
    ];
    const wrong: readonly (readonly [string, Fields])[] = [
      ["a box by its centre", centred],
      [
        "corners that run the other way",
        {
          points: [
            [4, 2],
            [4, 11],
            [24, 11],
            [24, 2],
          ],
        },
      ],
      ["a point outside the image", { type: "polygon", points: outside, boxBoundariesAndDimensions: undefined }],
      ["a box beside a polygon", { type: "polygon" }],
      ["an id that is none", { id: "1" }],
      ["a number that is not its place", { shapeId: 2 }],
      ["a time with a zone", { createdAt: { $date: "2026-03-05T10:15:00.000Z" } }],
      ["a confidence of percent", { confidence: 91 }],
      ["another type", { type: "circle" }],
      ["an unknown key", { score: 1 }],
    ];
    for (const [name, shape] of wrong) {
      assert.equal((await update([await element(jobId, {}, shape)])).status, 400, name);
    }
    const good = await element(jobId);
    const label = good.data.annotationObjects[0]?.label;
    for (const change of [
      { key: "x" },
      { label: "x", key: "x" },
      { color: "#000" },
      { labelText: "never asked for" },
    ]) {
      const own = await element(jobId, {}, { label: { ...label, ...change } });
      assert.equal((await update([own])).status, 400, JSON.stringify(change));
    }
  });

  it("holds a model run against what an image is known to show", async () => {
    const { jobId } = await stored();
    await done(jobId);
    const sha256 = createHash("sha256").update(jpeg).digest("hex");
    sandbox.expect(sha256, { boxes: [{ label: "kitchen", box: { left: 5, top: 2, width: 20, height: 9 } }] });
    assert.equal((await update([await element(jobId)])).status, 200);
    sandbox.expect(sha256, { boxes: [{ label: "kitchen", box: { left: 4, top: 2, width: 9, height: 20 } }] });
    assert.equal((await update([await element(jobId)])).status, 400);
    assert.match(sandbox.violations().at(-1) ?? "", /lies where the image shows/);
  });

  it("serves the first generation at its own path and form only", async () => {
    const old = new LayernextSandbox({ apiKey, secret, api: "1.x" });
    const { url } = await old.start();
    const [bare, based] = [new Caller(url), new Caller(`${url}/datalake`)];
    assert.equal((await bare.call("GET", "/api/client/getDetails/system")).status, 404);
    assert.equal((await based.call("GET", "/api/client/getDetails/system")).status, 200);
    const empty = { metaUpdatesArray: "[]", sessionId: "1772705700.1", totalImageCount: 0, uploadedImageCount: 0 };
    const path = (middle: string) => `/api/metadata/operationdata/${middle}/update?isNormalized=False`;
    assert.equal((await based.post(path("1/2/run"), empty)).status, 200);
    assert.equal((await based.post(path("run"), empty)).status, 404);
    assert.equal((await based.post(path("2/2/run"), empty)).status, 404);
    assert.equal((await based.post(path("1/2/run"), { ...empty, operationMode: 2 })).status, 400);
    await old.stop();
  });
});
