import assert from "node:assert/strict";
import fc from "fast-check";
import { describe, it } from "mocha";
import { AgentError } from "../../src/core/errors.ts";
import { reduceLimits } from "../../src/core/deliver-limits.ts";
import { chargesRecord, holdsCamera, type Outcome, outcomeOf } from "../../src/core/outcome.ts";
import type { Delivery } from "../../src/core/ports.ts";
import { LearnedSize } from "../../src/targets/learned-size.ts";
import { reducedCopy } from "../../src/targets/reduced-copy.ts";
import { reducedTarget, type Reencode } from "../../src/targets/reduced.ts";
import { nextStep, type MadeCopy } from "../../src/targets/reduce-steps.ts";
import { inWords } from "../lib/outcome-words.ts";
import { sampleDetection, sampleRecord } from "../lib/records.ts";
import { type Answer, each, ScriptedTarget } from "../lib/scripted-target.ts";
import { SimulatedClock } from "../lib/seams.ts";

const never = new AbortController().signal;
const rules = { minQuality: 50, minScale: 0.5 };
const [width, height] = [1_280, 720];

/** A record whose picture takes so many bytes. */
function delivery(sequence: number, bytes: number, change: Partial<Delivery> = {}): Delivery {
  const jpeg = Buffer.alloc(bytes, sequence);
  const polygon = [
    { x: 10, y: 20 },
    { x: 30, y: 40 },
    { x: 10, y: 40 },
  ];
  const detections = [
    sampleDetection({ box: { left: 100, top: 50, width: 400, height: 200 }, polygon, line: polygon }),
  ];
  const record = sampleRecord(sequence, jpeg, { imageWidth: width, imageHeight: height, detections });
  return { record, attempts: 0, image: () => Promise.resolve(jpeg), ...change };
}

/** What an encoder makes of a picture that has `quality85` of its bytes at quality 85, by another rule than the ladder's. */
function encoder(exponent = 0.7): { readonly reencode: Reencode; count: number } {
  const self = {
    count: 0,
    reencode: (async (jpeg, { quality, widthMax = width, heightMax = height }, signal) => {
      signal.throwIfAborted();
      self.count += 1;
      const coarse = quality < 50 ? 5_000 / quality : 200 - 2 * quality;
      const bytes = jpeg.length * (30 / coarse) ** exponent * (widthMax / width) ** 1.7;
      return { jpeg: Buffer.alloc(Math.max(1, Math.round(bytes)), jpeg[0]), width: widthMax, height: heightMax };
    }) satisfies Reencode,
  };
  return self;
}

const refusal = (code: string, facts: Readonly<Record<string, number>> = {}): Outcome =>
  outcomeOf(new AgentError(code, "POST /image: too large", { disposition: "reject", facts }));

/** Takes pictures up to a size. `sizes` are those that came, refused ones with a minus. */
function limited(limit: { bytes: number }, code = "HTTP_413", tells = false) {
  const sizes: number[] = [];
  const answer = each(({ record: { imageBytes } }) => {
    const fits = imageBytes <= limit.bytes;
    sizes.push(fits ? imageBytes : -imageBytes);
    return fits ? { kind: "accepted" } : refusal(code, tells ? { bytesMax: limit.bytes } : {});
  });
  return { answer, sizes };
}

function bench(answer: Answer, reencode: Reencode = encoder().reencode, recordsPerCallMax = 1) {
  const clock = new SimulatedClock();
  const given: (readonly Delivery[])[] = [];
  const watched: Answer = (deliveries, signal) => (given.push(deliveries), answer(deliveries, signal));
  const inner = new ScriptedTarget("town", watched, { recordsPerCallMax });
  const target = reducedTarget(inner, rules, reencode, clock);
  const deliver = async (one: Delivery, signal = never): Promise<Outcome> => {
    const outcome = (await target.deliver([one], signal)).get(one.record.id);
    assert.ok(outcome !== undefined);
    return outcome;
  };
  return { target, deliver, given, clock };
}

describe("reduced copies", () => {
  it("touch nothing that is taken as it is, nor any other answer", async () => {
    const one = delivery(1, 1_000);
    for (const outcome of [
      { kind: "accepted", remoteId: "r" },
      refusal("HTTP_400"),
      {
        kind: "retry",
        scope: "record",
        error: new AgentError("MQTT_REFUSED", "x", { disposition: "retry" }),
        cursor: "c",
      },
    ] as const satisfies readonly Outcome[]) {
      const { deliver, given } = bench(each(() => outcome));
      assert.equal(await deliver(one), outcome);
      assert.deepEqual(given, [[one]]);
    }
  });

  it("go down in quality first and then in size, until one is taken, with boxes and outlines to scale", async () => {
    const { answer, sizes } = limited({ bytes: 20_000 });
    const { deliver, given } = bench(answer);
    assert.equal((await deliver(delivery(1, 100_000))).kind, "accepted");
    assert.ok(sizes.length > 4, sizes.join());
    const sent = given.flat();
    for (const [at, one] of sent.entries()) {
      const { record } = one;
      assert.equal(record.imageBytes, (await one.image()).length);
      assert.ok(at === 0 || record.imageBytes < (sent[at - 1]?.record.imageBytes ?? 0));
      assert.equal(record.name, sent[0]?.record.name);
      const scale = record.imageWidth / width;
      const [found] = record.detections;
      assert.ok(
        Math.abs((found?.box.left ?? 0) - 100 * scale) < 0.5 && Math.abs((found?.box.height ?? 0) - 200 * scale) < 0.5,
      );
      assert.ok(Math.abs((found?.polygon?.[1]?.x ?? 0) - 30 * scale) < 0.5);
      assert.ok(Math.abs((found?.line?.[2]?.y ?? 0) - 40 * scale) < 0.5);
    }
    const widths = sent.map(({ record }) => record.imageWidth);
    assert.deepEqual(widths.slice(0, 4), [width, width, width, width]);
    assert.ok(new Set(sent.map(({ record }) => record.imageSha256)).size === sent.length);
    assert.ok((widths.at(-1) ?? 0) < width);
  });

  it("have their boxes scaled for each axis by itself, where rounding changes the shape", async () => {
    const original = delivery(1, 100_000);
    const { imageWidth, imageHeight } = original.record;
    const encoded = { jpeg: Buffer.alloc(10), width: imageWidth / 2, height: imageHeight / 4 };
    const { record } = reducedCopy(original, { quality: 60, scale: 0.5 }, encoded).delivery;
    const [before, after] = [original.record.detections[0], record.detections[0]];
    assert.ok(before !== undefined && after !== undefined && before.box.height > 0);
    assert.deepEqual([after.box.left, after.box.width], [before.box.left / 2, before.box.width / 2]);
    assert.deepEqual([after.box.top, after.box.height], [before.box.top / 4, before.box.height / 4]);
    assert.deepEqual(
      after.polygon,
      before.polygon?.map(({ x, y }) => ({ x: x / 2, y: y / 4 })),
    );
  });

  it("are made of no picture that the target has begun with, although its size was refused since", async () => {
    const { answer, sizes } = limited({ bytes: 41_000 });
    const { deliver } = bench(answer);
    await deliver(delivery(1, 100_000));
    await deliver({ ...delivery(2, 100_000), cursor: "begun" });
    assert.equal(sizes.filter((size) => size === -100_000).length, 2);
  });

  it("do not aim at what was taken before the limit came down", () => {
    const learned = new LearnedSize(new SimulatedClock());
    learned.refused(100_000);
    learned.accepted(80_000);
    assert.ok((learned.aimBytes() ?? 0) >= 80_000);
    learned.refused(70_000);
    assert.equal(learned.aimBytes(), undefined);
  });

  it("go at once where the refusal says how much is taken", async () => {
    for (const bytes of [70_000, 30_000, 15_000]) {
      const { answer, sizes } = limited({ bytes }, "MQTT_TOO_LARGE", true);
      const made = encoder();
      const { deliver } = bench(answer, made.reencode);
      assert.equal((await deliver(delivery(1, 100_000))).kind, "accepted");
      assert.equal(sizes.length, 2, `${sizes.join()} for ${bytes}`);
      assert.ok(made.count <= 2, `${made.count} copies for ${bytes}`);
      assert.ok((sizes[1] ?? 0) > bytes * 0.6, `${sizes.join()} for ${bytes}`);
    }
  });

  it("are given up at the floor, with the first refusal and what was tried", async () => {
    const { answer, sizes } = limited({ bytes: 1_000 }, "IMAGE_TOO_LARGE");
    const { deliver } = bench(answer);
    const outcome = await deliver(delivery(1, 100_000));
    assert.equal(inWords(outcome), "rejected IMAGE_TOO_LARGE");
    assert.ok(sizes.length <= reduceLimits.copiesMax + 1 && sizes.length > 3);
    assert.match(
      outcome.kind === "rejected" ? outcome.error.message : "",
      /^too large, also reduced to 640 x 360 at quality 50 \(\d+ bytes\): POST \/image: too large$/,
    );
  });

  it("are not sent where they do not become smaller, or are still beyond what is taken", async () => {
    const stubborn: Reencode = async (jpeg) => ({ jpeg: Buffer.concat([jpeg, jpeg]), width, height });
    const { answer, sizes } = limited({ bytes: 1_000 });
    const { deliver } = bench(answer, stubborn);
    assert.equal(inWords(await deliver(delivery(1, 100_000))), "rejected HTTP_413");
    assert.deepEqual(sizes, [-100_000]);
    const told = limited({ bytes: 1_000 }, "MQTT_TOO_LARGE", true);
    assert.equal(inWords(await bench(told.answer).deliver(delivery(1, 100_000))), "rejected MQTT_TOO_LARGE");
    assert.deepEqual(told.sizes, [-100_000]);
  });

  it("keep within the floor, and reach it before they give up, whatever the pictures and the limits", async () => {
    const range = {
      minQuality: fc.integer({ min: 10, max: 95 }),
      minScale: fc.double({ min: 0.1, max: 1, noNaN: true }),
    };
    await fc.assert(
      fc.asyncProperty(
        fc.record(range),
        fc.double({ min: 0.4, max: 0.9, noNaN: true }),
        fc.integer({ min: 500, max: 200_000 }),
        fc.integer({ min: 1, max: 200_000 }),
        fc.boolean(),
        async (floor, exponent, bytes, limit, tells) => {
          const asked: { quality: number; widthMax?: number }[] = [];
          const { reencode } = encoder(exponent);
          const watched: Reencode = (jpeg, options, signal) => (asked.push(options), reencode(jpeg, options, signal));
          const target = new ScriptedTarget("t", limited({ bytes: limit }, "HTTP_413", tells).answer);
          const one = delivery(1, bytes);
          const outcome = (await reducedTarget(target, floor, watched, new SimulatedClock()).deliver([one], never)).get(
            one.record.id,
          );
          for (const { quality, widthMax = width } of asked) {
            assert.ok(
              quality >= floor.minQuality && widthMax >= Math.round(width * floor.minScale),
              `${quality} ${widthMax}`,
            );
          }
          assert.ok(asked.length <= reduceLimits.copiesMax);
          if (outcome?.kind === "accepted") return;
          const last = asked.at(-1);
          assert.equal(last?.quality, floor.minQuality);
          assert.ok(Math.abs((last.widthMax ?? 0) - width * floor.minScale) <= 2, `${last.widthMax} ${floor.minScale}`);
        },
      ),
      { numRuns: 300 },
    );
  });

  it("are made before sending once a limit is known, which costs few refusals, and is tried again", async () => {
    const limit = { bytes: 41_000 };
    const { answer, sizes } = limited(limit);
    const { deliver, clock } = bench(answer);
    const sizeOf = (at: number) => 60_000 + ((at * 7_919) % 60_000);
    for (let at = 1; at <= 100; at += 1) assert.equal((await deliver(delivery(at, sizeOf(at)))).kind, "accepted");
    const refused = sizes.filter((size) => size < 0).length;
    assert.ok(refused <= 5, `${refused} of 100 refused`);
    const late = sizes.slice(-50);
    assert.ok(
      late.every((size) => size > limit.bytes * 0.6),
      late.join(),
    );

    // Small ones go as they are.
    await deliver(delivery(101, 20_000));
    assert.equal(sizes.at(-1), 20_000);
    limit.bytes = 1_000_000;
    await deliver(delivery(102, 100_000));
    assert.ok((sizes.at(-1) ?? 0) < 41_000, "nobody can know yet");
    clock.advance(reduceLimits.learnedForMs);
    await deliver(delivery(103, 100_000));
    await deliver(delivery(104, 110_000));
    assert.deepEqual(sizes.slice(-2), [100_000, 110_000]);

    limit.bytes = 10_000;
    assert.equal((await deliver(delivery(105, 40_000))).kind, "accepted");
    assert.equal((await deliver(delivery(106, 40_000))).kind, "accepted");
    assert.ok((sizes.at(-1) ?? 0) <= 10_000);
  });

  it("wait, uncharged and alone, while the vision process is away; a picture that ends it is charged", async () => {
    for (const code of ["VISION_UNAVAILABLE", "VISION_CRASHED"]) {
      const error = new AgentError(code, "gone", { disposition: "retry" });
      const { deliver } = bench(limited({ bytes: 1_000 }).answer, () => Promise.reject(error));
      const outcome = await deliver(delivery(1, 100_000));
      assert.equal(inWords(outcome), `record ${code}`);
      assert.equal(chargesRecord(error), code === "VISION_CRASHED");
      assert.equal(holdsCamera(error), false);
    }
    const broken = new AgentError("IMAGE_UNREADABLE", "no picture", { disposition: "reject" });
    const { deliver } = bench(limited({ bytes: 1_000 }).answer, () => Promise.reject(broken));
    assert.equal(inWords(await deliver(delivery(1, 100_000))), "rejected HTTP_413");
  });

  it("end with their call: a deadline leaves the record as it was", async () => {
    const stop = new AbortController();
    const { reencode } = encoder();
    const { deliver } = bench(limited({ bytes: 1_000 }).answer, (jpeg, options, signal) => {
      stop.abort();
      return reencode(jpeg, options, signal);
    });
    assert.equal(inWords(await deliver(delivery(1, 100_000), stop.signal)), "target ABORTED");
  });

  it("leave the others of a batch alone", async () => {
    const { answer, sizes } = limited({ bytes: 50_000 }, "IMAGE_TOO_LARGE");
    const { target, given } = bench(answer, encoder().reencode, 4);
    const batch = [40_000, 90_000, 30_000, 80_000].map((bytes, at) => delivery(at + 1, bytes));
    const outcomes = await target.deliver(batch, never);
    assert.deepEqual(
      [...outcomes.values()].map(({ kind }) => kind),
      Array(4).fill("accepted"),
    );
    assert.deepEqual(sizes.slice(0, 4), [40_000, -90_000, 30_000, -80_000]);
    assert.deepEqual(
      given[1]?.map(({ record }) => record.sequence),
      [2, 4],
    );
  });

  it("are made of none in a batch that is too large only as a whole", async () => {
    const whole: Answer = async (deliveries) => {
      const sum = deliveries.reduce((bytes, { record }) => bytes + record.imageBytes, 0);
      return new Map(
        deliveries.map(({ record }) => [
          record.id,
          sum > 100_000 ? refusal("HTTP_413") : { kind: "accepted" as const },
        ]),
      );
    };
    const made = encoder();
    const { target, given } = bench(whole, made.reencode, 3);
    const outcomes = await target.deliver(
      [1, 2, 3].map((sequence) => delivery(sequence, 60_000)),
      never,
    );
    assert.deepEqual(
      [...outcomes.values()].map(({ kind }) => kind),
      Array(3).fill("accepted"),
    );
    assert.deepEqual(
      given.map((call) => call.length),
      [3, 1, 1, 1],
    );
    assert.equal(made.count, 0);
  });

  it("pass a throw on while nothing was answered, and turn a later one into a retry", async () => {
    const broken = new AgentError("NET_RESET", "cut", { disposition: "retry" });
    await assert.rejects(bench(() => Promise.reject(broken)).target.deliver([delivery(1, 10)], never), {
      code: "NET_RESET",
    });
    const thrown = new AgentError("HTTP_413", "too large", { disposition: "reject" });
    const { deliver, given } = bench((deliveries, signal) => {
      if (deliveries[0]?.record.imageBytes === 100_000) return Promise.reject(thrown);
      return each(() => ({ kind: "accepted" }))(deliveries, signal);
    });
    assert.equal((await deliver(delivery(1, 100_000))).kind, "accepted");
    assert.equal(given.length, 2);
    let calls = 0;
    const { target } = bench(
      (deliveries, signal) => {
        calls += 1;
        return calls > 1
          ? Promise.reject(broken)
          : limited({ bytes: 50_000 }, "IMAGE_TOO_LARGE").answer(deliveries, signal);
      },
      encoder().reencode,
      2,
    );
    const outcomes = await target.deliver([delivery(1, 10), delivery(2, 100_000)], never);
    assert.deepEqual([...outcomes.values()].map(inWords), ["accepted", "target? NET_RESET"]);
  });

  it("are the same in the next call, where the target goes on with what it began", async () => {
    const wait = new AgentError("JOB_PENDING", "not yet", { disposition: "retry" });
    const { deliver, given } = bench(
      each(({ record, cursor }) => {
        if (record.imageBytes > 60_000) return refusal("HTTP_413");
        if (cursor === undefined) return { kind: "retry", scope: "record", error: wait, cursor: "job 7" };
        return cursor === "job 7" ? { kind: "accepted", remoteId: "7" } : refusal("HTTP_400");
      }),
    );
    const first = await deliver(delivery(1, 100_000));
    assert.ok(first.kind === "retry" && first.cursor !== undefined && first.cursor !== "job 7");
    const sent = given.at(-1)?.[0]?.record;
    assert.deepEqual(await deliver(delivery(1, 100_000, { cursor: first.cursor })), {
      kind: "accepted",
      remoteId: "7",
    });
    assert.deepEqual(given.at(-1)?.[0]?.record, sent);
  });

  it("never continue what was begun with another picture", async () => {
    const busy = new AgentError("HTTP_503", "busy", { disposition: "retry" });
    const { deliver } = bench(
      each(({ record }) => (record.imageBytes > 60_000 ? refusal("HTTP_413") : outcomeOf(busy))),
    );
    const outcome = await deliver(delivery(1, 100_000, { cursor: "job 3" }));
    assert.equal(outcome.kind === "retry" ? outcome.cursor : undefined, "");
  });
});

describe("a step of reduction", () => {
  it("lies always below the one before, and the last at the floor", () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 10, max: 95 }),
        fc.double({ min: 0.1, max: 1, noNaN: true }),
        fc.array(fc.integer({ min: 100, max: 1_000_000 }), { minLength: 8, maxLength: 8 }),
        fc.option(fc.integer({ min: 0, max: 1_000_000 }), { nil: undefined }),
        (minQuality, minScale, bytes, aimBytes) => {
          const made: MadeCopy[] = [];
          for (;;) {
            const step = nextStep({ minQuality, minScale }, 500_000, made, aimBytes);
            if (step === undefined) break;
            const before = made.at(-1) ?? { quality: 101, scale: 1 };
            assert.ok(step.scale < before.scale || (step.scale === before.scale && step.quality < before.quality));
            assert.ok(step.scale === 1 || step.quality === minQuality, "size goes only after quality");
            made.push({ ...step, bytes: bytes[made.length] ?? 1 });
          }
          assert.ok(made.length > 0 && made.length <= reduceLimits.copiesMax);
        },
      ),
    );
  });
});
