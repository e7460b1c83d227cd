import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { afterEach, beforeEach, describe, it } from "mocha";
import type { Delivery } from "../../src/core/ports.ts";
import { HttpLink } from "../../src/link/http.ts";
import { multipartBody, type FormPart } from "../../src/link/multipart.ts";
import { IotownSandbox, type IotownSandboxOptions } from "../../src/sandbox/iotown/server.ts";
import { iotownConfig } from "../../src/targets/iotown/config.ts";
import { IotownClient } from "../../src/targets/iotown/client.ts";
import { IotownTarget } from "../../src/targets/iotown/target.ts";
import { inWords } from "../lib/outcome-words.ts";
import { sampleDelivery, sampleJpeg } from "../lib/records.ts";

const token = "iotown-data-canary";
const never = new AbortController().signal;
const nid = "LW70B3D5FFFE000042";
const label = { name: "forklift", x: 0.5125, y: 0.44, w: 0.125, h: 0.3 };

let sandbox: IotownSandbox;
let url: string;
const links: HttpLink[] = [];

async function begin(options: Partial<IotownSandboxOptions> = {}): Promise<void> {
  sandbox = new IotownSandbox({ token, nodes: [nid], ...options });
  ({ url } = await sandbox.start());
}

async function end(): Promise<void> {
  for (const link of links.splice(0)) link.close();
  await sandbox.stop();
}

function newLink(): HttpLink {
  const link = new HttpLink();
  links.push(link);
  return link;
}

describe("IoT.own sandbox, data of nodes", () => {
  beforeEach(() => begin());
  afterEach(end);

  const api = "/api/v1.0";
  const json = { "Content-Type": "application/json" };
  const jpeg = sampleJpeg(2);
  const data = { type: "2", nid, data: { t: 20 } };
  const meta = { snap: { type: "image", file: "snap0" } };
  const texts: readonly FormPart[] = [
    { name: "type", value: "2" },
    { name: "nid", value: nid },
    { name: "meta", value: JSON.stringify(meta) },
  ];
  const file: FormPart = { name: "snap0", fileName: "a.jpg", value: jpeg };

  async function send(
    method: "GET" | "POST" | "DELETE",
    path: string,
    content?: object,
    headers = {},
  ): Promise<number> {
    const body = content === undefined ? undefined : Buffer.from(JSON.stringify(content));
    const given = { Token: token, ...(body === undefined ? {} : json), ...headers };
    const request = { method, url: url + path, headers: given, ...(body === undefined ? {} : { body }) };
    return (await newLink().request(request, never)).status;
  }

  async function sendForm(path: string, parts: readonly FormPart[]): Promise<number> {
    const { contentType, body } = multipartBody(parts);
    const headers = { Token: token, "Content-Type": contentType };
    return (await newLink().request({ method: "POST", url: url + path, headers, body }, never)).status;
  }

  it("takes what the vendor's client sends, and gives it out again", async () => {
    assert.equal(await send("POST", `${api}/data`, data), 200);
    assert.equal(await sendForm(`${api}/data`, [...texts, file]), 200);
    assert.equal(await sendForm(`${api}/file`, [{ name: "snap", fileName: "snap", value: "x" }]), 200);
    const client = new IotownClient({ url, token }, newLink());
    const { data: rows } = await client.storagePage({ nid }, never);
    const [withFile, plain] = rows.map(({ value }) => value);
    assert.deepEqual(plain, { t: 20 });
    assert.deepEqual(withFile, { snap: { file_type: "image", file_id: "file-1", file_size: jpeg.length } });
    assert.deepEqual(await client.fetchFile("file-1", never), jpeg);
    assert.deepEqual(sandbox.violations(), []);
  });

  const base64 = jpeg.toString("base64");
  const wrongData: readonly (readonly [string, object])[] = [
    ["type as a number", { ...data, type: 2 }],
    ["no type", { nid, data: data.data }],
    ["empty data", { ...data, data: {} }],
    ["no data", { ...data, data: null }],
    ["an unknown key", { ...data, meta }],
    ["a node that is not registered", { ...data, nid: "LW0" }],
    ["half a picture", { ...data, data: { snap: base64.slice(0, 400) } }],
    ["a detection with pixels", { ...data, data: { snap: base64, detected: [{ ...label, x: 320, score: 0.5 }] } }],
    ["a detection without a score", { ...data, data: { snap: base64, detected: [label] } }],
    ["the token in the body", { ...data, data: { token } }],
  ];
  for (const [name, content] of wrongData) {
    it(`refuses data with ${name}`, async () => {
      assert.equal(await send("POST", `${api}/data`, content), 400);
      assert.equal(sandbox.violations().length, 1);
      assert.equal(await send("GET", `${api}/storage`), 200);
      assert.deepEqual((await new IotownClient({ url, token }, newLink()).storagePage({}, never)).data, []);
    });
  }

  const [type, node] = texts as readonly [FormPart, FormPart, FormPart];
  const withMeta = (value: unknown): FormPart => ({ name: "meta", value: JSON.stringify(value) });
  const wrongForms: readonly (readonly [string, readonly FormPart[]])[] = [
    ["a file before the texts", [file, ...texts]],
    ["the texts in another order", [node, type, ...texts.slice(2), file]],
    ["another type", [{ name: "type", value: "3" }, ...texts.slice(1), file]],
    ["meta that is no JSON", [type, node, { name: "meta", value: "{oops" }, file]],
    ["meta that names no part", [...texts, { ...file, name: "other" }]],
    ["meta that names a part twice", [type, node, withMeta({ a: meta.snap, b: meta.snap }), file]],
    ["meta without a type", [type, node, withMeta({ snap: { file: "snap0" } }), file]],
    ["two parts of one name", [...texts, file, file]],
    ["a file that meta does not name", [...texts, file, { ...file, name: "more" }]],
    ["a file without a name", [...texts, { name: "snap0", value: jpeg }]],
    [
      "a file called data",
      [type, node, withMeta({ v: { type: "video", file: "data" } }), { name: "data", fileName: "d", value: "x" }],
    ],
    ["data beside meta", [...texts, { name: "data", value: "{}" }, file]],
    ["an image that is none", [...texts, { ...file, value: "GIF89a" }]],
    ["a node that is not registered", [type, { name: "nid", value: "WF9" }, ...texts.slice(2), file]],
  ];
  for (const [name, parts] of wrongForms) {
    it(`refuses a form with ${name}`, async () => {
      assert.equal(await sendForm(`${api}/data`, parts), 400);
      assert.equal(sandbox.violations().length, 1);
      assert.equal(sandbox.counts().accepted, 0);
    });
  }

  it("refuses a bare file under another name than its part's, and two of them", async () => {
    const bare = { name: "snap", fileName: "snap", value: "x" };
    assert.equal(await sendForm(`${api}/file`, [{ ...bare, fileName: "a.jpg" }]), 400);
    assert.equal(await sendForm(`${api}/file`, [bare, { ...bare, name: "other", fileName: "other" }]), 400);
    assert.equal(sandbox.violations().length, 2);
  });

  const command = { nid, type: "string", command: "x" };
  const wrongRequests: readonly (readonly [string, number, Parameters<typeof send>])[] = [
    ["a path with & and no ?", 404, ["GET", `${api}/storage&lastKey=a`]],
    ["a key that nobody gave out", 400, ["GET", `${api}/storage?lastKey=a`]],
    ["an unknown word in the query", 400, ["GET", `${api}/storage?node=a`]],
    ["a time without Z", 400, ["GET", `${api}/storage?from=2026-03-05T10:00:00`]],
    ["the token in the query", 400, ["GET", `${api}/storage?nid=${token}`]],
    ["annotations of no label", 400, ["GET", `${api}/nn/images`]],
    ["a file that is not there", 404, ["GET", `${api}/file/none`]],
    ["a deletion by query", 400, ["DELETE", `${api}/data?nid=${nid}`, { nid }]],
    ["a deletion of nothing", 400, ["DELETE", `${api}/data`, { from: "2026-03-05T10:00:00Z" }]],
    ["a command in upper-case hex", 400, ["POST", `${api}/command`, { ...command, type: "hex", command: "FF" }]],
    ["a command of another type", 400, ["POST", `${api}/command`, { ...command, type: "bytes" }]],
    ["a LoRaWAN port as a text", 400, ["POST", `${api}/command`, { ...command, lorawan: { f_port: "1" } }]],
    ["commands of a node that is not there", 400, ["GET", `${api}/command/WF9`]],
    ["a node that is not there", 400, ["GET", `${api}/node/WF9`]],
    ["a wrong token", 401, ["GET", `${api}/nodes`, undefined, { Token: "other" }]],
  ];
  for (const [name, status, request] of wrongRequests) {
    it(`refuses ${name} with ${status}`, async () => {
      assert.equal(await send(...request), status);
      assert.equal(sandbox.violations().length, 1);
      assert.ok(!sandbox.violations().join().includes(token));
    });
  }

  it("forgets the oldest pixels and rows, so that a day of frames fits in memory", async () => {
    const client = new IotownClient({ url, token }, newLink());
    const files = [{ part: "v", fileName: "v", bytes: Buffer.alloc(7_000_000, 1) }];
    for (let at = 0; at < 3; at += 1) {
      await client.sendDataWithFiles({ nid, meta: { clip: { type: "video", file: "v" } }, files }, never);
    }
    await assert.rejects(client.fetchFile("file-1", never), { code: "HTTP_404" });
    assert.equal((await client.fetchFile("file-3", never)).length, 7_000_000);
  });
});

describe("IoT.own target, frames as data of a node", () => {
  afterEach(end);

  const box = { left: 4, top: 2, width: 20, height: 9 };

  function targetFor(settings: object = {}): IotownTarget {
    const config = { id: "town", kind: "iotown", url, token, mode: "data", nid, ...settings };
    return new IotownTarget(iotownConfig.parse(config));
  }

  async function deliver(target: IotownTarget, delivery: Delivery): Promise<string> {
    const outcome = (await target.deliver([delivery], never)).get(delivery.record.id);
    return outcome === undefined ? "no outcome" : inWords(outcome);
  }

  for (const [dataBody, refused] of [
    ["multipart", "target? PLATFORM_UNCERTAIN"],
    ["json", "rejected HTTP_400"],
  ] as const) {
    it(`${dataBody}: the frame and its detections arrive, their boxes where the picture shows them`, async () => {
      await begin();
      const jpeg = sampleJpeg(1);
      const sha256 = createHash("sha256").update(jpeg).digest("hex");
      sandbox.expect(sha256, { boxes: [{ label: "person", box }] });
      const target = targetFor({ dataBody });
      assert.equal(await deliver(target, sampleDelivery(1, jpeg)), "accepted");
      const wrong = targetFor({ dataBody, boxOrigin: "top-left" });
      assert.equal(await deliver(wrong, sampleDelivery(1, jpeg)), refused);
      const client = new IotownClient({ url, token }, newLink());
      const [row] = (await client.storagePage({ nid }, never)).data;
      assert.match(
        JSON.stringify(row),
        /"name":"gw-07-aaaa-1\.jpg","camera":"gate","captured_at":"2026-03-05T10:15:00/,
      );
      await target.close();
      await wrong.close();
    });
  }

  it("sends the frame alone to a server that takes nothing beside it", async () => {
    await begin({ plainMeta: true });
    const [full, plain] = [targetFor(), targetFor({ dataDetails: false })];
    assert.equal(await deliver(full, sampleDelivery(1, sampleJpeg(1))), "target? PLATFORM_UNCERTAIN");
    assert.equal(await deliver(plain, sampleDelivery(1, sampleJpeg(1))), "accepted");
    await full.close();
    await plain.close();
  });

  it("keeps every record while the server does not know the node, and says so", async () => {
    await begin({ nodes: ["WF1"] });
    const target = targetFor();
    for (let at = 1; at <= 3; at += 1) {
      assert.equal(await deliver(target, sampleDelivery(at, sampleJpeg(at))), "target? IOTOWN_NODE_UNKNOWN");
    }
    await assert.rejects(target.probe(never), { code: "IOTOWN_NODE_UNKNOWN", message: new RegExp(nid) });
    await target.close();
  });

  it("also where the server knows no such path, or answers without a node", async () => {
    await begin();
    const target = targetFor();
    for (const answer of [
      { kind: "answer", status: 404, body: "{}" },
      { kind: "answer", status: 200, body: '{"node":null}' },
      { kind: "answer", status: 200, body: '{"node":{}}' },
    ] as const) {
      sandbox.fault({ kind: "answer", status: 400, body: '{"errorCode":400}' }, 1, /^POST/);
      sandbox.fault(answer, 1, /^GET .*\/node\//);
      assert.equal(await deliver(target, sampleDelivery(1, sampleJpeg(1))), "target? IOTOWN_NODE_UNKNOWN");
    }
    await target.close();
  });

  it("sets a record aside that is refused although the node is there, and goes on with the next", async () => {
    await begin();
    const refused = { kind: "answer", status: 400, body: '{"errorCode":400}' } as const;
    const [target, plain] = [targetFor(), targetFor({ dataDetails: false })];
    for (const [sender, first] of [
      // Before a frame went through with its details, they may be what is refused.
      [target, "target? PLATFORM_UNCERTAIN"],
      [plain, "rejected HTTP_400"],
    ] as const) {
      sandbox.fault(refused, 1, /^POST/);
      assert.equal(await deliver(sender, sampleDelivery(1, sampleJpeg(1))), first);
      assert.equal(await deliver(sender, sampleDelivery(2, sampleJpeg(2))), "accepted");
      sandbox.fault(refused, 1, /^POST/);
      assert.equal(await deliver(sender, sampleDelivery(1, sampleJpeg(1))), "rejected HTTP_400");
      await sender.close();
    }
  });

  it("blames nobody while the question for the node itself fails", async () => {
    await begin();
    const target = targetFor();
    for (const [status, reading] of [
      [401, "target HTTP_401"],
      [503, "target? HTTP_503"],
    ] as const) {
      sandbox.fault({ kind: "answer", status: 400, body: '{"errorCode":400}' }, 1, /^POST/);
      sandbox.fault({ kind: "answer", status, body: "{}" }, 1, /^GET .*\/node\//);
      assert.equal(await deliver(target, sampleDelivery(1, sampleJpeg(1))), reading);
    }
    await target.close();
  });

  it("probes without sending data, and finds a wrong token before the node", async () => {
    await begin();
    const target = targetFor();
    await target.probe(never);
    const wrong = targetFor({ token: "another-token" });
    await assert.rejects(wrong.probe(never), { code: "HTTP_401" });
    assert.equal(sandbox.counts().accepted, 0);
    await target.close();
    await wrong.close();
  });
});
