import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import http from "node:http";
import { after, before, beforeEach, describe, it } from "mocha";
import type { Box, RecordDraft } from "../../src/core/types.ts";
import { IotownSandbox } from "../../src/sandbox/iotown/server.ts";
import { iotownConfig } from "../../src/targets/iotown/config.ts";
import type { BoxOrigin } from "../../src/targets/iotown/encode.ts";
import { IotownTarget } from "../../src/targets/iotown/target.ts";
import { sampleDelivery, sampleDetection, sampleJpeg } from "../lib/records.ts";
import { seededRandom } from "../lib/seams.ts";

const token = "contract-token";
const never = new AbortController().signal;
const base64 = sampleJpeg().toString("base64");
const label = { name: "forklift", x: 0.5125, y: 0.44, w: 0.125, h: 0.3 };
const payload = { image: base64, type: "jpg", labels: [label] };

describe("IoT.own sandbox", () => {
  let sandbox: IotownSandbox;
  let url: string;

  before(async () => {
    sandbox = new IotownSandbox({ token });
    ({ url } = await sandbox.start());
  });
  after(() => sandbox.stop());

  interface Sent {
    readonly method?: string;
    readonly path?: string;
    readonly headers?: Readonly<Record<string, string>>;
    readonly body?: unknown;
  }

  const send = (sent: Sent): Promise<number> =>
    new Promise((resolve, reject) => {
      const { method = "POST", path = "/api/v1.0/nn/image", body = payload } = sent;
      const headers = { "Content-Type": "application/json", Token: token, ...sent.headers };
      const request = http.request(url + path, { method, headers }, (response) => {
        response.resume();
        resolve(response.statusCode ?? 0);
      });
      request.on("error", reject);
      if (method === "GET") request.end();
      else request.end(typeof body === "string" ? body : JSON.stringify(body));
    });

  it("takes what the vendor's documents show, the token's header in any case", async () => {
    assert.equal(await send({}), 200);
    assert.equal(await send({ headers: { TOKEN: token } }), 200);
    assert.equal(await send({ headers: { "Content-Type": "application/json; charset=utf-8" } }), 200);
    assert.equal(await send({ body: { ...payload, labels: [] } }), 200);
    const seedExample = { name: "human", x: 0.1, y: 0.2, w: 0.4, h: 0.4 };
    assert.equal(await send({ body: { ...payload, labels: [seedExample] } }), 200);
    assert.equal(await send({ method: "GET", path: "/api/v1.0/nodes" }), 200);
    assert.deepEqual(sandbox.violations(), []);
  });

  const form = `image=${encodeURIComponent(base64)}&type=jpg&labels=name&labels=x`;
  const refused: readonly (readonly [string, number, Sent])[] = [
    ["a doubled slash", 404, { path: "//api/v1.0/nn/image" }],
    ["another path", 404, { path: "/api/v1.0/nn/images" }],
    ["another method", 404, { method: "PUT" }],
    ["a wrong token", 401, { headers: { Token: "contract-toke" } }],
    ["a token with a scheme before it", 401, { headers: { Token: `Bearer ${token}` } }],
    ["no token", 401, { headers: { Token: "" } }],
    ["a token in the query", 400, { path: `/api/v1.0/nn/image?token=${token}` }],
    ["a token in the body", 400, { body: { ...payload, token } }],
    ["an Authorization header", 400, { headers: { Authorization: "Basic eDp5" } }],
    ["a form under a JSON content type", 400, { body: form }],
    ["JSON under a form's content type", 400, { headers: { "Content-Type": "application/x-www-form-urlencoded" } }],
    ["a JSON string instead of an object", 400, { body: JSON.stringify(JSON.stringify(payload)) }],
    ["an array", 400, { body: [payload] }],
    ["an unknown key", 400, { body: { ...payload, score: 1 } }],
    ["no labels", 400, { body: { image: base64, type: "jpg" } }],
    ["another type", 400, { body: { ...payload, type: "png" } }],
    ["a data: prefix", 400, { body: { ...payload, image: `data:image/jpeg;base64,${base64}` } }],
    ["line breaks in base64", 400, { body: { ...payload, image: `${base64.slice(0, 76)}\r\n${base64.slice(76)}` } }],
    ["base64 for URLs", 400, { body: { ...payload, image: sampleJpeg(3).toString("base64url") } }],
    ["base64 cut short", 400, { body: { ...payload, image: base64.slice(0, -2) } }],
    ["a picture cut short", 400, { body: { ...payload, image: sampleJpeg().subarray(0, 300).toString("base64") } }],
    ["no picture", 400, { body: { ...payload, image: Buffer.from("GIF89a").toString("base64") } }],
    ["labels that are no array", 400, { body: { ...payload, labels: label } }],
    ["a label with a score", 400, { body: { ...payload, labels: [{ ...label, score: 0.5 }] } }],
    ["a label without a name", 400, { body: { ...payload, labels: [{ ...label, name: "" }] } }],
    ["a number in a string", 400, { body: { ...payload, labels: [{ ...label, x: "0.5" }] } }],
    ["no number", 400, { body: JSON.stringify(payload).replace("0.5125", "null") }],
    ["an empty box", 400, { body: { ...payload, labels: [{ ...label, h: 0 }] } }],
    ["a centre outside the picture", 400, { body: { ...payload, labels: [{ ...label, x: -0.1 }] } }],
    ["a query", 400, { path: "/api/v1.0/nn/image?x=1" }],
    ["pixels instead of fractions", 400, { body: { ...payload, labels: [{ ...label, x: 320 }] } }],
  ];
  for (const [name, status, sent] of refused) {
    it(`refuses ${name} with ${status} and remembers it`, async () => {
      const before = sandbox.counts();
      assert.equal(await send(sent), status);
      assert.equal(sandbox.counts().violations, before.violations + 1);
      assert.equal(sandbox.counts().accepted, before.accepted);
      assert.ok(!(sandbox.violations().at(-1) ?? "").includes(token));
    });
  }
});

describe("IoT.own geometry", () => {
  let sandbox: IotownSandbox;
  let url: string;

  beforeEach(async () => {
    sandbox = new IotownSandbox({ token });
    ({ url } = await sandbox.start());
  });

  async function upload(draft: Partial<RecordDraft>, boxOrigin: BoxOrigin, truth: readonly Box[]): Promise<string> {
    const jpeg = sampleJpeg();
    const sha256 = createHash("sha256").update(jpeg).digest("hex");
    sandbox.expect(sha256, { boxes: truth.map((box) => ({ label: "person", box })) });
    const target = new IotownTarget(iotownConfig.parse({ id: "town", kind: "iotown", url, token, boxOrigin }));
    const delivery = sampleDelivery(1, jpeg, draft);
    const outcome = (await target.deliver([delivery], never)).get(delivery.record.id);
    await target.close();
    await sandbox.stop();
    return outcome?.kind ?? "no outcome";
  }

  const box = { left: 4, top: 2, width: 20, height: 9 };

  it("puts the centre where the vendor's reference has it", async () => {
    assert.equal(await upload({}, "center", [box]), "accepted");
    assert.deepEqual(sandbox.violations(), []);
    assert.deepEqual(sandbox.stored()[0]?.labels, [{ name: "person", x: 0.21875, y: 0.135417, w: 0.3125, h: 0.1875 }]);
  });

  it("is caught by the sandbox when it sends the corner instead", async () => {
    assert.equal(await upload({}, "top-left", [box]), "rejected");
    assert.match(sandbox.violations()[0] ?? "", /no label "person" lies where the image shows one/);
  });

  it("is caught when width and height change places, when a box is missing and when one is too many", async () => {
    const swapped = sampleDetection({ box: { left: 4, top: 2, width: 9, height: 20 } });
    assert.equal(await upload({ detections: [swapped] }, "center", [box]), "rejected");
    await sandbox.start().then((started) => (url = started.url));
    assert.equal(await upload({}, "center", [box, { ...box, left: 40 }]), "rejected");
    await sandbox.start().then((started) => (url = started.url));
    assert.equal(await upload({}, "center", []), "rejected");
  });

  it("is caught when the image is not the one that was captured, and counted every time", async () => {
    const hashOf = (jpeg: Buffer) => createHash("sha256").update(jpeg).digest("hex");
    const target = new IotownTarget(iotownConfig.parse({ id: "town", kind: "iotown", url, token }));
    const send = async (seed: number) => {
      const delivery = sampleDelivery(seed, sampleJpeg(seed));
      return (await target.deliver([delivery], never)).get(delivery.record.id)?.kind;
    };
    assert.equal(await send(1), "accepted");
    sandbox.expect(hashOf(sampleJpeg(2)), { boxes: [{ label: "person", box }] });
    sandbox.expect(hashOf(sampleJpeg(3)), { boxes: [] });
    assert.deepEqual(
      [await send(2), await send(3), await send(4), await send(4)],
      ["accepted", "rejected", "rejected", "rejected"],
    );
    assert.equal(sandbox.counts().violations, 3);
    assert.match(sandbox.violations().at(-1) ?? "", /none of those that were captured$/);
    await target.close();
    await sandbox.stop();
  });

  it("stays within a pixel for any box, clipped to the image", async () => {
    const random = seededRandom(4);
    const [imageWidth, imageHeight] = [64, 48];
    const boxes = Array.from({ length: 100 }, () => {
      const left = random() * (imageWidth - 1) - 4;
      const top = random() * (imageHeight - 1) - 4;
      return { left, top, width: 5 + random() * imageWidth, height: 5 + random() * imageHeight };
    });
    const truth = boxes.map(({ left, top, width, height }) => ({
      left: Math.max(0, left),
      top: Math.max(0, top),
      width: Math.min(imageWidth, left + width) - Math.max(0, left),
      height: Math.min(imageHeight, top + height) - Math.max(0, top),
    }));
    const detections = boxes.map((each) => sampleDetection({ box: each }));
    assert.equal(await upload({ imageWidth, imageHeight, detections }, "center", truth), "accepted");
  });
});
