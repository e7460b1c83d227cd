import assert from "node:assert/strict";
import { afterEach, beforeEach, describe, it } from "mocha";
import { AgentError } from "../../src/core/errors.ts";
import { layernextLimits } from "../../src/core/limits.ts";
import type { Outcome } from "../../src/core/outcome.ts";
import type { Delivery } from "../../src/core/ports.ts";
import { redirectFault, type SandboxFault } from "../../src/sandbox/faults.ts";
import { layernextFaults } from "../../src/sandbox/layernext/faults.ts";
import { settleAll } from "../contract/target-rounds.ts";
import { LayernextBench, outcomesOf } from "../lib/layernext-bench.ts";
import { inWords } from "../lib/outcome-words.ts";
import { sampleDelivery, sampleDetection, sampleJpeg } from "../lib/records.ts";
import { tcpServer } from "../lib/servers.ts";
import { MemoryForTarget } from "../lib/target-memory.ts";

const deliveries = (count: number): readonly Delivery[] =>
  Array.from({ length: count }, (_, at) => sampleDelivery(at + 1, sampleJpeg(at + 1)));

const words = (outcomes: readonly Outcome[]) => outcomes.map(inWords);

const steps = {
  references: /label\/references/,
  begin: /uploadMetadataInCollection/,
  initialize: /initializeMultipartUpload/,
  sign: /getMultipartPreSignedUrls/,
  finalize: /finalizeMultipartUpload/,
  complete: /complete$/,
  job: /getStatus/,
  run: /operationdata/,
} as const;

/** What a single delivery comes to when each step meets the fault: those of a batch never set a record aside. */
const expected: Readonly<Partial<Record<keyof typeof layernextFaults, string>>> = {
  "not-json": "target? HTTP_NOT_THE_PLATFORM",
  "bare-string": "target? HTTP_NOT_THE_PLATFORM",
  empty: "target? HTTP_NOT_THE_PLATFORM",
  html: "target? HTTP_NOT_THE_PLATFORM",
  "no-success-200": "target? PLATFORM_FAILED",
  "created-201": "target? HTTP_UNEXPECTED_STATUS",
  "no-content-204": "target? HTTP_UNEXPECTED_STATUS",
  "not-acceptable-406": "target? UPLOAD_REFUSED",
  "bad-request-400": "target? UPLOAD_REFUSED",
  "html-400": "target? HTTP_NOT_THE_PLATFORM",
  "unauthorized-401": "target HTTP_401",
  "forbidden-403": "target? HTTP_403",
  "not-found-404": "target HTTP_404",
  "too-many-429": "target HTTP_429 after 7000",
  "server-error-500": "target? HTTP_500",
  "bad-gateway-502": "target? HTTP_502",
  "unavailable-503": "target? HTTP_503 after 11000",
  "reset-early": "target? NET_RESET",
  "reset-late": "target? NET_RESET",
  "reset-after-store": "target? NET_RESET",
  "reset-answer": "target? NET_RESET",
  hang: "target? NET_TIMEOUT",
  drip: "target ABORTED",
  "long-answer": "target? HTTP_ANSWER_TOO_LARGE",
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

describe("LayerNext target, step by step", () => {
  beforeEach(() => begin());
  afterEach(() => bench.stop());

  it("repeats only the finalizing when that fails once", async () => {
    bench.sandbox.fault(layernextFaults["server-error-500"], 1, steps.finalize);
    assert.deepEqual(words(await outcomesOf(bench.target(), deliveries(2))), ["accepted", "accepted"]);
    assert.equal(bench.puts(), 2);
    assert.equal(bench.count("finalizeMultipartUpload"), 3);
  });

  it("goes on with the finalizing alone after a kill, however often it failed", async () => {
    bench.sandbox.fault(layernextFaults["server-error-500"], 2, steps.finalize);
    assert.deepEqual(words(await outcomesOf(bench.target(), deliveries(1))), ["target? HTTP_500"]);
    assert.deepEqual(words(await outcomesOf(bench.target(), deliveries(1))), ["accepted"]);
    assert.equal(bench.puts(), 1);
    assert.equal(bench.count("uploadMetadataInCollection"), 1);
  });

  const requestsOfTwo = 12;
  for (const stores of [true, false]) {
    it(`comes through a kill ${stores ? "after" : "before"} each of its requests without a second PUT`, async () => {
      for (let at = 0; at < requestsOfTwo; at += 1) {
        await bench.stop();
        await begin();
        if (at > 0) bench.sandbox.fault({ kind: "late", delayMs: 0 }, at);
        bench.sandbox.fault({ kind: "reset-late", stores });
        const first = words(await outcomesOf(bench.target(), deliveries(2)));
        assert.ok(
          first.every((outcome) => outcome.startsWith("target")),
          `request ${at}: ${first.join()}`,
        );
        assert.deepEqual(words(await outcomesOf(bench.target(), deliveries(2))), ["accepted", "accepted"]);
        assert.equal(bench.puts(), 2, `request ${at}`);
        assert.deepEqual(
          bench.sandbox.annotations().map(({ shapes }) => shapes.length),
          [1, 1],
        );
        assert.deepEqual(bench.sandbox.violations(), []);
      }
    });
  }

  it("sends a file again that was cut off on its way to the storage, and only that", async () => {
    bench.sandbox.storage.fault({ kind: "late", delayMs: 0 });
    bench.sandbox.storage.fault({ kind: "reset-late", stores: true });
    assert.deepEqual(words(await outcomesOf(bench.target(), deliveries(3))), [
      "target BATCH_INTERRUPTED",
      "target? NET_RESET",
      "target BATCH_INTERRUPTED",
    ]);
    assert.deepEqual(words(await outcomesOf(bench.target(), deliveries(3))), Array(3).fill("accepted"));
    assert.deepEqual(
      bench.sandbox.stored().map(({ sha256 }) => bench.sandbox.storage.putsOf(sha256)),
      [1, 2, 1],
    );
  });

  it("begins anew with what is at hand when a file of the open upload is gone", async () => {
    bench.sandbox.fault({ kind: "reset-late", stores: true }, 1, steps.complete);
    bench.sandbox.storage.fault({ kind: "late", delayMs: 0 });
    bench.sandbox.storage.fault({ kind: "reset-late", stores: false });
    await outcomesOf(bench.target(), deliveries(2));
    const [first] = deliveries(1);
    assert.ok(first !== undefined);
    bench.sandbox.heal();
    assert.deepEqual(words(await outcomesOf(bench.target(), [first])), ["accepted"]);
    assert.equal(bench.puts(), 1, "what is finalized is not sent again");
  });

  it("begins anew when the server has forgotten the open upload", async () => {
    bench.sandbox.fault({ kind: "reset-early" }, 1, steps.sign);
    await outcomesOf(bench.target(), deliveries(1));
    bench.sandbox.fault(layernextFaults["not-acceptable-406"], 1, steps.initialize);
    assert.deepEqual(words(await outcomesOf(bench.target(), deliveries(1))), ["accepted"]);
    assert.equal(bench.count("uploadMetadataInCollection"), 2);
  });

  it("survives nonsense in its memory, and what another collection left there", async () => {
    for (const value of [null, 7, "x", [], { files: 1 }, { account: "x", upload: {}, files: {}, completed: true }]) {
      const memory = new MemoryForTarget(value);
      const other = new LayernextBench({}, memory);
      await other.start();
      assert.deepEqual(words(await outcomesOf(other.target(), deliveries(1))), ["accepted"]);
      assert.deepEqual(words(await outcomesOf(other.target({ collection: "gate" }), deliveries(1))), ["accepted"]);
      assert.equal(other.puts(), 2);
      await other.stop();
    }
  });

  it("counts a picture that is in the lake already as uploaded, and sends its model run", async () => {
    await outcomesOf(bench.target(), deliveries(1));
    const fresh = new LayernextBench({});
    assert.deepEqual(words(await outcomesOf(bench.target({ operationId: "second run" }), deliveries(2))), [
      "accepted",
      "accepted",
    ]);
    assert.equal(bench.puts(), 2);
    assert.equal(bench.sandbox.annotations().length, 3);
    await fresh.stop();
  });

  it("sets aside what the server removed before, says so, and takes the others", async () => {
    const [first, removed] = deliveries(2);
    assert.ok(first !== undefined && removed !== undefined);
    bench.sandbox.removeFile(removed.record.name);
    const outcomes = await outcomesOf(bench.target(), [first, removed]);
    assert.deepEqual(words(outcomes), ["accepted", "rejected UPLOAD_REMOVED"]);
    assert.match(outcomes[1]?.kind === "rejected" ? outcomes[1].error.message : "", /was removed from the collection/);
  });
});

describe("LayerNext jobs", () => {
  beforeEach(() => begin());
  afterEach(() => bench.stop());

  it("says of a failed job that it failed, and uploads its pictures anew", async () => {
    bench.sandbox.endJobs("fail");
    const target = bench.target();
    assert.deepEqual(words(await outcomesOf(target, deliveries(2))), Array(2).fill("target? JOB_FAILED"));
    assert.deepEqual(bench.sandbox.annotations(), []);
    bench.sandbox.endJobs("complete");
    const endings = await settleAll(target, deliveries(2));
    assert.deepEqual(
      [...endings.values()].map(({ kind }) => kind),
      ["accepted", "accepted"],
    );
    assert.equal(bench.puts(), 2);
  });

  const carried = (delivery: Delivery, outcome: Outcome | undefined): Delivery => {
    assert.ok(outcome?.kind === "retry" && outcome.cursor !== undefined);
    assert.ok(Buffer.byteLength(outcome.cursor) <= 512);
    return { ...delivery, cursor: outcome.cursor };
  };

  it("puts a slow job off with a cursor, and sends neither picture nor model run twice", async () => {
    bench.sandbox.endJobs("never");
    const batch = deliveries(2);
    const outcomes = await outcomesOf(bench.target({}, { waitMs: 0 }), batch);
    assert.deepEqual(words(outcomes), Array(2).fill("record? JOB_PENDING after 15000"));
    const later = batch.map((delivery, at) => carried(delivery, outcomes[at]));
    const again = await outcomesOf(bench.target(), later);
    assert.deepEqual(words(again), Array(2).fill("record? JOB_PENDING after 30000"));
    assert.notEqual(
      carried(batch[0] ?? assert.fail(), again[0]).cursor,
      later[0]?.cursor,
      "a step that is not charged",
    );
    assert.equal(bench.puts(), 2);
    assert.equal(bench.count("uploadMetadataInCollection"), 1);
  });

  it("waits for a job within the call, at once and then less and less often", async () => {
    await bench.stop();
    await begin({ jobPolls: 4 });
    assert.deepEqual(words(await outcomesOf(bench.target(), deliveries(1))), ["accepted"]);
    assert.equal(bench.clock.monotonicMs(), 250 + 500 + 1_000 + 2_000);
  });

  it("gives up on a job that never ends, and charges its pictures with it", async () => {
    bench.sandbox.endJobs("never");
    const target = bench.target({}, { waitMs: 0 });
    let [delivery] = deliveries(1);
    assert.ok(delivery !== undefined);
    for (let polls = 0; polls < layernextLimits.laterPollsMax; polls += 1) {
      const [outcome] = await outcomesOf(target, [delivery]);
      delivery = carried(delivery, outcome);
    }
    const [last] = await outcomesOf(target, [delivery]);
    assert.ok(last?.kind === "retry" && last.error.code === "JOB_STUCK" && last.cursor === "");
    bench.sandbox.endJobs("complete");
    assert.deepEqual(words(await outcomesOf(bench.target(), deliveries(1))), ["accepted"]);
    assert.equal(bench.puts(), 1);
  });

  it("uploads anew when the server has forgotten the job", async () => {
    const [delivery] = deliveries(1);
    assert.ok(delivery !== undefined);
    const cursor = '{"j":"gone","n":3}';
    const [outcome] = await outcomesOf(bench.target(), [{ ...delivery, cursor }]);
    assert.ok(outcome?.kind === "retry" && outcome.scope === "record" && outcome.cursor === "");
    assert.deepEqual(words(await outcomesOf(bench.target(), [{ ...delivery, cursor: "{nonsense" }])), ["accepted"]);
  });
});

describe("LayerNext model runs", () => {
  beforeEach(() => begin({ labels: ["person", "forklift"] }));
  afterEach(() => bench.stop());

  it("does not swallow a data call that fails, and then repeats it alone", async () => {
    for (const name of ["server-error-500", "no-success-200"] as const) {
      bench.sandbox.fault(layernextFaults[name], 1, steps.run);
      const [outcome] = await outcomesOf(bench.target(), deliveries(1));
      assert.ok(outcome?.kind === "retry" && outcome.cursor !== undefined);
      const [delivery] = deliveries(1);
      assert.ok(delivery !== undefined);
      const uploads = bench.count("uploadMetadataInCollection");
      assert.deepEqual(words(await outcomesOf(bench.target(), [{ ...delivery, cursor: outcome.cursor }])), [
        "accepted",
      ]);
      assert.equal(bench.count("uploadMetadataInCollection"), uploads);
    }
  });

  it("sets aside the one record whose annotations the server refuses", async () => {
    const batch = deliveries(3);
    for (const { record } of batch) {
      const label = record.sequence === 2 ? "forklift" : "person";
      bench.sandbox.expect(record.imageSha256, { boxes: [{ label, box: sampleDetection().box }] });
    }
    assert.deepEqual(words(await outcomesOf(bench.target(), batch)), ["accepted", "rejected HTTP_400", "accepted"]);
  });

  it("sends no picture whose label the server does not know, says which, and takes the others", async () => {
    const strange = sampleDelivery(2, sampleJpeg(2), { detections: [sampleDetection({ label: "dog" })] });
    const outcomes = await outcomesOf(bench.target(), [...deliveries(1), strange]);
    assert.deepEqual(words(outcomes), ["accepted", "rejected LABEL_UNKNOWN"]);
    assert.match(outcomes[1]?.kind === "rejected" ? outcomes[1].error.message : "", /no label "dog"/);
    assert.equal(bench.puts(), 1);
    const [alone] = await outcomesOf(bench.target(), [strange]);
    assert.equal(alone === undefined ? "" : inWords(alone), "rejected LABEL_UNKNOWN");
  });

  it("asks for labels one by one when the server refuses to answer for all", async () => {
    const other = sampleDelivery(2, sampleJpeg(2), { detections: [sampleDetection({ label: "forklift" })] });
    bench.sandbox.fault(layernextFaults["not-acceptable-406"], 1, steps.references);
    assert.deepEqual(words(await outcomesOf(bench.target(), [...deliveries(1), other])), ["accepted", "accepted"]);
    assert.equal(bench.count("references"), 3);
  });

  it("sends one model run for each model and day, and none for frames that no model saw", async () => {
    const model = { inputWidth: 1, inputHeight: 1, threshold: 0, nmsIou: 1, runtime: "x", sha256: "ab12".repeat(16) };
    const batch = [
      sampleDelivery(1, sampleJpeg(1), { model: { ...model, name: "dock" } }),
      sampleDelivery(2, sampleJpeg(2), { model: { ...model, name: "yard/50%" } }),
      sampleDelivery(3, sampleJpeg(3), { model: { ...model, name: "dock" }, detections: [] }),
      sampleDelivery(4, sampleJpeg(4), { labelled: false, detections: [] }),
    ];
    const target = bench.target({ operationId: "{model} {version} {date}" });
    assert.deepEqual(words(await outcomesOf(target, batch)), Array(4).fill("accepted"));
    assert.deepEqual(
      bench.sandbox.annotations().map(({ operationId, shapes }) => [operationId, shapes.length]),
      [
        ["dock ab12ab12ab12 2026-03-05", 1],
        ["dock ab12ab12ab12 2026-03-05", 0],
        ["yard-50- ab12ab12ab12 2026-03-05", 1],
      ],
    );
    assert.equal(bench.sandbox.stored().length, 4);
  });

  it("carries outlines and lines where the model gives them, and their boxes where the config says so", async () => {
    const points = [
      { x: 4, y: 2 },
      { x: 24, y: 2 },
      { x: 24, y: 11 },
    ];
    const shapes = [sampleDetection({ polygon: points }), sampleDetection({ line: points }), sampleDetection()];
    const batch = [sampleDelivery(1, sampleJpeg(1), { detections: shapes })];
    const types = () => bench.sandbox.annotations().map((run) => run.shapes.map(({ type }) => type));
    await outcomesOf(bench.target(), batch);
    assert.deepEqual(types(), [["polygon", "line", "rectangle"]]);
    await outcomesOf(bench.target({ geometry: "rectangle" }), batch);
    assert.deepEqual(types(), [["rectangle", "rectangle", "rectangle"]]);
  });

  it("gives each shape the same id when a model run is sent again", async () => {
    const ids = () => bench.sandbox.annotations().flatMap((run) => run.shapes.map(({ id }) => id));
    await outcomesOf(bench.target(), deliveries(2));
    const before = ids();
    await outcomesOf(bench.target(), deliveries(2));
    assert.deepEqual(ids(), before);
    assert.equal(new Set(before).size, 2);
  });

  it("sends an unreadable record aside and tells the server nothing of it", async () => {
    const error = new AgentError("RECORD_UNREADABLE", "its checksum is wrong", { disposition: "reject" });
    const [first, second] = deliveries(2);
    assert.ok(first !== undefined && second !== undefined);
    const damaged = { ...first, image: () => Promise.reject(error) };
    assert.deepEqual(words(await outcomesOf(bench.target(), [damaged, second])), [
      "rejected RECORD_UNREADABLE",
      "accepted",
    ]);
    assert.equal(bench.count("uploadMetadataInCollection"), 1);
  });

  it("speaks with servers from before 1.0, at the base path of the config", async () => {
    await bench.stop();
    await begin({ api: "layerx", basePath: "/lake" });
    assert.deepEqual(words(await outcomesOf(bench.target({ basePath: "/lake" }), deliveries(2))), [
      "accepted",
      "accepted",
    ]);
    assert.match(bench.sandbox.annotations()[0]?.objectKey ?? "", /^dock-3\/gw-07/);
    assert.deepEqual([...bench.sandbox.violations(), ...bench.sandbox.storage.violations()], []);
  });
});
