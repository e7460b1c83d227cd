import assert from "node:assert/strict";
import { afterEach, beforeEach, describe, it } from "mocha";
import type { Outcome } from "../../src/core/outcome.ts";
import type { Delivery } from "../../src/core/ports.ts";
import { customVisionFaults } from "../../src/sandbox/customvision/faults.ts";
import { CustomVisionSandbox, sandboxProjectId } from "../../src/sandbox/customvision/server.ts";
import { customVisionConfig } from "../../src/targets/customvision/config.ts";
import { CustomVisionTarget } from "../../src/targets/customvision/target.ts";
import { commonOutcomes, commonStoring } from "../lib/fault-outcomes.ts";
import { assertClean, inWords } from "../lib/outcome-words.ts";
import { sampleDelivery, sampleDetection, sampleJpeg } from "../lib/records.ts";
import { VirtualClock } from "../lib/virtual-clock.ts";

const trainingKey = "customvision-fault-canary";
const never = new AbortController().signal;
const noLimit = { requestsPerSecondMax: Infinity };
const upload = /^POST .*\/images\/files$/;

/** What one delivery comes to under each fault of its upload. */
const expected: Readonly<Record<keyof typeof customVisionFaults, string>> = {
  ...commonOutcomes,
  "gateway-401": "target HTTP_401",
  "status-code-401": "target HTTP_401",
  "gateway-404": "target HTTP_404",
  "timeout-408": "target? HTTP_408",
  "quota-400": "target PROJECT_FULL",
  "image-size-400": "rejected IMAGE_TOO_LARGE",
  "long-answer": "target? HTTP_NOT_THE_PLATFORM",
  "not-json": "target? HTTP_NOT_THE_PLATFORM",
  empty: "target? HTTP_NOT_THE_PLATFORM",
  "no-images": "target? HTTP_NOT_THE_PLATFORM",
  "created-201": "target? HTTP_UNEXPECTED_STATUS",
};

/** Those after which the picture is at the server. */
const storing: ReadonlySet<string> = new Set<keyof typeof expected>([
  ...commonStoring,
  "not-json",
  "empty",
  "no-images",
]);

describe("Custom Vision target under faults", () => {
  let sandbox: CustomVisionSandbox;
  let target: CustomVisionTarget;
  let url: string;

  beforeEach(async () => {
    sandbox = new CustomVisionSandbox({ trainingKey, switches: noLimit });
    ({ url } = await sandbox.start());
    target = newTarget();
  });
  afterEach(async () => {
    await target.close();
    await sandbox.stop();
  });

  function newTarget(config: object = {}, clock = new VirtualClock()): CustomVisionTarget {
    const given = { id: "azure", kind: "customvision", url, trainingKey, projectId: sandboxProjectId, ...config };
    return new CustomVisionTarget(customVisionConfig.parse(given), { clock }, { idleTimeoutMs: 200 });
  }

  async function deliver(deliveries: readonly Delivery[], signal = never): Promise<readonly string[]> {
    return (await outcomesOf(deliveries, signal)).map(inWords);
  }

  async function outcomesOf(deliveries: readonly Delivery[], signal = never): Promise<readonly Outcome[]> {
    const outcomes = await target.deliver(deliveries, signal);
    return deliveries.map(({ record }) => {
      const outcome = outcomes.get(record.id);
      assert.ok(outcome !== undefined, `${record.name} has no outcome`);
      if (outcome.kind !== "accepted") assertClean(outcome.error, [trainingKey]);
      return outcome;
    });
  }

  /** `row(3)`: records 1 to 3. */
  const row = (count: number): readonly Delivery[] =>
    Array.from({ length: count }, (_, at) => sampleDelivery(at + 1, sampleJpeg(at + 1)));
  const nameOf = (sequence: number): string => sampleDelivery(sequence, sampleJpeg()).record.name;
  const accepted = (count: number): readonly string[] => Array.from({ length: count }, () => "accepted");
  const uploads = (before = 0): number => sandbox.counts().requests - before;

  for (const [name, reading] of Object.entries(expected)) {
    const stored = storing.has(name) ? 1 : 0;
    it(`${name}: ${reading}`, async () => {
      const [record] = row(1);
      assert.ok(record !== undefined);
      sandbox.fault(customVisionFaults[name as keyof typeof customVisionFaults], 1, upload);
      const signal = name === "drip" ? AbortSignal.timeout(150) : never;
      assert.deepEqual(await deliver([record], signal), [reading]);
      assert.equal(sandbox.stored().length, stored);
      // Project, domain, tags, the new tag, and one upload.
      assert.equal(sandbox.counts().requests, 5, "one delivery is one upload");
      // The fault is over: the same record goes through, and is there once, because the service knows its bytes.
      assert.deepEqual(await deliver([record]), ["accepted"]);
      assert.deepEqual(
        sandbox.stored().map(({ times, boxes }) => [times, boxes.length]),
        [[stored + 1, 1]],
      );
      assert.deepEqual(sandbox.violations(), []);
    });
  }

  it("passes every refusal of the first questions on, and asks them again", async () => {
    for (const [fault, reading] of [
      ["gateway-401", "target HTTP_401"],
      ["gateway-404", "target HTTP_404"],
      ["bad-request-400", "target PLATFORM_REFUSED"],
      ["too-large-413", "target PLATFORM_REFUSED"],
      ["unavailable-503", "target? HTTP_503 after 11000"],
    ] as const) {
      sandbox.fault(customVisionFaults[fault]);
      assert.deepEqual(await deliver(row(2)), [reading, reading]);
    }
    const { requests } = sandbox.counts();
    assert.equal(requests, 5, "no loop on a refusal");
    sandbox.fault(customVisionFaults["bad-request-400"], 1, /^GET .*\/tags$/);
    assert.deepEqual(await deliver(row(2)), ["target PLATFORM_REFUSED", "target PLATFORM_REFUSED"]);
    assert.deepEqual(await deliver(row(2)), accepted(2));
  });

  it("judges each image of a batch by its own status, in any order, with names in quotes or not", async () => {
    for (const quotedNames of [false, true]) {
      sandbox.turn({
        quotedNames,
        statusOf: (name) => ({ [nameOf(2)]: "ErrorImageFormat", [nameOf(3)]: "ErrorImageSize" })[name],
      });
      const [first, second, third, fourth] = await outcomesOf(row(4));
      assert.equal(first?.kind === "accepted" && first.remoteId, sandbox.stored()[0]?.id);
      assert.equal(fourth?.kind, "accepted");
      assert.ok(second !== undefined && third !== undefined);
      assert.deepEqual([inWords(second), inWords(third)], ["rejected IMAGE_REFUSED", "rejected IMAGE_TOO_LARGE"]);
      // It keeps to the documented limit, so nobody knows how small is small enough.
      assert.deepEqual(third.kind === "rejected" && third.error.facts, {});
    }
    assert.equal(sandbox.stored().length, 2, "the second time all are duplicates, which count as accepted");
  });

  const refusing = [
    ...["ErrorSource", "ErrorImageFormat", "ErrorImageDimensions", "ErrorTagLimitExceed"],
    ...["ErrorRegionLimitExceed", "ErrorNegativeAndRegularTagOnSameImage"],
  ];
  it("sets aside what is refused for good", async () => {
    for (const status of refusing) {
      sandbox.turn({ statusOf: (name) => (name === nameOf(1) ? status : undefined) });
      assert.deepEqual(await deliver(row(2)), ["rejected IMAGE_REFUSED", "accepted"], status);
    }
  });

  it("pauses when the project is full and goes on when there is room", async () => {
    sandbox.turn({ imagesMax: 2 });
    assert.deepEqual(await deliver(row(4)), ["accepted", "accepted", "target PROJECT_FULL", "target PROJECT_FULL"]);
    sandbox.turn({ imagesMax: 4 });
    assert.deepEqual(await deliver(row(4)), accepted(4));
  });

  it("reads a code in each shape that a refusal has", async () => {
    for (const body of [{ Code: "BadRequestExceededQuota" }, { error: { code: "BadRequestExceededQuota" } }]) {
      sandbox.fault({ kind: "answer", status: 400, body: JSON.stringify(body) }, 1, upload);
      assert.deepEqual(await deliver(row(1)), ["target PROJECT_FULL"]);
    }
  });

  it("pauses when one image alone is one too many", async () => {
    sandbox.fault({ kind: "answer", status: 400, body: '{"code":"BadRequestImageExceededCount"}' }, 2, upload);
    assert.deepEqual(await deliver(row(2)), ["target PROJECT_FULL", "target NOT_SENT"]);
    assert.deepEqual(await deliver(row(2)), accepted(2));
  });

  it("tries a storage error again: as the record's where others were stored, else as the platform's", async () => {
    sandbox.turn({ statusOf: (name) => (name === nameOf(1) ? "ErrorStorage" : undefined) });
    assert.deepEqual(await deliver(row(2)), ["record IMAGE_UNCERTAIN", "accepted"]);
    sandbox.turn({ statusOf: () => "ErrorStorage" });
    assert.deepEqual(await deliver(row(2)), ["target? PLATFORM_UNCERTAIN", "target? PLATFORM_UNCERTAIN"]);
  });

  for (const status of ["ErrorUnknown", "ErrorInvalidRegion", "none"]) {
    it(`tries an image answered ${status} again alone, three times with growing waits, and holds up nobody`, async () => {
      sandbox.turn({ statusOf: (name) => (name === nameOf(2) ? status : undefined) });
      const words: string[] = [];
      let cursor = "";
      for (let round = 0; round < 4; round += 1) {
        const deliveries = row(3).map((delivery) =>
          delivery.record.sequence === 2 ? { ...delivery, cursor } : delivery,
        );
        const before = sandbox.counts().requests;
        const outcomes = await outcomesOf(deliveries);
        const doubtful = outcomes[1];
        assert.ok(doubtful !== undefined);
        assert.deepEqual([outcomes[0]?.kind, outcomes[2]?.kind], ["accepted", "accepted"]);
        if (round > 0) assert.equal(uploads(before), 4, "the tags anew, and three requests: it goes alone");
        words.push(inWords(doubtful));
        cursor = doubtful.kind === "retry" ? (doubtful.cursor ?? "") : "";
      }
      assert.deepEqual(words, [
        "record IMAGE_UNCERTAIN after 5000",
        "record IMAGE_UNCERTAIN after 60000",
        "record IMAGE_UNCERTAIN after 600000",
        "rejected IMAGE_UNCERTAIN",
      ]);
    });
  }

  it("blames the platform when everything it is given is answered ErrorUnknown, and loses nothing", async () => {
    sandbox.turn({ statusOf: () => "ErrorUnknown" });
    assert.deepEqual([...new Set(await deliver(row(64)))], ["target? PLATFORM_UNCERTAIN"]);
    for (const alone of row(10)) assert.deepEqual(await deliver([alone]), ["target? PLATFORM_UNCERTAIN"]);
    sandbox.turn({ statusOf: () => undefined });
    assert.deepEqual(await deliver(row(64)), accepted(64));
  });

  it("takes an answer for an image that was never sent for no answer at all", async () => {
    sandbox.turn({ statusOf: (name) => (name === nameOf(2) ? "alien" : undefined) });
    assert.deepEqual([...new Set(await deliver(row(3)))], ["target? HTTP_NOT_THE_PLATFORM"]);
    sandbox.turn({ statusOf: () => undefined });
    assert.deepEqual(await deliver(row(3)), accepted(3));
    assert.deepEqual(
      sandbox
        .stored()
        .map(({ times }) => times)
        .toSorted(),
      [1, 2, 2],
      "nothing is there twice",
    );
  });

  it("takes two answers for one image for no answer at all", async () => {
    const images = ["OK", "ErrorImageFormat"].map((status) => ({ sourceUrl: nameOf(1), status, image: null }));
    const body = JSON.stringify({ isBatchSuccessful: false, images });
    sandbox.fault({ kind: "answer", status: 200, body, stores: false }, 1, upload);
    assert.deepEqual(await deliver(row(1)), ["target? HTTP_NOT_THE_PLATFORM"]);
  });

  it("goes on blaming images as long as others are accepted in between", async () => {
    const doubtful = row(9).slice(1);
    sandbox.turn({ statusOf: (name) => (name === nameOf(1) ? undefined : "ErrorUnknown") });
    for (const [at, delivery] of doubtful.entries()) {
      if (at === 4) await deliver(row(1));
      assert.deepEqual(await deliver([delivery]), ["record IMAGE_UNCERTAIN after 5000"]);
    }
  });

  it("finds the image that makes a batch be refused, and sends all others", async () => {
    const label = { label: "person", box: { left: 0, top: 0, width: 5, height: 5 } };
    const [third] = row(3).slice(2);
    assert.ok(third !== undefined);
    // The sandbox knows what this image shows, and it is something else.
    sandbox.expect(third.record.imageSha256, { boxes: [label] });
    const outcomes = await deliver(row(8));
    assert.deepEqual(outcomes, ["accepted", "accepted", "rejected HTTP_400", ...accepted(5)]);
    assert.equal(sandbox.stored().length, 7);
  });

  it("halves a batch whose body is refused for its size, and sends smaller ones from then on", async () => {
    sandbox.turn({ bodyBytesMax: 3_000 });
    assert.deepEqual(await deliver(row(8)), accepted(8));
    assert.ok(target.capacity().bytesPerCallMax < 3_000);
    const before = sandbox.counts().requests;
    assert.deepEqual(await deliver(row(8)), accepted(8));
    assert.equal(uploads(before), 4, "none of them is refused any more");
    const small = target.capacity().bytesPerCallMax;
    sandbox.turn({ bodyBytesMax: Infinity });
    for (let round = 0; round < 32; round += 1) await deliver(row(1));
    assert.ok(target.capacity().bytesPerCallMax > small, "after a while more is tried again");
    sandbox.turn({ bodyBytesMax: 100 });
    assert.deepEqual([...new Set(await deliver(row(2)))], ["rejected HTTP_413"]);
    target = newTarget();
    const { bytesPerCallMax } = target.capacity();
    assert.deepEqual(await deliver(row(1)), ["rejected HTTP_413"]);
    assert.equal(target.capacity().bytesPerCallMax, bytesPerCallMax, "one image alone is not the request's size");
  });

  it("stops a call when the service is away, and what was not sent pays for nothing", async () => {
    target = newTarget({ imagesPerRequest: 2 });
    await deliver(row(1));
    sandbox.fault({ kind: "late", delayMs: 0 }, 1, upload);
    sandbox.fault(customVisionFaults["unavailable-503"], 1, upload);
    const away = "target? HTTP_503 after 11000";
    assert.deepEqual(await deliver(row(6)), ["accepted", "accepted", away, away, "target NOT_SENT", "target NOT_SENT"]);
    assert.deepEqual(await deliver(row(6)), accepted(6));
  });

  it("gets through although the service takes 10 requests a second", async () => {
    const clock = { nowMs: 0 };
    await sandbox.stop();
    sandbox = new CustomVisionSandbox({ trainingKey, nowMs: () => clock.nowMs });
    ({ url } = await sandbox.start());
    target = newTarget();
    const [bad] = row(60).slice(30);
    assert.ok(bad !== undefined);
    sandbox.expect(bad.record.imageSha256, { boxes: [] });
    let open = row(60);
    const words: string[] = [];
    const cursors = new Set<string | undefined>();
    for (let second = 0; second < 20 && open.length > 0; second += 1) {
      const outcomes = await outcomesOf(open);
      words.push(...outcomes.map(inWords));
      open = open.flatMap((delivery, at) => {
        const outcome = outcomes[at];
        if (outcome?.kind !== "retry") return [];
        cursors.add(outcome.cursor);
        return [outcome.cursor === undefined ? delivery : { ...delivery, cursor: outcome.cursor }];
      });
      clock.nowMs += 1_000;
    }
    assert.deepEqual(open, []);
    assert.equal(sandbox.stored().length, 59);
    assert.equal(words.filter((word) => word === "rejected HTTP_400").length, 1);
    assert.ok(words.includes("target HTTP_429 after 1000"));
    assert.ok(cursors.has("alone"), "a halving that was cut short does not begin anew");
  });

  it("reads the tags anew when an image's tag is gone, and stores it then", async () => {
    for (const unknownTag of ["ErrorUnknown", "ErrorInvalidTag"] as const) {
      sandbox.turn({ unknownTag });
      assert.deepEqual(await deliver(row(1)), ["accepted"]);
      sandbox.removeTag("person");
      const [record] = row(2).slice(1);
      assert.ok(record !== undefined);
      const [outcome] = await outcomesOf([record]);
      assert.equal(outcome?.kind, "retry");
      assert.equal(outcome.scope, "record");
      assert.deepEqual(await deliver([{ ...record, cursor: outcome.cursor ?? "" }]), ["accepted"]);
    }
  });

  it("reads the tags anew when a whole request is refused for its ids, blames each image once, and stores them", async () => {
    assert.deepEqual(await deliver(row(1)), ["accepted"]);
    sandbox.removeTag("person");
    const refusal = { kind: "answer", status: 400, body: '{"code":"BadRequestInvalidIds","message":"no"}' } as const;
    sandbox.fault(refusal, 1, upload);
    const outcomes = await outcomesOf(row(3));
    assert.deepEqual(outcomes.map(inWords), Array(3).fill("record IMAGE_REFUSED"));
    const again = row(3).map((delivery, at) => {
      const outcome = outcomes[at];
      return { ...delivery, cursor: outcome?.kind === "retry" ? (outcome.cursor ?? "") : "" };
    });
    sandbox.fault(refusal, 1, upload);
    assert.deepEqual(await deliver(again), ["rejected IMAGE_REFUSED", "accepted", "accepted"]);
  });

  it("adopts a tag that somebody else has just made, whatever its case", async () => {
    assert.deepEqual(await deliver(row(1)), ["accepted"]);
    sandbox.addTag("Car");
    const car = sampleDelivery(2, sampleJpeg(2), { detections: [sampleDetection({ label: "car" })] });
    assert.deepEqual(await deliver([car]), ["accepted"]);
    assert.deepEqual(sandbox.stored()[1]?.tags, ["Car"]);
  });

  it("lets records wait for a tag that the service does not make, and only these", async () => {
    sandbox.fault(
      { kind: "answer", status: 400, body: '{"code":"BadRequestExceedTagPerProjectLimit","message":"500 tags"}' },
      1,
      /^POST .*\/tags$/,
    );
    const plain = sampleDelivery(2, sampleJpeg(2), { detections: [sampleDetection({ label: "car" })] });
    assert.deepEqual(await deliver([...row(1), plain]), ["record TAG_NOT_MADE after 60000", "accepted"]);
  });

  it("asks for a tag that was refused once a minute, so that many of them do not use up the service's rate", async () => {
    const clock = new VirtualClock();
    target = newTarget({}, clock);
    const full = { kind: "answer", status: 400, body: '{"code":"BadRequestExceedTagPerProjectLimit"}' } as const;
    const detections = Array.from({ length: 12 }, (_, at) => sampleDetection({ label: `label-${at}` }));
    const many = sampleDelivery(1, sampleJpeg(1), { detections });
    sandbox.fault(full, 12, /^POST .*\/tags$/);
    assert.deepEqual(await deliver([many]), ["record TAG_NOT_MADE after 60000"]);
    const { requests } = sandbox.counts();
    assert.deepEqual(await deliver([many]), ["record TAG_NOT_MADE after 60000"]);
    assert.equal(uploads(requests), 0);
    await clock.run(60_000);
    assert.deepEqual(await deliver([many]), ["accepted"]);
  });

  it("comes to an end with an image whose answers alternate", async () => {
    const [delivery] = row(1);
    assert.ok(delivery !== undefined);
    let cursor = "";
    const words: string[] = [];
    for (const status of ["ErrorUnknown", "ErrorInvalidTag", "ErrorUnknown", "ErrorUnknown", "ErrorInvalidTag"]) {
      sandbox.turn({ statusOf: () => status });
      const [outcome] = await outcomesOf([{ ...delivery, cursor }]);
      assert.ok(outcome !== undefined);
      words.push(outcome.kind);
      cursor = outcome.kind === "retry" ? (outcome.cursor ?? cursor) : cursor;
    }
    assert.deepEqual(words, ["retry", "retry", "retry", "retry", "rejected"]);
  });

  it("leaves boxes without a tag out where the config says so, and finds a tag that was added later", async () => {
    const clock = new VirtualClock();
    target = newTarget({ missingTags: "leave-out" }, clock);
    assert.deepEqual(await deliver(row(1)), ["accepted"]);
    assert.deepEqual(sandbox.stored()[0]?.boxes, []);
    sandbox.addTag("person");
    await clock.run(60_000);
    assert.deepEqual(await deliver(row(2).slice(1)), ["accepted"]);
    assert.equal(sandbox.stored()[1]?.boxes.length, 1);
  });

  it("knows before sending what is too large, too long or shows too much", async () => {
    const large = sampleDelivery(1, sampleJpeg(1, 6_000_001));
    const long = sampleDelivery(2, sampleJpeg(2), { imageWidth: 10_241, imageHeight: 5_000 });
    const narrow = sampleDelivery(3, sampleJpeg(3), { imageWidth: 2_601, imageHeight: 100 });
    const labels = Array.from({ length: 21 }, (_, at) => sampleDetection({ label: `label-${at}` }));
    const much = sampleDelivery(4, sampleJpeg(4), { detections: labels });
    const outcomes = await outcomesOf([large, long, narrow, much, ...row(5).slice(4)]);
    assert.deepEqual(outcomes.map(inWords), [
      "rejected IMAGE_TOO_LARGE",
      ...["rejected IMAGE_REFUSED", "rejected IMAGE_REFUSED", "rejected IMAGE_REFUSED", "accepted"],
    ]);
    assert.deepEqual(outcomes[0]?.kind === "rejected" && outcomes[0].error.facts, { bytesMax: 6_000_000 });
    assert.equal(sandbox.stored().length, 1);
  });

  it("sends nothing twice after a kill between answer and settling that the service could not tell", async () => {
    assert.deepEqual(await deliver(row(5)), accepted(5));
    await target.close();
    target = newTarget();
    assert.deepEqual(await deliver(row(5)), accepted(5));
    assert.deepEqual(
      sandbox.stored().map(({ times, boxes }) => [times, boxes.length]),
      row(5).map(() => [2, 1]),
    );
  });
});
