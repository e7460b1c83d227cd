import assert from "node:assert/strict";
import fc from "fast-check";
import { describe, it } from "mocha";
import { trackLimits } from "../../src/core/vision-limits.ts";
import type { Box, Detection } from "../../src/core/types.ts";
import { afterStill, decide, initialKeepState, lookAgainFromMs, type KeepRules } from "../../src/keep/decide.ts";
import { seededRandom } from "../lib/seams.ts";

const threshold = 0.25;
const standing: Box = { left: 400, top: 200, width: 60, height: 120 };

const seen = (box: Box, score = 0.8, label = "person"): Detection => ({ label, score, box });
const at = (left: number, top = 200): Box => ({ ...standing, left, top });

/** One camera's frames, a second apart unless told otherwise, with what became of each. */
class Watch {
  readonly kept: string[] = [];
  readonly whys: string[] = [];
  readonly rules: KeepRules;
  state = initialKeepState;
  nowMs = 0;
  /** The spool takes nothing. */
  isFull = false;

  constructor(rules: Partial<KeepRules> = {}) {
    const newObjects = { minIou: 0.3, forgetAfterMs: 30_000 };
    this.rules = {
      labels: [],
      minScore: 0,
      minIntervalMs: 0,
      negativesEvery: 0,
      whenAway: "drop",
      newObjects,
      ...rules,
    };
  }

  see(...detections: readonly Detection[]): this {
    return this.frame(detections);
  }

  frame(found: readonly Detection[], change: { readonly requested?: boolean; readonly labelled?: boolean } = {}): this {
    const sorted = found.toSorted((a, b) => b.score - a.score);
    const decision = decide(this.rules, this.state, {
      monotonicMs: this.nowMs,
      requested: false,
      labelled: true,
      detections: sorted.filter(({ score }) => score >= threshold),
      faint: sorted.filter(({ score }) => score < threshold && score >= threshold / 2),
      ...change,
    });
    if (!decision.keep) this.whys.push(decision.why);
    else if (!this.isFull) this.kept.push(decision.reason.rule);
    this.state = decision.keep && this.isFull ? decision.stateIfRefused : decision.state;
    return this.after(1_000);
  }

  still(): this {
    this.state = afterStill(this.state, this.nowMs);
    return this.after(1_000);
  }

  after(ms: number): this {
    this.nowMs += ms;
    return this;
  }

  /** Seconds until the model has to look, told right after a frame. */
  looksAgainIn(): number {
    const monotonicMs = this.nowMs - 1_000;
    return (lookAgainFromMs(this.rules, this.state, { monotonicMs }) - monotonicMs) / 1_000;
  }
}

describe("following objects", () => {
  it("makes one record of 1,000 frames of an object that jitters, dithers and drops out", () => {
    for (const seed of [1, 2, 3, 4, 5]) {
      const random = seededRandom(seed);
      const watch = new Watch();
      for (let frame = 0; frame < 1_000; frame += 1) {
        const jitter = () => 8 * (random() - 0.5);
        const box = { left: 400 + jitter(), top: 200 + jitter(), width: 60 + jitter(), height: 120 + jitter() };
        const score = 0.3 + 0.3 * (random() - 0.5);
        // A tenth is missed, and every 200 frames it is gone for twenty.
        watch.frame(random() < 0.1 || frame % 200 >= 180 ? [] : [seen(box, score)]);
      }
      assert.deepEqual(watch.kept, ["new:person"]);
    }
  });

  it("makes a second record of a second object, of one label or another", () => {
    const watch = new Watch();
    for (let frame = 0; frame < 20; frame += 1) watch.see(seen(standing));
    for (let frame = 0; frame < 20; frame += 1) watch.see(seen(standing), seen(at(600)));
    for (let frame = 0; frame < 20; frame += 1) watch.see(seen(standing), seen(at(600)), seen(standing, 0.5, "dog"));
    assert.deepEqual(watch.kept, ["new:person", "new:person", "new:dog"]);
    assert.deepEqual(new Set(watch.whys), new Set(["known"]));
  });

  it("follows an object through the picture", () => {
    const watch = new Watch();
    for (let left = 0; left < 900; left += 20) watch.see(seen(at(left)));
    assert.deepEqual(watch.kept, ["new:person"]);
  });

  it("takes two that cross for two, also while the model sees one of them", () => {
    for (const step of [6, 10, 16]) {
      const watch = new Watch();
      for (let moved = 0; moved <= 600; moved += step) {
        const [one, other] = [at(100 + moved), at(700 - moved)];
        const isHidden = Math.abs(one.left - other.left) < 24;
        watch.frame(isHidden ? [seen(one)] : [seen(one), seen(other, 0.7)]);
      }
      assert.deepEqual(watch.kept, ["new:person"], `${step} pixels a frame`);
    }
  });

  it("takes two for two of which one walks hidden behind the other for long", () => {
    const watch = new Watch();
    for (let frame = 0; frame < 80; frame += 1) {
      const [one, other] = [at(100 + 10 * frame), at(10 + 12 * frame)];
      const isHidden = Math.abs(one.left - other.left) < 24;
      watch.frame(isHidden ? [seen(one)] : [seen(one), seen(other, 0.7)]);
    }
    assert.deepEqual(watch.kept, ["new:person"]);
  });

  it("keeps again what was gone for longer than that, and not what was gone for less", () => {
    const watch = new Watch().see(seen(standing)).see().after(27_000).see(seen(standing));
    assert.deepEqual(watch.kept, ["new:person"]);
    watch.see().after(30_000).see(seen(standing));
    assert.deepEqual(watch.kept, ["new:person", "new:person"]);
  });

  it("begins nothing for a weak detection, and carries on what it began", () => {
    const watch = new Watch({ minScore: 0.5 });
    for (let frame = 0; frame < 50; frame += 1) watch.see(seen(standing, 0.2)).see(seen(standing, 0.4));
    assert.deepEqual(watch.kept, []);
    watch.see(seen(standing, 0.6));
    for (let frame = 0; frame < 50; frame += 1) watch.see(seen(standing, 0.2)).see(seen(standing, 0.4));
    watch.see(seen(standing, 0.6));
    assert.deepEqual(watch.kept, ["new:person"]);
    // Noise is nobody.
    for (let frame = 0; frame < 40; frame += 1) watch.see(seen(standing, 0.06));
    assert.deepEqual(watch.see(seen(standing, 0.6)).kept, ["new:person", "new:person"]);
  });

  it("is not confused by a weak double that lies better than the detection itself", () => {
    const watch = new Watch().see(seen(standing));
    watch.see(seen(at(410), 0.8), seen(standing, 0.2));
    assert.deepEqual(watch.kept, ["new:person"]);
  });

  it("follows only what is wanted", () => {
    const watch = new Watch({ labels: ["person"] });
    watch.see(seen(standing, 0.8, "cat")).see(seen(standing, 0.8, "cat"), seen(at(600), 0.4));
    assert.deepEqual([watch.whys, watch.kept], [["label"], ["new:person"]]);
  });

  it("keeps what stays once in a while, where that is wanted", () => {
    const newObjects = { minIou: 0.3, forgetAfterMs: 30_000, repeatAfterMs: 60_000 };
    const watch = new Watch({ newObjects });
    for (let frame = 0; frame < 150; frame += 1) watch.see(seen(standing));
    assert.deepEqual(watch.kept, ["new:person", "again:person", "again:person"]);
  });

  it("leaves requests, negatives and unlabelled frames as they are", () => {
    const watch = new Watch({ negativesEvery: 2, whenAway: "keep-unlabelled" });
    watch
      .frame([seen(standing)], { requested: true })
      .see()
      .see()
      .frame([], { labelled: false });
    assert.deepEqual(watch.kept, ["requested", "negative:every-2", "unlabelled"]);
    assert.deepEqual(watch.see(seen(standing)).kept.at(-1), "new:person", "a request is no record of what is new");
  });
});

describe("what is new stays new", () => {
  it("until a frame of it was stored, however long the spool is full, and all else stays known", () => {
    const watch = new Watch().see(seen(standing));
    watch.isFull = true;
    for (let frame = 0; frame < 100; frame += 1) watch.see(seen(standing), seen(at(600)));
    watch.isFull = false;
    watch
      .see(seen(standing))
      .see(seen(standing), seen(at(600)))
      .see(seen(standing), seen(at(600)));
    assert.deepEqual(watch.kept, ["new:person", "new:person"]);
  });

  it("until the interval has run out, and has the model look then", () => {
    const watch = new Watch({ minIntervalMs: 20_000 }).see(seen(standing)).see(seen(standing), seen(at(600)));
    assert.deepEqual([watch.whys, watch.looksAgainIn()], [["interval"], 19]);
    for (let frame = 0; frame < 18; frame += 1) watch.still();
    watch.see(seen(standing), seen(at(600)));
    assert.deepEqual(watch.kept, ["new:person", "new:person"]);
    assert.equal(watch.looksAgainIn(), Infinity);
  });

  it("has the model look at once while it is too weak to be kept, but not for ever", () => {
    const watch = new Watch({ minIntervalMs: 5_000 }).see(seen(standing)).see(seen(at(600)));
    for (let frame = 0; frame < 4; frame += 1) watch.see(seen(at(600), 0.2));
    assert.equal(watch.looksAgainIn(), 0);
    for (let frame = 0; frame < 40; frame += 1) watch.see(seen(at(600), 0.2));
    assert.equal(watch.looksAgainIn(), Infinity);
    assert.equal(watch.see(seen(at(600))).kept.length, 2);
  });
});

describe("following objects through still frames", () => {
  it("carries on what was there", () => {
    const watch = new Watch().see(seen(standing));
    for (let frame = 0; frame < 600; frame += 1) watch.still();
    assert.deepEqual(watch.see(seen(standing)).kept, ["new:person"]);
  });

  it("does not take who comes through the door for who left an hour ago", () => {
    const watch = new Watch().see(seen(standing)).see();
    for (let frame = 0; frame < 3_600; frame += 1) watch.still();
    assert.deepEqual(watch.see(seen(standing)).kept, ["new:person", "new:person"]);
  });

  it("has the model look once more for what it missed, before that is forgotten", () => {
    const watch = new Watch().see(seen(standing)).see();
    assert.equal(watch.looksAgainIn(), 14);
    for (let frame = 0; frame < 14; frame += 1) watch.still();
    watch.see(seen(standing));
    for (let frame = 0; frame < 60; frame += 1) watch.still();
    assert.deepEqual(watch.see(seen(standing)).kept, ["new:person"]);
  });
});

describe("tracks", () => {
  it("are bounded, and whatever is seen, a frame is kept at most once for the same picture", () => {
    const detection = fc.record({
      label: fc.constantFrom("person", "car"),
      score: fc.double({ min: 0.05, max: 1, noNaN: true }),
      box: fc.record({
        left: fc.double({ min: 0, max: 900, noNaN: true }),
        top: fc.double({ min: 0, max: 900, noNaN: true }),
        width: fc.double({ min: 1, max: 300, noNaN: true }),
        height: fc.double({ min: 1, max: 300, noNaN: true }),
      }),
    });
    const frames = fc.array(fc.array(detection, { maxLength: 40 }), { maxLength: 12 });
    fc.assert(
      fc.property(frames, (all) => {
        const watch = new Watch();
        for (const found of all) {
          watch.frame(found);
          const before = watch.kept.length;
          watch.frame(found);
          assert.equal(watch.kept.length, before);
          const { tracks = [] } = watch.state;
          assert.ok(tracks.length <= trackLimits.objectsMax);
        }
      }),
      { numRuns: 200 },
    );
  });
});
