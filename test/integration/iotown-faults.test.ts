import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { inspect } from "node:util";
import { afterEach, beforeEach, describe, it } from "mocha";
import type { Outcome } from "../../src/core/outcome.ts";
import type { Delivery } from "../../src/core/ports.ts";
import { redirectFault } from "../../src/sandbox/faults.ts";
import { iotownFaults } from "../../src/sandbox/iotown/faults.ts";
import { IotownSandbox } from "../../src/sandbox/iotown/server.ts";
import { iotownConfig } from "../../src/targets/iotown/config.ts";
import { IotownTarget } from "../../src/targets/iotown/target.ts";
import { commonOutcomes, commonStoring } from "../lib/fault-outcomes.ts";
import { assertClean, inWords } from "../lib/outcome-words.ts";
import { sampleDelivery, sampleJpeg } from "../lib/records.ts";
import { tcpServer } from "../lib/servers.ts";

const token = "iotown-fault-canary";
const never = new AbortController().signal;

/** What the delivery comes to under each fault. */
const expected: Readonly<Record<keyof typeof iotownFaults, string>> = {
  ...commonOutcomes,
  "not-json": "accepted",
  "bare-string": "accepted",
  empty: "accepted",
  "error-in-200": "target? HTTP_500",
  "created-201": "target? HTTP_UNEXPECTED_STATUS",
  "no-content-204": "target? HTTP_UNEXPECTED_STATUS",
};

/** Those after which the picture is at the server. */
const storing: ReadonlySet<string> = new Set<keyof typeof expected>([
  ...commonStoring,
  "not-json",
  "bare-string",
  "empty",
]);

const modes = {
  "sending pictures": {},
  "sending frames as data of a node": { mode: "data", nid: "WF1" },
} as const;

for (const [doing, settings] of Object.entries(modes)) {
  describe(`IoT.own target under faults, ${doing}`, () => {
    let sandbox: IotownSandbox;
    let target: IotownTarget;
    let impatient: IotownTarget;

    beforeEach(async () => {
      sandbox = new IotownSandbox({ token, nodes: ["WF1"] });
      const { url } = await sandbox.start();
      const config = { id: "town", kind: "iotown", url, token, ...settings };
      target = new IotownTarget(iotownConfig.parse(config));
      // Only where the server hangs: on a busy machine any answer may take a while.
      impatient = new IotownTarget(iotownConfig.parse(config), { idleTimeoutMs: 250 });
    });
    afterEach(async () => {
      await target.close();
      await impatient.close();
      await sandbox.stop();
    });

    for (const [name, usual] of Object.entries(expected)) {
      const stored = storing.has(name) ? 1 : 0;
      // A first frame may be refused for its details.
      const reading = "mode" in settings && name === "bad-request-400" ? "target? PLATFORM_UNCERTAIN" : usual;
      it(`${name}: ${reading}`, async () => {
        const jpeg = sampleJpeg(7);
        sandbox.fault(iotownFaults[name as keyof typeof iotownFaults]);
        const first = name.startsWith("hang") ? impatient : target;
        const signal = name === "drip" ? AbortSignal.timeout(150) : never;
        assert.equal(inWords(await delivered(first, sampleDelivery(1, jpeg), signal)), reading);
        assert.equal(sandbox.stored().length, stored);
        // A 400 may mean the node, so the server is asked for it.
        const asked = "mode" in settings && name === "bad-request-400" ? 2 : 1;
        assert.equal(sandbox.counts().requests, asked, "one delivery is one request");
        // The fault is over: the same record goes through, and the server can tell that it is the same.
        assert.equal((await delivered(target, sampleDelivery(1, jpeg))).kind, "accepted");
        assert.deepEqual(
          sandbox.stored().map(({ sha256, times }) => [sha256, times]),
          [[createHash("sha256").update(jpeg).digest("hex"), stored + 1]],
        );
        assert.deepEqual(sandbox.violations(), []);
      });
    }
  });
}

async function delivered(target: IotownTarget, delivery: Delivery, signal = never): Promise<Outcome> {
  const outcome = (await target.deliver([delivery], signal)).get(delivery.record.id);
  assert.ok(outcome !== undefined);
  if (outcome.kind !== "accepted") assertClean(outcome.error, [token]);
  return outcome;
}

describe("IoT.own target and what else can go wrong", () => {
  let sandbox: IotownSandbox;
  let target: IotownTarget;
  let url: string;

  beforeEach(async () => {
    sandbox = new IotownSandbox({ token });
    ({ url } = await sandbox.start());
    target = targetFor(url);
  });
  afterEach(async () => {
    await target.close();
    await sandbox.stop();
  });

  const targetFor = (address: string, useToken = token): IotownTarget =>
    new IotownTarget(iotownConfig.parse({ id: "town", kind: "iotown", url: address, token: useToken }));

  const deliver = (delivery: Delivery): Promise<Outcome> => delivered(target, delivery);

  for (const status of [301, 302, 307, 308] as const) {
    it(`refuses a ${status} and shows the token to nobody else`, async () => {
      await using other = await tcpServer(() => undefined);
      sandbox.fault(redirectFault(status, `http://127.0.0.1:${other.port}/api/v1.0/nn/image?token=x`));
      assert.equal(inWords(await deliver(sampleDelivery(1, sampleJpeg()))), "target HTTP_REDIRECT");
      assert.equal(other.connections(), 0);
      assert.deepEqual(sandbox.stored(), []);
    });
  }

  it("accepts an answer that comes late but in time", async () => {
    sandbox.fault({ kind: "late", delayMs: 60 });
    assert.equal((await deliver(sampleDelivery(1, sampleJpeg()))).kind, "accepted");
  });

  it("keeps a wrong token away from errors, from the server's and its own", async () => {
    const wrong = "wrong-token-canary";
    target = targetFor(url, wrong);
    sandbox.fault({ kind: "answer", status: 401, body: `{"errorMsg":"unknown token ${wrong}"}` });
    const outcome = await deliver(sampleDelivery(1, sampleJpeg()));
    assert.equal(outcome.kind, "retry");
    assert.match(outcome.error.message, /HTTP 401: .*unknown token \*\*\*/);
    assert.ok(!inspect(outcome.error).includes(wrong));
  });

  it("sends nothing twice on a connection that the server closed meanwhile", async () => {
    for (let sequence = 1; sequence <= 5; sequence += 1) {
      assert.equal((await deliver(sampleDelivery(sequence, sampleJpeg(sequence)))).kind, "accepted");
    }
    assert.equal(sandbox.counts().connections, 1);
    assert.ok(sandbox.stored().every(({ times }) => times === 1));
  });

  it("sends a picture of 4 MB as base64 once, and nothing more", async () => {
    const jpeg = sampleJpeg(3, 4_000_000);
    assert.equal((await deliver(sampleDelivery(1, jpeg))).kind, "accepted");
    const { bodyBytes } = sandbox.counts();
    assert.ok(bodyBytes < (jpeg.length * 4) / 3 + 500, `${bodyBytes} bytes`);
  });

  it("tells a probe what is wrong, in words to act on", async () => {
    await target.probe(never);
    assert.deepEqual(sandbox.stored(), []);
    const wrong = targetFor(url, "another-token");
    await assert.rejects(wrong.probe(never), { code: "HTTP_401", message: /refuses the token/ });
    sandbox.fault(iotownFaults["not-found-404"]);
    await assert.rejects(target.probe(never), { code: "HTTP_404", message: /is the url right/ });
    sandbox.fault(iotownFaults.html);
    await assert.rejects(target.probe(never), { code: "HTTP_NOT_THE_PLATFORM" });
    await wrong.close();
  });
});
