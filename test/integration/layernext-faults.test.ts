import assert from "node:assert/strict";
import { afterEach, beforeEach, describe, it } from "mocha";
import { httpStatusError } from "../../src/link/http-status.ts";
import { redirectFault, type SandboxFault } from "../../src/sandbox/faults.ts";
import { layernextFaults } from "../../src/sandbox/layernext/faults.ts";
import { signatureOf } from "../../src/targets/layernext/storage.ts";
import { settleAll } from "../contract/target-rounds.ts";
import { commonOutcomes } from "../lib/fault-outcomes.ts";
import { deliveries, LayernextBench, outcomesOf, steps, words } from "../lib/layernext-bench.ts";
import { inWords } from "../lib/outcome-words.ts";
import { sampleDelivery, sampleJpeg } from "../lib/records.ts";
import { tcpServer } from "../lib/servers.ts";

/** What a single delivery comes to when each step meets the fault: those of a batch never set a record aside. */
const expected: Readonly<Record<keyof typeof layernextFaults, string>> = {
  ...commonOutcomes,
  "too-large-413": "target? UPLOAD_REFUSED",
  "not-json": "target? HTTP_NOT_THE_PLATFORM",
  "bare-string": "target? HTTP_NOT_THE_PLATFORM",
  empty: "target? HTTP_NOT_THE_PLATFORM",
  "no-success-200": "target? PLATFORM_FAILED",
  "created-201": "target? HTTP_UNEXPECTED_STATUS",
  "no-content-204": "target? HTTP_UNEXPECTED_STATUS",
  "not-acceptable-406": "target? UPLOAD_REFUSED",
  "bad-request-400": "target? UPLOAD_REFUSED",
};

let bench: LayernextBench;

async function begin(options: ConstructorParameters<typeof LayernextBench>[0] = {}): Promise<void> {
  bench = new LayernextBench(options);
  await bench.start();
}

describe("LayerNext target under faults", () => {
  beforeEach(() => begin());
  afterEach(async () => {
    assert.deepEqual(bench.sandbox.storage.violations(), [], "the storage was shown what it must not see");
    await bench.stop();
  });

  for (const [name, reading] of Object.entries(expected)) {
    it(`${name} at the first step of an upload: ${reading}`, async () => {
      const target = bench.target();
      bench.sandbox.fault(layernextFaults[name as keyof typeof layernextFaults], 1, steps.begin);
      const signal = name === "drip" ? AbortSignal.timeout(300) : undefined;
      assert.deepEqual(words(await outcomesOf(target, deliveries(1), signal)), [reading]);
      assert.equal(bench.sandbox.stored().length, 0);
      assert.deepEqual(words(await outcomesOf(target, deliveries(1))), ["accepted"]);
      assert.deepEqual(bench.sandbox.violations(), []);
    });
  }

  const anywhere = ["server-error-500", "not-json", "unauthorized-401", "reset-after-store"];
  for (const step of Object.keys(steps) as (keyof typeof steps)[]) {
    it(`loses nothing and sends nothing twice when ${step} meets any of ${anywhere.length} faults`, async () => {
      for (const [at, name] of anywhere.entries()) {
        const three = [1, 2, 3].map((one) => sampleDelivery(10 * at + one, sampleJpeg(10 * at + one)));
        bench.sandbox.fault(layernextFaults[name as keyof typeof layernextFaults], 1, steps[step]);
        const endings = await settleAll(bench.target(), three);
        assert.deepEqual(
          [...endings.values()].map(({ kind }) => kind),
          Array(3).fill("accepted"),
          name,
        );
      }
      assert.equal(bench.sandbox.stored().length, 3 * anywhere.length);
      // What was not finalized may be sent again, where its upload could not be continued with what was at hand.
      if (step !== "finalize") assert.equal(bench.puts(), 3 * anywhere.length);
      assert.equal(bench.sandbox.annotations().length, 3 * anywhere.length);
      assert.ok(bench.sandbox.stored().every(({ times }) => times === 1));
    });
  }

  it("says what the server said of a collection that it refuses, and blames no record", async () => {
    bench.sandbox.fault(layernextFaults["not-acceptable-406"], 1, steps.begin);
    const [outcome] = await outcomesOf(bench.target(), deliveries(2));
    assert.match(outcome?.kind === "retry" ? outcome.error.message : "", /Collection name is not available/);
  });

  for (const status of [301, 302, 307, 308] as const) {
    it(`follows no ${status}, neither of the server nor of the storage`, async () => {
      await using other = await tcpServer(() => undefined);
      const fault = redirectFault(status, `http://127.0.0.1:${other.port}/`);
      const target = bench.target();
      bench.sandbox.fault(fault);
      assert.deepEqual(words(await outcomesOf(target, deliveries(1))), ["target HTTP_REDIRECT"]);
      bench.sandbox.storage.fault(fault);
      assert.deepEqual(words(await outcomesOf(target, deliveries(1))), ["target HTTP_REDIRECT"]);
      assert.equal(other.connections(), 0);
    });
  }

  it("asks once in a call that is answered 401", async () => {
    bench.sandbox.fault(layernextFaults["unauthorized-401"], Infinity);
    assert.deepEqual(words(await outcomesOf(bench.target(), deliveries(3))), Array(3).fill("target HTTP_401"));
    assert.equal(bench.sandbox.counts().requests, 1);
  });

  it("tells a probe what is wrong, in words to act on", async () => {
    const target = bench.target();
    await target.probe(new AbortController().signal);
    bench.sandbox.fault(layernextFaults["unauthorized-401"]);
    await assert.rejects(target.probe(new AbortController().signal), { code: "HTTP_401", message: /its secret/ });
    bench.sandbox.fault(layernextFaults["not-found-404"]);
    await assert.rejects(target.probe(new AbortController().signal), { code: "HTTP_404", message: /basePath right/ });
  });
});

describe("LayerNext storage under faults", () => {
  beforeEach(() => begin());
  afterEach(() => bench.stop());

  const refused = (status: number, body = ""): SandboxFault => ({ kind: "answer", status, body });

  it("asks for a fresh address when one has expired, and does not try the old one again", async () => {
    bench.sandbox.storage.fault(refused(403, "<Error><Code>AccessDenied</Code></Error>"));
    assert.deepEqual(words(await outcomesOf(bench.target(), deliveries(1))), ["accepted"]);
    assert.equal(bench.count("getMultipartPreSignedUrls"), 2);
    assert.equal(bench.sandbox.storage.counts().requests, 2);
    assert.deepEqual(bench.sandbox.storage.violations(), []);
  });

  for (const status of [400, 404]) {
    it(`takes a storage's ${status} for a word about the address, and sets nothing aside`, async () => {
      bench.sandbox.storage.fault(refused(status, "<Error><Code>RequestTimeout</Code></Error>"));
      assert.deepEqual(words(await outcomesOf(bench.target(), deliveries(1))), ["accepted"]);
      const more = [sampleDelivery(2, sampleJpeg(2))];
      bench.sandbox.storage.fault(refused(status), 2);
      assert.deepEqual(words(await outcomesOf(bench.target(), more)), ["target? STORAGE_REFUSED"]);
      assert.deepEqual(words(await outcomesOf(bench.target(), more)), ["accepted"]);
    });
  }

  it("shows no signed address that comes in a strange answer, or is repeated in a refusal", async () => {
    const address = "http://storage.example/f?X-Amz-Signature=aa%2Bbb%2Fcc-canary";
    const parts = JSON.stringify({ parts: [{ PartNumber: "1", signedUrl: address }] });
    bench.sandbox.fault({ kind: "answer", status: 200, body: parts }, 1, steps.sign);
    const [strange] = await outcomesOf(bench.target(), deliveries(1));
    assert.ok(strange?.kind === "retry" && !strange.error.message.includes("canary"), "in a strange answer");
    const context = { attempted: "PUT x", secrets: signatureOf(address) };
    for (const said of ["aa+bb/cc-canary", "aa%2Bbb%2Fcc-canary", "?X-Amz-Signature=aa%2Bbb%2Fcc-canary&"]) {
      const { message } = httpStatusError({ status: 400, headers: {}, body: Buffer.from(`<E>${said}</E>`) }, context);
      assert.ok(!message.includes("canary"), message);
    }
  });

  it("shows no signed address that the server repeats when it refuses to finalize", async () => {
    let shown = "";
    const sign = bench.sandbox.storage.sign.bind(bench.sandbox.storage);
    bench.sandbox.storage.sign = (...given) => {
      shown = sign(...given);
      const body = JSON.stringify({ error: { message: `cannot finalize ${shown}` } });
      bench.sandbox.fault({ kind: "answer", status: 500, body }, 2, steps.finalize);
      return shown;
    };
    const [outcome] = await outcomesOf(bench.target(), deliveries(1));
    const signature = new URL(shown).searchParams.get("X-Amz-Signature") ?? "";
    assert.ok(outcome?.kind === "retry" && /cannot finalize/.test(outcome.error.message));
    assert.ok(signature !== "" && !outcome.error.message.includes(signature));
  });

  it("suspects the picture when fresh addresses are refused too, and not the others of its batch", async () => {
    bench.sandbox.storage.fault(refused(403), 2);
    const outcomes = words(await outcomesOf(bench.target(), deliveries(3)));
    assert.deepEqual(outcomes, ["target? HTTP_403", "target BATCH_INTERRUPTED", "target BATCH_INTERRUPTED"]);
  });

  it("passes on a storage's wish to be left alone", async () => {
    bench.sandbox.storage.fault(layernextFaults["unavailable-503"]);
    const outcomes = words(await outcomesOf(bench.target(), deliveries(2)));
    assert.deepEqual(outcomes, ["target? HTTP_503 after 11000", "target BATCH_INTERRUPTED after 11000"]);
  });

  it("finalizes nothing without an ETag", async () => {
    bench.sandbox.storage.fault({ kind: "answer", status: 200, stores: true });
    assert.deepEqual(words(await outcomesOf(bench.target(), deliveries(1))), ["target? HTTP_NOT_THE_PLATFORM"]);
    assert.equal(bench.count("finalizeMultipartUpload"), 0);
  });

  it("sets aside the picture that is too large, and takes the others", async () => {
    bench.sandbox.storage.fault(layernextFaults["too-large-413"]);
    const outcomes = words(await outcomesOf(bench.target(), deliveries(3)));
    assert.deepEqual(outcomes, ["rejected HTTP_413", "accepted", "accepted"]);
    assert.equal(bench.puts(), 2);
  });

  it("keeps the signature of an address out of errors, whatever the storage repeats", async () => {
    let shown = "";
    bench.sandbox.storage.fault({ kind: "answer", status: 500, body: "x" });
    const sign = bench.sandbox.storage.sign.bind(bench.sandbox.storage);
    bench.sandbox.storage.sign = (...given) => (shown = sign(...given));
    const [outcome] = await outcomesOf(bench.target(), deliveries(1));
    const signature = new URL(shown).searchParams.get("X-Amz-Signature") ?? "";
    assert.ok(signature.length > 8);
    assert.ok(outcome?.kind === "retry" && !outcome.error.message.includes(signature));
  });

  for (const storageType of ["gcs", "azure_blob"] as const) {
    it(`refuses ${storageType} with advice, and uses it where the config says so`, async () => {
      await bench.stop();
      await begin({ storageType });
      const [outcome] = await outcomesOf(bench.target(), deliveries(1));
      assert.equal(outcome === undefined ? "" : inWords(outcome), "target STORAGE_UNSUPPORTED");
      assert.match(outcome?.kind === "retry" ? outcome.error.message : "", /otherStorage: unproven/);
      assert.deepEqual(words(await outcomesOf(bench.target({ otherStorage: "unproven" }), deliveries(1))), [
        "accepted",
      ]);
      assert.deepEqual(bench.sandbox.storage.violations(), []);
    });
  }
});
