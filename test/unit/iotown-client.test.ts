import assert from "node:assert/strict";
import { describe, it } from "mocha";
import type { HttpAnswer } from "../../src/link/http-status.ts";
import type { HttpCaller, HttpRequest } from "../../src/link/http.ts";
import { iotownLimits } from "../../src/core/platform-limits.ts";
import { IotownClient, type IotownClientAccess } from "../../src/targets/iotown/client.ts";
import { callbackOf, callbackTopics } from "../../src/targets/iotown/callbacks.ts";

const never = new AbortController().signal;
const access = { url: "https://town.example:8888", token: "unit-token-canary" };

/** Answers each request with what the test says, and remembers it. */
class ScriptedCaller implements HttpCaller {
  readonly requests: HttpRequest[] = [];
  readonly #answer: (request: HttpRequest, at: number) => Partial<HttpAnswer> & { readonly json?: unknown };

  constructor(answer: (request: HttpRequest, at: number) => Partial<HttpAnswer> & { readonly json?: unknown }) {
    this.#answer = answer;
  }

  async request(request: HttpRequest): Promise<HttpAnswer> {
    this.requests.push(request);
    const { json, ...answer } = this.#answer(request, this.requests.length - 1);
    const body = json === undefined ? Buffer.alloc(0) : Buffer.from(JSON.stringify(json));
    return { status: 200, headers: {}, body, requestSent: true, ...answer };
  }
}

function clientOf(answer: ConstructorParameters<typeof ScriptedCaller>[0], more: Partial<IotownClientAccess> = {}) {
  const link = new ScriptedCaller(answer);
  return {
    client: new IotownClient({ ...access, ...more }, link),
    link,
    urls: () => link.requests.map(({ url }) => url),
  };
}

async function all<T>(rows: AsyncIterable<T>): Promise<readonly T[]> {
  const found: T[] = [];
  for await (const row of rows) found.push(row);
  return found;
}

describe("IoT.own client: annotations and pictures", () => {
  const label = { name: "car", x: 0.5, y: 0.25, w: 0.125, h: 0.1 };

  it("reads numbers that come as texts, and takes the id that addresses the picture", async () => {
    const texts = { ...label, x: "0.5", w: "0.125000" };
    const item = { _id: "not-this", id: 7, labels: [texts, label], more: 1 };
    const { client, urls } = clientOf(() => ({ json: { result: [item] } }));
    assert.deepEqual(await client.downloadAnnotations("traffic light&x=1", never), [
      { id: "7", labels: [label, label] },
    ]);
    assert.deepEqual(urls(), ["https://town.example:8888/api/v1.0/nn/images?labels=traffic%20light%26x%3D1"]);
  });

  for (const [what, json] of [
    ["no JSON", undefined],
    ["no list", { result: {} }],
    ["an item without id", { result: [{ labels: [] }] }],
    ["an item without labels", { result: [{ id: "a" }] }],
    ["a label without a name", { result: [{ id: "a", labels: [{ ...label, name: "" }] }] }],
    ["a label with a word for a number", { result: [{ id: "a", labels: [{ ...label, y: "left" }] }] }],
    ["a label with an empty text for a number", { result: [{ id: "a", labels: [{ ...label, y: " " }] }] }],
  ] as const) {
    it(`says what is wrong with ${what}, without the token`, async () => {
      const { client } = clientOf(() => ({ json }));
      await assert.rejects(client.downloadAnnotations("car", never), (error: Error & { code?: string }) => {
        assert.equal(error.code, "HTTP_NOT_THE_PLATFORM");
        assert.match(error.message, /^GET https:\/\/town\.example:8888\/api\/v1\.0\/nn\/images: HTTP 200 with /);
        return !error.message.includes(access.token);
      });
    });
  }

  it("finds a picture at the path of the setting, and encodes its id", async () => {
    const jpeg = Buffer.from([0xff, 0xd8, 0xff, 0xe0, 0, 0]);
    const imagePath = "/nn/dataset/img/{id}";
    const { client, urls } = clientOf(() => ({ body: jpeg }), { imagePath });
    assert.deepEqual(await client.downloadImage("a/../b$&?", never), jpeg);
    assert.deepEqual(urls(), ["https://town.example:8888/nn/dataset/img/a%2F..%2Fb%24%26%3F"]);
    for (const id of ["", ".", ".."]) {
      await assert.rejects(client.downloadImage(id, never), { code: "ENCODE_FAILED" });
    }
    assert.equal(urls().length, 1);
  });

  it("takes nothing for a picture that does not begin like one", async () => {
    const bodies = ["", '{"message":"gone"}', "\xff\xd8", "PK\x03\x04"].map((text) => Buffer.from(text, "latin1"));
    for (const body of bodies) {
      const { client } = clientOf(() => ({ body }));
      await assert.rejects(client.downloadImage("a", never), { code: "HTTP_NOT_THE_PLATFORM", message: /no picture/ });
    }
    const png = Buffer.from("\x89PNG\r\n\x1a\n....", "latin1");
    assert.deepEqual(await clientOf(() => ({ body: png })).client.downloadImage("a", never), png);
  });
});

describe("IoT.own client: storage", () => {
  const pages = [
    { data: [{ _id: "a1", value: { t: 20 } }, { _id: "a2" }], lastKey: "a 2" },
    { data: [{ _id: "a3" }], lastKey: 33 },
    { data: [{ _id: "a4" }] },
  ];

  it("reads page after page, each with the whole query", async () => {
    const { client, urls } = clientOf((_, at) => ({ json: pages[at] }));
    const rows = await all(client.storage({ nid: "LW+1", from: "2026-03-05T10:00:00.000Z", count: 2 }, never));
    assert.deepEqual(
      rows.map(({ _id }) => _id),
      ["a1", "a2", "a3", "a4"],
    );
    const first = "https://town.example:8888/api/v1.0/storage?nid=LW%2B1&from=2026-03-05T10%3A00%3A00.000Z&count=2";
    assert.deepEqual(urls(), [first, `${first}&lastKey=a%202`, `${first}&lastKey=33`]);
  });

  it("has a right address for the second page also where nothing else is asked", async () => {
    const { client, urls } = clientOf((_, at) => ({ json: pages[at] }));
    assert.equal((await all(client.storage({}, never))).length, 4);
    assert.equal(urls()[1], "https://town.example:8888/api/v1.0/storage?lastKey=a%202");
  });

  it("ends where the key of the next page is null", async () => {
    const { client, link } = clientOf(() => ({ json: { data: [{ _id: "a" }], lastKey: null } }));
    assert.equal((await all(client.storage({}, never))).length, 1);
    assert.equal(link.requests.length, 1);
  });

  it("ends with an error where a key comes again, also after others", async () => {
    const keys = ["a", "b", "a"];
    const { client, link } = clientOf((_, at) => ({ json: { data: [], lastKey: keys[at % 3] } }));
    await assert.rejects(all(client.storage({}, never)), { code: "HTTP_NOT_THE_PLATFORM", message: /came twice/ });
    assert.equal(link.requests.length, 3);
    await assert.rejects(all(client.storage({ lastKey: "a" }, never)), { message: /came twice/ });
    assert.equal(link.requests.length, 4);
  });

  it("ends after so many pages, whatever the server says", async () => {
    const { client, link } = clientOf((_, at) => ({ json: { data: [], lastKey: String(at) } }));
    await assert.rejects(all(client.storage({}, never)), { message: /no end after/ });
    assert.equal(link.requests.length, iotownLimits.pagesMax);
  });

  it("deletes rows of a node or one row, and never without either", async () => {
    const { client, link } = clientOf(() => ({ json: { errorCode: 200 } }));
    await client.deleteData({ nid: "WF1", from: "2026-03-05T10:00:00Z" }, never);
    await client.deleteData({ _id: "a1" }, never);
    const bodies = link.requests.map(({ method, body }) => [method, body?.toString()]);
    assert.deepEqual(bodies, [
      ["DELETE", '{"nid":"WF1","from":"2026-03-05T10:00:00Z"}'],
      ["DELETE", '{"_id":"a1"}'],
    ]);
    await assert.rejects(client.deleteData({ nid: "" }, never), { code: "ENCODE_FAILED" });
    assert.equal(link.requests.length, 2);
  });
});

describe("IoT.own client: pictures", () => {
  it("uses a body's memory again only when the connection has read all of it", async () => {
    for (const requestSent of [true, false]) {
      const { client, link } = clientOf(() => ({ requestSent }));
      for (let at = 0; at < 2; at += 1) await client.uploadImage({ jpeg: Buffer.alloc(90_000, at), labels: [] }, never);
      const [first, second] = link.requests.map(({ body }) => body);
      assert.ok(Buffer.isBuffer(first) && Buffer.isBuffer(second));
      assert.equal(first.buffer === second.buffer && first.byteOffset === second.byteOffset, requestSent);
    }
  });
});

describe("IoT.own client: nodes and commands", () => {
  it("queues a text and bytes, LoRaWAN words under the platform's names", async () => {
    const { client, link } = clientOf(() => ({ json: { fCnt: "12" } }));
    assert.deepEqual(await client.command({ nid: "WF1", command: "ré" }, never), { fCnt: 12 });
    const lorawan = { fPort: 2, confirmed: false };
    await client.command({ nid: "LW1", command: Buffer.from([1, 255]), lorawan }, never);
    assert.deepEqual(
      link.requests.map(({ body }) => JSON.parse(body?.toString() ?? "") as unknown),
      [
        { nid: "WF1", type: "string", command: "ré" },
        { nid: "LW1", type: "hex", command: "01ff", lorawan: { f_port: 2, confirmed: false } },
      ],
    );
  });

  it("takes a LoRaWAN command for queued only with its frame counter", async () => {
    for (const json of [undefined, "OK", { errorCode: 200 }]) {
      const { client } = clientOf(() => ({ json }));
      const command = { nid: "n", command: "x" };
      assert.deepEqual(await client.command(command, never), {});
      const queued = client.command({ ...command, lorawan: { fPort: 1 } }, never);
      await assert.rejects(queued, { code: "HTTP_NOT_THE_PLATFORM", message: /no fCnt/ });
    }
  });

  it("sends the group of an administrator with every request, and no secret in an address", async () => {
    const { client, link } = clientOf(() => ({ json: { nodes: [], command: [], node: {} } }), { grpid: "g1" });
    await client.nodes({ withoutLorawanSession: true }, never);
    await client.pendingCommands("a b", never);
    assert.equal(await client.node("n", {}, never), undefined);
    assert.deepEqual(
      link.requests.map(({ url }) => url.replace("https://town.example:8888/api/v1.0", "")),
      ["/nodes/without-lorawan-session", "/command/a%20b", "/node/n"],
    );
    for (const { headers } of link.requests)
      assert.deepEqual([headers["Token"], headers["grpid"]], [access.token, "g1"]);
  });
});

describe("IoT.own callbacks", () => {
  it("are asked for with the single-level wildcard alone", () => {
    assert.equal(callbackTopics("g").length, 5);
    assert.ok(callbackTopics("g").every((topic) => /^iotown\/rx\/g\/(device|gateway)\/\+\/[a-z]+$/.test(topic)));
  });

  it("are read from topic and message, whatever the message holds", () => {
    const read = (topic: string, text: string) => callbackOf(topic, Buffer.from(text));
    const ack = { topic: "iotown/rx/g/device/LW1/ack", source: "device", id: "LW1", kind: "ack" };
    assert.deepEqual(read(ack.topic, '{"fCnt":3,"errorMsg":""}'), { ...ack, message: { fCnt: 3, errorMsg: "" } });
    assert.deepEqual(read(ack.topic, "{oops"), { ...ack, message: "{oops" });
    assert.equal(read("iotown/rx/g/device/LW1", "{}"), undefined);
    assert.equal(read("iotown/rx/g/device/LW1/ack/more", "{}"), undefined);
    assert.equal(read("other/rx/g/camera/LW1/ack", "{}"), undefined);
  });
});
