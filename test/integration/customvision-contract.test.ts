import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { after, before, describe, it } from "mocha";
import { SystemClock } from "../../src/core/clock.ts";
import { AgentError } from "../../src/core/errors.ts";
import type { RecordDraft } from "../../src/core/types.ts";
import { HttpLink } from "../../src/link/http.ts";
import {
  CustomVisionSandbox,
  type CustomVisionSandboxOptions,
  sandboxIterationId,
  sandboxProjectId,
} from "../../src/sandbox/customvision/server.ts";
import { CustomVisionClient } from "../../src/targets/customvision/client.ts";
import { customVisionConfig } from "../../src/targets/customvision/config.ts";
import { CustomVisionTarget } from "../../src/targets/customvision/target.ts";
import { sampleDelivery, sampleDetection, sampleJpeg } from "../lib/records.ts";

const trainingKey = "customvision-contract-key";
const never = new AbortController().signal;
const noLimit = { requestsPerSecondMax: Infinity };
const idOf = (at: number): string => `99999999-0000-4000-8000-${String(at).padStart(12, "0")}`;
const base64 = sampleJpeg().toString("base64");
const v12 = `/customvision/v1.2/Training/projects/${sandboxProjectId}`;
const v33 = `/customvision/v3.3/training/projects/${sandboxProjectId}`;

describe("Custom Vision sandbox", () => {
  let sandbox: CustomVisionSandbox;
  let url: string;
  let tag: string;

  before(async () => {
    sandbox = new CustomVisionSandbox({ trainingKey, switches: noLimit });
    ({ url } = await sandbox.start());
    tag = sandbox.addTag("person");
  });
  after(() => sandbox.stop());

  interface Sent {
    readonly method?: string;
    readonly path?: string;
    readonly headers?: Readonly<Record<string, string>>;
    readonly body?: unknown;
  }

  async function send({ method = "POST", path = `${v33}/images/files`, headers, body }: Sent) {
    const json = { "Content-Type": "application/json", "Training-Key": trainingKey };
    const text = typeof body === "string" ? body : JSON.stringify(body);
    const init = { method, headers: { ...json, ...headers }, ...(body === undefined ? {} : { body: text }) };
    const answer = await fetch(url + path, init);
    return { status: answer.status, body: await answer.text() };
  }

  const entry = { name: "a.jpg", contents: base64 };
  const batch = (images: readonly object[]) => ({ images });
  const region = (changes: object = {}) => ({ tagId: tag, left: 0.1, top: 0.2, width: 0.4, height: 0.4, ...changes });
  const withRegion = (changes: object) => batch([{ ...entry, regions: [region(changes)] }]);
  const many = <T>(count: number, make: (at: number) => T): readonly T[] =>
    Array.from({ length: count }, (_, at) => make(at));

  const untag = (images: readonly string[], tags: readonly string[]): Sent => ({
    method: "DELETE",
    path: `${v33}/images/tags?imageIds=${images.join()}&tagIds=${tags.join()}`,
  });

  it("takes what the specification shows, in both versions", async () => {
    const before = sandbox.violations().length;
    const names = { Images: [{ Name: "b.jpg", Contents: sampleJpeg(2).toString("base64"), TagIds: [tag] }] };
    assert.equal((await send({ body: withRegion({}) })).status, 200);
    assert.equal((await send({ path: `${v12}/images/files`, body: names })).status, 200);
    assert.equal((await send({ method: "GET", path: `${v33}/images/tagged?take=256` })).status, 200);
    assert.equal((await send({ method: "GET", path: v12 })).status, 200);
    // The left and width add up to 1 exactly, as float32 too.
    assert.equal((await send({ body: withRegion({ left: 0.5, width: 0.5 }) })).status, 207);
    assert.equal(sandbox.violations().length, before);
  });

  const refused: readonly (readonly [string, number, () => Sent])[] = [
    ["a small t in v1.2's path", 404, () => ({ path: v12.replace("Training", "training") })],
    ["a large T in v3.3's path", 404, () => ({ path: v33.replace("training", "Training") })],
    ["a project id that is no UUID", 400, () => ({ path: v33.replace(sandboxProjectId, "my-project") })],
    ["another project", 404, () => ({ path: v33.replace(sandboxProjectId, idOf(1)) })],
    ["a wrong key", 401, () => ({ headers: { "Training-Key": "no" }, body: batch([entry]) })],
    ["the key as Bearer", 401, () => ({ headers: { Authorization: `Bearer ${trainingKey}` }, body: batch([entry]) })],
    ["the key in the query", 401, () => ({ path: `${v33}/images/files?key=${trainingKey}`, body: batch([entry]) })],
    ["small letters in v1.2", 400, () => ({ path: `${v12}/images/files`, body: batch([entry]) })],
    [
      "regions in v1.2",
      400,
      () => ({
        path: `${v12}/images/files`,
        body: { Images: [{ Name: "a.jpg", Contents: base64, Regions: [] }] },
      }),
    ],
    ["capitals in v3.3", 400, () => ({ body: { Images: [] } })],
    ["an unknown property", 400, () => ({ body: batch([{ ...entry, score: 1 }]) })],
    ["an operation of v3.3 in v1.2", 404, () => ({ path: `${v12}/images/regions`, body: {} })],
    ["no images", 400, () => ({ body: batch([]) })],
    ["65 images", 400, () => ({ body: batch(many(65, (at) => ({ ...entry, name: `${at}` }))) })],
    ["21 tags", 400, () => ({ body: { ...batch([entry]), tagIds: many(21, idOf) } })],
    ["a region outside of the image", 400, () => ({ body: withRegion({ left: 0.7 }) })],
    ["a sum above 1 as float32", 400, () => ({ body: withRegion({ left: 0.6000001, width: 0.4 }) })],
    ["a region without area", 400, () => ({ body: withRegion({ height: 0 }) })],
    ["a region in a string", 400, () => ({ body: withRegion({ top: "0.5" }) })],
    ["301 regions", 400, () => ({ body: batch([{ ...entry, regions: many(301, () => region()) }]) })],
    ["a form", 400, () => ({ headers: { "Content-Type": "text/plain" }, body: "a=b" })],
    [
      "129 pairs of image and tag",
      400,
      () => ({ path: `${v33}/images/tags`, body: { tags: many(129, () => ({ imageId: idOf(1), tagId: tag })) } }),
    ],
    ["tagIds[]", 400, () => ({ method: "GET", path: `${v33}/images/tagged?tagIds[]=${tag}` })],
    [
      "a list as repeated keys",
      400,
      () => ({ method: "GET", path: `${v33}/images/tagged?tagIds=${tag}&tagIds=${tag}` }),
    ],
    ["the text null as an id", 400, () => ({ method: "GET", path: `${v33}/images/tagged?tagIds=null` })],
    ["take above 256", 400, () => ({ method: "GET", path: `${v33}/images/tagged?take=257` })],
    ["another order", 400, () => ({ method: "GET", path: `${v33}/images/tagged?orderBy=newest` })],
    ["an unknown iteration", 404, () => ({ method: "GET", path: `${v33}/images/tagged?iterationId=${idOf(1)}` })],
    ["allImages", 400, () => ({ method: "DELETE", path: `${v33}/images?allImages=true` })],
    ["257 ids", 400, () => ({ method: "DELETE", path: `${v33}/images?imageIds=${many(257, idOf).join()}` })],
    ["a tag's name in the body", 400, () => ({ path: `${v33}/tags`, body: { name: "car" } })],
    ["a body beside a tag's name", 400, () => ({ path: `${v33}/tags?name=bike`, body: {} })],
    ["65 images to untag", 400, () => untag(many(65, idOf), [tag])],
    ["21 tags to take away", 400, () => untag([idOf(1)], many(21, idOf))],
    [
      "65 regions to delete",
      400,
      () => ({ method: "DELETE", path: `${v33}/images/regions?regionIds=${many(65, idOf).join()}` }),
    ],
    [
      "65 regions for stored images",
      400,
      () => ({ path: `${v33}/images/regions`, body: { regions: many(65, () => region({ imageId: idOf(1) })) } }),
    ],
    ["no ids to delete", 400, () => ({ method: "DELETE", path: `${v33}/images` })],
    ["a name that exists", 400, () => ({ path: `${v33}/tags?name=person` })],
  ];
  for (const [name, status, sent] of refused) {
    it(`refuses ${name} with ${status} and remembers it`, async () => {
      const [violations, accepted] = [sandbox.counts().violations, sandbox.counts().accepted];
      assert.equal((await send(sent())).status, status);
      assert.equal(sandbox.counts().violations, violations + 1);
      assert.equal(sandbox.counts().accepted, accepted);
      assert.ok(!(sandbox.violations().at(-1) ?? "").includes(trainingKey));
    });
  }

  it("refuses regions where the project classifies, also for stored images", async () => {
    const other = new CustomVisionSandbox({ trainingKey, domainType: "Classification", switches: noLimit });
    const { url: base } = await other.start();
    for (const [path, body] of [
      ["/images/files", withRegion({ tagId: other.addTag("person") })],
      ["/images/regions", { regions: [region({ imageId: idOf(1) })] }],
    ] as const) {
      const headers = { "Content-Type": "application/json", "Training-Key": trainingKey };
      const answer = await fetch(base + v33 + path, { method: "POST", headers, body: JSON.stringify(body) });
      assert.deepEqual([answer.status, /classifies/.test(await answer.text())], [400, true]);
    }
    await other.stop();
  });

  it("judges each image by itself and never the request", async () => {
    const png = Buffer.concat([Buffer.from("\x89PNG\r\n\x1a\n", "latin1"), Buffer.alloc(8), Buffer.alloc(8)]);
    png.writeUInt32BE(26, 16);
    png.writeUInt32BE(1, 20);
    const images = [
      ["good", sampleJpeg(9)],
      ["no-picture", Buffer.from("GIF but not quite, and long enough for a header")],
      ["cut", sampleJpeg(10).subarray(0, 300)],
      ["too-large", sampleJpeg(11, 6 * 1024 * 1024 + 1)],
      ["too-long", png],
    ].map(([name, bytes]) => ({ name, contents: (bytes as Buffer).toString("base64") }));
    const stored = { name: "unknown-tag", contents: sampleJpeg(12).toString("base64"), tagIds: [idOf(5)] };
    const { status, body } = await send({ body: batch([...images, stored]) });
    assert.equal(status, 207);
    const { images: results } = JSON.parse(body) as { images: readonly { sourceUrl: string; status: string }[] };
    assert.deepEqual(Object.fromEntries(results.map((result) => [result.sourceUrl, result.status])), {
      good: "OK",
      "no-picture": "ErrorImageFormat",
      cut: "ErrorImageFormat",
      "too-large": "ErrorImageSize",
      "too-long": "ErrorImageSize",
      "unknown-tag": "ErrorUnknown",
    });
    assert.notEqual(results[0]?.sourceUrl, "good", "the order is not the one that was sent");
    const wrong = { name: "x", contents: `${base64.slice(0, 76)}\r\n${base64.slice(76)}` };
    const violations = sandbox.counts().violations;
    assert.match((await send({ body: batch([wrong]) })).body, /ErrorSource/);
    assert.equal(sandbox.counts().violations, violations + 1, "what is no base64 is remembered");
  });

  it("words a refusal in three ways, slows down and takes bodies up to a size", async () => {
    const shapes = [];
    for (const errorShape of ["service", "gateway", "status-code"] as const) {
      sandbox.turn({ errorShape });
      const { body } = await send({ headers: { "Training-Key": "no" } });
      shapes.push(Object.keys(JSON.parse(body) as object).join());
    }
    assert.deepEqual(shapes, ["code,message", "error", "statusCode,message"]);
    sandbox.turn({ errorShape: "service", bodyBytesMax: 10 });
    assert.equal((await send({ body: batch([entry]) })).status, 413);
    sandbox.turn({ requestsPerSecondMax: 0 });
    const answer = await fetch(url + v33, { headers: { "Training-Key": trainingKey } });
    assert.deepEqual([answer.status, answer.headers.get("retry-after")], [429, "1"]);
    sandbox.turn({ ...noLimit, bodyBytesMax: Infinity });
  });
});

for (const apiVersion of ["v1.2", "v3.3"] as const) {
  describe(`Custom Vision client ${apiVersion}`, () => {
    let sandbox: CustomVisionSandbox;
    let client: CustomVisionClient;
    let link: HttpLink;

    before(async () => {
      sandbox = new CustomVisionSandbox({ trainingKey, switches: { ...noLimit, quotedNames: true } });
      const { url } = await sandbox.start();
      link = new HttpLink();
      client = new CustomVisionClient({ url, trainingKey, projectId: sandboxProjectId, apiVersion }, link);
    });
    after(async () => {
      link.close();
      await sandbox.stop();
    });

    it("does all nine operations of the document, and tags, project and domains", async () => {
      const [person, car] = [await client.createTag("person", {}, never), await client.createTag("car", {}, never)];
      assert.deepEqual(
        (await client.listTags({}, never)).map(({ name }) => name),
        ["person", "car"],
      );
      assert.equal((await client.getProject(never)).id, sandboxProjectId);
      const [domain] = await client.getDomains(never);
      assert.equal(
        (await client.getDomain(domain?.id ?? "", never)).type,
        apiVersion === "v1.2" ? undefined : "Classification",
      );

      const files = [1, 2].map((seed) => ({ name: `f${seed}.jpg`, contents: sampleJpeg(seed), tagIds: [person.id] }));
      const fromFiles = await client.createImagesFromFiles(files, { tagIds: [car.id] }, never);
      assert.deepEqual(fromFiles.images.map(({ sourceUrl, status }) => [sourceUrl, status]).toSorted(), [
        ['"f1.jpg"', "OK"],
        ['"f2.jpg"', "OK"],
      ]);
      assert.deepEqual(
        fromFiles.images[0]?.image?.tags.map(({ tagId }) => tagId),
        [car.id, person.id],
      );
      const data = [3, 4].map((seed) => ({ name: `d${seed}.jpg`, bytes: sampleJpeg(seed) }));
      assert.equal((await client.createImagesFromData(data, { tagIds: [car.id] }, never)).images.length, 2);
      const one = await client.createImagesFromData(data.slice(0, 1), { form: "octet-stream" }, never);
      assert.deepEqual([one.isBatchSuccessful, one.images[0]?.status], [false, "OKDuplicate"]);
      sandbox.offer("https://p.example/u.jpg", sampleJpeg(5));
      sandbox.offer(idOf(6), sampleJpeg(6));
      const fromUrl = await client.createImagesFromUrls([{ url: "https://p.example/u.jpg" }], {}, never);
      assert.equal(fromUrl.images[0]?.status, "OK");
      const fromPrediction = await client.createImagesFromPredictions([{ id: idOf(6), tagIds: [car.id] }], {}, never);
      assert.equal(fromPrediction.images[0]?.status, "OK");

      const untagged = await client.getUntaggedImages({}, never);
      assert.equal(untagged.length, 1);
      const [lonely] = untagged;
      assert.ok(lonely !== undefined);
      const pairs = [{ imageId: lonely.id, tagId: person.id }];
      assert.deepEqual((await client.postImageTags(pairs, never)).created, pairs);
      assert.deepEqual((await client.postImageTags(pairs, never)).duplicated, pairs);
      const options = {
        iterationId: sandboxIterationId,
        tagIds: [person.id],
        orderBy: "Oldest",
        take: 2,
        skip: 1,
      } as const;
      const page = await client.getTaggedImages(options, never);
      assert.deepEqual(page.map(({ id }) => id).at(-1), lonely.id);
      assert.deepEqual(await client.downloadImage(lonely, never), sampleJpeg(5));
      await client.deleteImageTags([lonely.id], [person.id], never);
      assert.equal((await client.getUntaggedImages({}, never)).length, 1);
      await client.deleteImages([lonely.id], never);
      assert.equal((await client.getUntaggedImages({}, never)).length, 0);
      assert.deepEqual(sandbox.violations(), []);
    });

    it("checks the document's limits before it sends anything", async () => {
      const { requests } = sandbox.counts();
      const jpeg = sampleJpeg();
      const files = (count: number) => Array.from({ length: count }, (_, at) => ({ name: `${at}`, contents: jpeg }));
      const ids = (count: number) => Array.from({ length: count }, (_, at) => idOf(at));
      const broken: Record<string, () => Promise<unknown>> = {
        "65 images": () => client.createImagesFromFiles(files(65), {}, never),
        "no image": () => client.createImagesFromFiles([], {}, never),
        "two of one name": () => client.createImagesFromFiles([...files(1), ...files(1)], {}, never),
        "21 tags over batch and entries": () =>
          client.createImagesFromFiles(
            [{ name: "a", contents: jpeg, tagIds: ids(11) }],
            { tagIds: ids(21).slice(11) },
            never,
          ),
        "65 files of data": () =>
          client.createImagesFromData(
            Array.from({ length: 65 }, () => ({ name: "a", bytes: jpeg })),
            {},
            never,
          ),
        "two as octet-stream": () =>
          client.createImagesFromData(
            [1, 2].map(() => ({ name: "a", bytes: jpeg })),
            { form: "octet-stream" },
            never,
          ),
        "21 tags of data": () => client.createImagesFromData([{ name: "a", bytes: jpeg }], { tagIds: ids(21) }, never),
        "an address that is none": () => client.createImagesFromUrls([{ url: "file:///etc/passwd" }], {}, never),
        "a prediction that is none": () => client.createImagesFromPredictions([{ id: "null" }], {}, never),
        "129 pairs": () =>
          client.postImageTags(
            ids(129).map((imageId) => ({ imageId, tagId: idOf(1) })),
            never,
          ),
        "257 images to delete": () => client.deleteImages(ids(257), never),
        "no image to delete": () => client.deleteImages([], never),
        "65 images to untag": () => client.deleteImageTags(ids(65), ids(1), never),
        "21 tags to take away": () => client.deleteImageTags(ids(1), ids(21), never),
        "a page of 257": () => client.getTaggedImages({ take: 257 }, never),
        "a page of none": () => client.getUntaggedImages({ take: 0 }, never),
        "half an image to skip": () => client.getUntaggedImages({ skip: 0.5 }, never),
        "21 tags to ask for": () => client.getTaggedImages({ tagIds: ids(21) }, never),
        "a tag without a name": () => client.createTag(" ", {}, never),
      };
      if (apiVersion === "v1.2") {
        broken["regions"] = () => client.createImageRegions([], never);
        broken["regions on an image"] = () =>
          client.createImagesFromFiles([{ name: "a", contents: jpeg, regions: [] }], {}, never);
        broken["metadata"] = () => client.createImagesFromFiles(files(1), { metadata: { a: "b" } }, never);
        broken["a tag's type"] = () => client.createTag("x", { type: "Negative" }, never);
      }
      for (const [name, call] of Object.entries(broken)) {
        await assert.rejects(call, (error) => error instanceof AgentError && error.code === "USAGE_CUSTOMVISION", name);
      }
      assert.equal(sandbox.counts().requests, requests);
    });
  });
}

describe("Custom Vision geometry and mapping", () => {
  const box = { left: 4, top: 2, width: 20, height: 9 };

  async function upload(
    draft: Partial<RecordDraft>,
    options: Partial<CustomVisionSandboxOptions> = {},
    config: object = {},
  ) {
    const sandbox = new CustomVisionSandbox({ trainingKey, switches: noLimit, ...options });
    const { url } = await sandbox.start();
    const jpeg = sampleJpeg();
    sandbox.expect(createHash("sha256").update(jpeg).digest("hex"), { boxes: [{ label: "person", box }] });
    const given = { id: "azure", kind: "customvision", url, trainingKey, projectId: sandboxProjectId, ...config };
    const target = new CustomVisionTarget(customVisionConfig.parse(given), { clock: new SystemClock() });
    const delivery = sampleDelivery(1, jpeg, draft);
    const outcome = (await target.deliver([delivery], never)).get(delivery.record.id);
    const probed = await target.probe(never).then(
      () => "ready",
      (error: unknown) => (error instanceof AgentError ? error.code : String(error)),
    );
    await target.close();
    await sandbox.stop();
    const word = outcome?.kind === "accepted" ? "accepted" : outcome?.error.code;
    return { word, probed, stored: sandbox.stored(), violations: sandbox.violations() };
  }

  it("puts boxes where the image has them, and is caught where it does not", async () => {
    const good = await upload({});
    assert.deepEqual([good.word, good.violations], ["accepted", []]);
    assert.deepEqual(good.stored[0]?.tags, ["person"]);
    const swapped = await upload({ detections: [sampleDetection({ box: { ...box, width: 9, height: 20 } })] });
    assert.equal(swapped.word, "HTTP_400");
    assert.match(swapped.violations[0] ?? "", /no label "person" lies where the image shows one/);
  });

  const two = [sampleDetection(), sampleDetection({ label: "car", score: 0.5, box: { ...box, left: 40 } })];

  it("sends tags where the project classifies: all of them, or the best where it takes one", async () => {
    const classification = { domainType: "Classification" } as const;
    const all = await upload({ detections: [sampleDetection(), sampleDetection()] }, classification);
    assert.deepEqual([all.word, all.stored[0]?.tags, all.stored[0]?.boxes], ["accepted", ["person"], []]);
    const best = await upload({ detections: two }, { ...classification, classificationType: "Multiclass" });
    assert.deepEqual([best.word, best.stored[0]?.tags, best.violations], ["accepted", ["person"], []]);
    const old = await upload({}, {}, { apiVersion: "v1.2" });
    assert.deepEqual([old.word, old.stored[0]?.tags, old.stored[0]?.boxes], ["accepted", ["person"], []]);
  });

  it("starts nothing where the project is of the other kind", async () => {
    const detects = await upload({}, {}, { annotations: "tags" });
    assert.deepEqual([detects.word, detects.probed, detects.stored], ["PROJECT_MISMATCH", "PROJECT_MISMATCH", []]);
    const sorts = await upload({}, { domainType: "Classification" }, { annotations: "regions" });
    assert.deepEqual([sorts.word, sorts.probed, sorts.stored], ["PROJECT_MISMATCH", "PROJECT_MISMATCH", []]);
    assert.equal((await upload({}, {}, { annotations: "regions" })).probed, "ready");
  });

  it("does as the config says with labels that have no tag", async () => {
    const refused = await upload({}, {}, { missingTags: "refuse" });
    assert.deepEqual([refused.word, refused.stored], ["TAG_REFUSED", []]);
    const created = await upload({ detections: [] });
    assert.equal(created.word, "HTTP_400", "the box that was expected is missing");
  });
});
