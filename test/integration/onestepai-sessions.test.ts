import assert from "node:assert/strict";
import { afterEach, beforeEach, describe, it } from "mocha";
import { setImmediate as tick } from "node:timers/promises";
import { SystemClock } from "../../src/core/clock.ts";
import { onestepaiLimits } from "../../src/core/platform-limits.ts";
import type { Delivery, TargetMemory } from "../../src/core/ports.ts";
import { HttpLink } from "../../src/link/http.ts";
import { onestepaiFaults } from "../../src/sandbox/onestepai/faults.ts";
import {
  OnestepaiSandbox,
  sandboxDatasetId,
  type OnestepaiSandboxOptions,
} from "../../src/sandbox/onestepai/server.ts";
import { OnestepaiClient } from "../../src/targets/onestepai/client.ts";
import { onestepaiConfig } from "../../src/targets/onestepai/config.ts";
import { OnestepaiTarget } from "../../src/targets/onestepai/target.ts";
import { inWords } from "../lib/outcome-words.ts";
import { sampleDelivery, sampleDetection, sampleJpeg } from "../lib/records.ts";
import { SimulatedClock } from "../lib/seams.ts";
import { MemoryForTarget } from "../lib/target-memory.ts";

const accessToken = "onestepai-session-canary";
const never = new AbortController().signal;
const [start, chunk, finish] = [/\/StartUploading$/, /\/UploadChunk$/, /\/FinishUploading$/];

/** Sleeps in real time; ages as the simulated clock does. */
class AgeingClock extends SystemClock {
  readonly #age: SimulatedClock;

  constructor(age: SimulatedClock) {
    super();
    this.#age = age;
  }

  override monotonicMs(): number {
    return super.monotonicMs() + this.#age.monotonicMs();
  }
}

describe("OneStepAI sessions", () => {
  let sandbox: OnestepaiSandbox;
  let url: string;
  let clock: SimulatedClock;
  const open: { close(): Promise<void> }[] = [];

  async function begin(options: Partial<OnestepaiSandboxOptions> = {}): Promise<void> {
    sandbox = new OnestepaiSandbox({ accessToken, clock, unlockAfterMs: 600_000, ...options });
    ({ url } = await sandbox.start());
  }
  beforeEach(async () => {
    clock = new SimulatedClock();
    await begin();
  });
  afterEach(async () => {
    for (const target of open.splice(0)) await target.close();
    await sandbox.stop();
  });

  function targetWith(
    memory: TargetMemory = new MemoryForTarget(),
    changes: object = {},
    ends: object = {},
  ): OnestepaiTarget {
    const place = { url, accessToken, datasetId: sandboxDatasetId };
    const config = { id: "osai", kind: "onestepai", ...place, category: { default: "gate" }, createCategories: true };
    const target = new OnestepaiTarget(onestepaiConfig.parse({ ...config, ...changes }), {
      ...{ memory, limits: { ...onestepaiLimits, ...ends }, clock: new AgeingClock(clock) },
    });
    open.push(target);
    return target;
  }

  async function deliver(target: OnestepaiTarget, deliveries: readonly Delivery[], signal = never) {
    const outcomes = await target.deliver(deliveries, signal);
    return deliveries.map(({ record }) => inWords(outcomes.get(record.id) ?? assert.fail("no outcome")));
  }

  const some = (count: number, from = 1) =>
    Array.from({ length: count }, (_, at) => sampleDelivery(from + at, sampleJpeg(from + at)));
  const names = () => sandbox.chunks().map(({ name }) => name);

  it("sends a batch in one upload: start, images, finish", async () => {
    const target = targetWith();
    assert.deepEqual(await deliver(target, some(4)), Array(4).fill("accepted"));
    // Sign-in, category, start, four images, finish.
    assert.equal(sandbox.counts().requests, 8);
    assert.deepEqual(await deliver(target, some(2, 5)), ["accepted", "accepted"]);
    assert.equal(sandbox.counts().requests, 12);
    assert.equal(sandbox.lockOf(), undefined);
    assert.deepEqual(sandbox.violations(), []);
  });

  it("puts the boxes where the picture shows them, in the picture's own size", async () => {
    const box = { left: 41, top: 5, width: 23, height: 7 };
    const delivery = sampleDelivery(1, sampleJpeg(1), { detections: [sampleDetection({ box })] });
    sandbox.expect(delivery.record.imageSha256, { boxes: [{ label: "person", box }] });
    assert.deepEqual(await deliver(targetWith(), [delivery]), ["accepted"]);
    assert.deepEqual(sandbox.violations(), []);
  });

  it("starts nothing where there is nothing to send", async () => {
    const unreadable = { ...sampleDelivery(1, sampleJpeg()), image: () => Promise.reject(new Error("damaged")) };
    assert.deepEqual(await deliver(targetWith(), [unreadable]), ["target? UNEXPECTED"]);
    assert.equal(sandbox.counts().requests, 0);
  });

  const answers = [
    { signInAnswer: "text", uploadIdAnswer: "number" },
    { signInAnswer: "quoted", uploadIdAnswer: "string" },
    { signInAnswer: "line", uploadIdAnswer: "object" },
    { signInAnswer: "bearer", uploadIdAnswer: "number" },
  ] as const;
  for (const shapes of answers) {
    it(`reads a sign-in as ${shapes.signInAnswer} and an upload's id as ${shapes.uploadIdAnswer}`, async () => {
      await sandbox.stop();
      await begin(shapes);
      assert.deepEqual(await deliver(targetWith(), some(1)), ["accepted"]);
      assert.equal(sandbox.lockOf(), undefined);
      assert.deepEqual(sandbox.violations(), []);
    });
  }

  it("signs in once for many requests that meet an expired JWT together", async () => {
    const link = new HttpLink();
    const client = new OnestepaiClient({ url, accessToken }, link);
    await Promise.all(Array.from({ length: 6 }, () => client.whoAmI(never)));
    assert.equal(sandbox.counts().requests, 7);
    sandbox.expireTokens();
    await Promise.all(Array.from({ length: 6 }, () => client.whoAmI(never)));
    const once = sandbox.counts().requests - 7;
    assert.ok(once <= 13, `${once} requests for six that were refused at most once each, and one sign-in`);
    sandbox.fault(onestepaiFaults["unauthorized-401"], Infinity, /\/Users$/);
    const before = sandbox.counts().requests;
    const ends = await Promise.allSettled(Array.from({ length: 6 }, () => client.whoAmI(never)));
    assert.ok(ends.every(({ status }) => status === "rejected"));
    assert.ok(sandbox.counts().requests - before <= 18, "each is repeated once");
    link.close();
  });

  it("waits while somebody else holds the dataset, and never ends their upload", async () => {
    const target = targetWith();
    sandbox.lockByOther();
    assert.deepEqual(await deliver(target, some(2)), ["target PLATFORM_LOCKED after 30000", "target NOT_SENT"]);
    assert.equal(sandbox.lockOf(), "somebody-else");
    assert.deepEqual(sandbox.violations(), []);
    sandbox.unlock();
    assert.deepEqual(await deliver(target, some(2)), ["accepted", "accepted"]);
  });

  it("waits for the platform to unlock what a lost answer has locked", async () => {
    const target = targetWith();
    sandbox.fault(onestepaiFaults["reset-after-store"], 1, start);
    assert.deepEqual(await deliver(target, some(1)), ["target? NET_RESET"]);
    assert.deepEqual(await deliver(target, some(1)), ["target PLATFORM_LOCKED after 30000"]);
    clock.advance(600_000);
    assert.deepEqual(await deliver(target, some(1)), ["accepted"]);
    assert.deepEqual(names(), ["gw-07-aaaa-1.jpg"]);
  });

  for (const [where, on] of Object.entries({ "the first image": chunk, "the finish": finish })) {
    it(`ends the upload of a process that was killed at ${where} before it starts its own`, async () => {
      const memory = new MemoryForTarget();
      const killed = targetWith(memory);
      sandbox.fault({ kind: "hang", stores: false }, Infinity, on);
      const dying = killed.deliver(some(1), never);
      while (sandbox.lockOf() === undefined || sandbox.counts().requests < (on === chunk ? 4 : 5)) await tick();
      // What a kill leaves: the memory as it is now, and connections that are gone.
      const left = memory.value;
      await killed.close();
      await dying;
      sandbox.heal();
      const held = sandbox.lockOf();
      assert.ok(held !== undefined, "the dataset is locked");
      assert.equal((left as { upload?: { uploadId?: string } }).upload?.uploadId, held);
      assert.deepEqual(await deliver(targetWith(new MemoryForTarget(left)), some(1)), ["accepted"]);
      assert.equal(sandbox.lockOf(), undefined);
      assert.deepEqual(sandbox.violations(), []);
      assert.deepEqual(names(), Array(on === chunk ? 1 : 2).fill("gw-07-aaaa-1.jpg"));
    });
  }

  it("sends an image once more in a new upload when the old one was lost meanwhile", async () => {
    const target = targetWith();
    const [first, late, last] = some(3);
    const slow = {
      ...(late ?? assert.fail()),
      image() {
        clock.advance(700_000);
        return Promise.resolve(sampleJpeg(2));
      },
    };
    assert.ok(first !== undefined && last !== undefined);
    assert.deepEqual(await deliver(target, [first, slow, last]), ["accepted", "accepted", "accepted"]);
    assert.deepEqual(names(), ["gw-07-aaaa-1.jpg", "gw-07-aaaa-2.jpg", "gw-07-aaaa-3.jpg"]);
    assert.equal(sandbox.lockOf(), undefined);
    assert.deepEqual(sandbox.violations(), []);
  });

  it("gives an image up that is refused in a new upload as well, and one that a fresh upload refuses at once", async () => {
    const target = targetWith();
    const late = {
      ...sampleDelivery(2, sampleJpeg(2)),
      image() {
        clock.advance(120_000);
        sandbox.fault(onestepaiFaults["bad-request-400"], 2, chunk);
        return Promise.resolve(sampleJpeg(2));
      },
    };
    const outcomes = await deliver(target, [...some(1), late, ...some(1, 3)]);
    assert.deepEqual(outcomes, ["accepted", "rejected HTTP_400", "accepted"]);
    sandbox.fault(onestepaiFaults["bad-request-400"], 1, chunk);
    const before = sandbox.counts().requests;
    assert.deepEqual(await deliver(target, some(1, 4)), ["rejected HTTP_400"]);
    assert.equal(sandbox.counts().requests - before, 3);
  });

  it("sends an image once more where a fresh upload's end is refused as well, since its lock was taken away", async () => {
    const [first, late, last] = some(3);
    const robbed = {
      ...(late ?? assert.fail()),
      image() {
        sandbox.unlock();
        return Promise.resolve(sampleJpeg(2));
      },
    };
    assert.ok(first !== undefined && last !== undefined);
    assert.deepEqual(await deliver(targetWith(), [first, robbed, last]), Array(3).fill("accepted"));
    assert.deepEqual(names(), ["gw-07-aaaa-1.jpg", "gw-07-aaaa-2.jpg", "gw-07-aaaa-3.jpg"]);
    assert.equal(sandbox.lockOf(), undefined);
  });

  it("gives nothing up while its category has never worked, which may be what is refused", async () => {
    const target = targetWith(undefined, { category: { default: 4711 } });
    assert.deepEqual(await deliver(target, some(2)), Array(2).fill("target? PLATFORM_UNCERTAIN"));
    assert.equal(sandbox.lockOf(), undefined);
    const mended = targetWith();
    assert.deepEqual(await deliver(mended, some(2)), ["accepted", "accepted"]);
  });

  it("judges a refused image by the others of its batch, also when it is the first", async () => {
    const [odd, ...good] = some(3);
    sandbox.refuse(odd?.record.imageSha256 ?? "");
    assert.deepEqual(await deliver(targetWith(), [odd ?? assert.fail(), ...good]), [
      "rejected HTTP_400",
      "accepted",
      "accepted",
    ]);
  });

  for (const name of ["hang", "html", "reset-late", "no-content-204"] as const) {
    it(`starts its own upload although the end of an earlier one meets ${name}`, async () => {
      const upload = { datasetId: String(sandboxDatasetId), uploadId: "9", startedAt: "2026-01-01T00:00:00.000Z" };
      sandbox.fault(onestepaiFaults[name], 1, finish);
      const ends = name === "hang" ? { finishTimeoutMs: 250 } : {};
      const target = targetWith(new MemoryForTarget({ url, upload, categories: [] }), {}, ends);
      assert.deepEqual(await deliver(target, some(1)), ["accepted"]);
      assert.equal(sandbox.lockOf(), undefined);
    });
  }

  /** A stop cuts the end of an upload short, and nothing else does. */
  const soon = { finishTimeoutMs: 60_000, stoppedFinishTimeoutMs: 50 };

  it("ends at once when it is stopped while an old upload is ended for another try", async () => {
    const stop = new AbortController();
    const target = targetWith(undefined, {}, soon);
    const late = {
      ...sampleDelivery(2, sampleJpeg(2)),
      image() {
        clock.advance(700_000);
        sandbox.fault(onestepaiFaults.hang, Infinity, finish);
        return Promise.resolve(sampleJpeg(2));
      },
    };
    const before = sandbox.counts().requests;
    const delivering = deliver(target, [...some(1), late], stop.signal);
    // Sign-in, category, start, two images, and the end that hangs.
    while (sandbox.counts().requests < before + 6) await tick();
    stop.abort();
    assert.deepEqual(await delivering, ["accepted", "target ABORTED"]);
    assert.equal(sandbox.counts().requests, before + 6);
  });

  it("ends soon after a stop although the end of its upload hangs", async () => {
    const stop = new AbortController();
    const target = targetWith(undefined, {}, soon);
    const last = {
      ...sampleDelivery(2, sampleJpeg(2)),
      image() {
        sandbox.fault(onestepaiFaults.hang, Infinity, finish);
        stop.abort();
        return Promise.resolve(sampleJpeg(2));
      },
    };
    assert.deepEqual(await deliver(target, [...some(1), last], stop.signal), ["accepted", "target ABORTED"]);
  });

  it("starts nothing for an account that is refused already at the end of an earlier upload", async () => {
    const upload = { datasetId: String(sandboxDatasetId), uploadId: "9", startedAt: "2026-01-01T00:00:00.000Z" };
    const target = targetWith(new MemoryForTarget({ url, upload, categories: [] }), { category: { default: 77 } });
    sandbox.fault(onestepaiFaults["unauthorized-401"], Infinity, finish);
    assert.deepEqual(await deliver(target, some(2)), ["target HTTP_401", "target NOT_SENT"]);
    // Sign-in, the end, sign-in, the end.
    assert.equal(sandbox.counts().requests, 4);
  });

  it("lets one bad record of a batch go alone", async () => {
    const odd = sampleDelivery(2, Buffer.from("GIF89a, which is no JPEG"));
    const deliveries = [...some(1), odd, ...some(1, 3)];
    assert.deepEqual(await deliver(targetWith(), deliveries), ["accepted", "rejected HTTP_400", "accepted"]);
    assert.deepEqual(names(), ["gw-07-aaaa-1.jpg", "gw-07-aaaa-3.jpg"]);
    const skipping = targetWith(undefined, { skipUnsupportedImages: true, category: { default: 77 } });
    assert.deepEqual(await deliver(skipping, [odd]), ["accepted"]);
    assert.equal(names().length, 2, "which is what the setting asks for: lost in silence");
  });

  it("stops a batch at the platform's trouble, and says which records were not tried", async () => {
    const target = targetWith();
    assert.deepEqual(await deliver(target, some(1)), ["accepted"]);
    sandbox.fault(onestepaiFaults["unavailable-503"], 1, chunk);
    const outcomes = await deliver(target, some(3, 2));
    assert.deepEqual(outcomes, ["target? HTTP_503 after 11000", "target NOT_SENT", "target NOT_SENT"]);
    assert.equal(sandbox.lockOf(), undefined);
  });

  it("tells what was accepted before a stop, and ends the upload all the same", async () => {
    const stop = new AbortController();
    const last = {
      ...sampleDelivery(2, sampleJpeg(2)),
      image() {
        stop.abort();
        return Promise.resolve(sampleJpeg(2));
      },
    };
    const outcomes = await deliver(targetWith(), [...some(1), last, ...some(1, 3)], stop.signal);
    assert.deepEqual(outcomes, ["accepted", "target ABORTED", "target ABORTED"]);
    assert.equal(sandbox.lockOf(), undefined);
  });

  const person = (sequence: number) => sampleDelivery(sequence, sampleJpeg(sequence));
  const dog = (sequence: number) =>
    sampleDelivery(sequence, sampleJpeg(sequence), { detections: [sampleDetection({ label: "dog" })] });
  const byLabel = { default: "gate", rules: [{ label: "dog", category: "pet animal" }] };

  it("creates each category once, also over a restart, and none that has an id", async () => {
    const memory = new MemoryForTarget();
    assert.deepEqual(
      await deliver(targetWith(memory, { category: byLabel }), [person(1), dog(2), dog(3)]),
      Array(3).fill("accepted"),
    );
    assert.deepEqual([...sandbox.categories().keys()], ["gate", "pet_animal"]);
    const again = targetWith(new MemoryForTarget(memory.value), { category: byLabel });
    assert.deepEqual(await deliver(again, [dog(4), person(5)]), ["accepted", "accepted"]);
    const ids = Object.fromEntries(sandbox.categories());
    const configured = { category: { ...byLabel, ids }, createCategories: false };
    assert.deepEqual(await deliver(targetWith(undefined, configured), [dog(6), person(7)]), ["accepted", "accepted"]);
    assert.deepEqual(sandbox.violations(), []);
    const sent = sandbox.chunks().map(({ categoryId }) => categoryId);
    const [gate, pet] = [...sandbox.categories().values()].map(String);
    assert.deepEqual(sent, [gate, pet, pet, pet, gate, pet, gate]);
  });

  it("holds up only the records whose category exists under an id that nobody told it", async () => {
    await deliver(targetWith(undefined, { category: { default: "pet animal" } }), [person(1)]);
    const target = targetWith(undefined, { category: byLabel });
    const outcomes = await deliver(target, [dog(2), person(3), dog(4)]);
    assert.deepEqual(outcomes, ["record PLATFORM_CATEGORY", "accepted", "record PLATFORM_CATEGORY"]);
    assert.deepEqual(names(), ["gw-07-aaaa-1.jpg", "gw-07-aaaa-3.jpg"]);
  });

  const nonsense = [
    "x",
    7,
    [],
    { url: 1 },
    { categories: "x", upload: 3 },
    { upload: { uploadId: 1 }, categories: [1] },
  ];
  it("survives any nonsense in its memory, what is another server's, and a disk that takes nothing", async () => {
    for (const [at, value] of nonsense.entries()) {
      await sandbox.stop();
      await begin();
      const there = typeof value === "object" && !Array.isArray(value) ? { url, ...value } : value;
      assert.deepEqual(await deliver(targetWith(new MemoryForTarget(there)), some(1, at + 1)), ["accepted"]);
    }
    await sandbox.stop();
    await begin();
    const upload = { datasetId: "9", uploadId: "1", startedAt: "2026-01-01T00:00:00.000Z" };
    const elsewhere = { url: "http://127.0.0.1:9/api", upload, categories: [] };
    assert.deepEqual(await deliver(targetWith(new MemoryForTarget(elsewhere)), some(1)), ["accepted"]);
    const full = { read: () => Promise.resolve(undefined), write: () => Promise.reject(new Error("disk full")) };
    const category = { default: 77 };
    const target = targetWith(full, { category });
    assert.deepEqual(await deliver(target, some(1, 2)), ["accepted"]);
    assert.deepEqual(await deliver(target, some(1, 3)), ["accepted"]);
    assert.deepEqual(sandbox.violations(), []);
  });

  it("goes on where the platform knows nothing of an old upload", async () => {
    const upload = { datasetId: String(sandboxDatasetId), uploadId: "9", startedAt: "2026-01-01T00:00:00.000Z" };
    const memory = new MemoryForTarget({ url, upload, categories: [] });
    assert.deepEqual(await deliver(targetWith(memory), some(1)), ["accepted"]);
    assert.equal(sandbox.lockOf(), undefined);
    assert.equal((memory.value as { upload?: unknown }).upload, undefined);
  });

  it("takes no second call while one is under way", async () => {
    const target = targetWith();
    const first = target.deliver(some(1), never);
    await assert.rejects(target.deliver(some(1, 2), never), { code: "NOT_SENT" });
    await first;
    assert.deepEqual(await deliver(target, some(1, 2)), ["accepted"]);
  });
});
