import assert from "node:assert/strict";
import { describe, it } from "mocha";
import { AgentError } from "../../src/core/errors.ts";
import { visionLimits } from "../../src/core/vision-limits.ts";
import { MemoryWatch, ModelTries } from "../../src/vision/upkeep.ts";

describe("a vision process that takes more memory than it may", () => {
  it("goes at once, then serves twice as long before each further time, up to a minute", () => {
    const watch = new MemoryWatch(100e6, 1_000);
    const lives: number[] = [];
    for (let now = 0, born = 0; now < 400_000; now += 250) {
      if (watch.verdict(101e6, now) === undefined) continue;
      lives.push(now - born);
      born = now;
      watch.born(now);
    }
    assert.deepEqual(lives.slice(0, 8), [0, 1_000, 2_000, 4_000, 8_000, 16_000, 32_000, visionLimits.backoffMaxMs]);
  });

  it("stays while it has no more than it may, and says what it had", () => {
    const watch = new MemoryWatch(100e6, 1_000);
    watch.born(0);
    assert.equal(watch.verdict(100e6, 500), undefined);
    assert.match(watch.verdict(150e6, 500)?.message ?? "", /had 150 MB and may have 100/);
  });

  it("leaks, where it takes long to come to it, and is replaced as soon the next time", () => {
    const watch = new MemoryWatch(100e6, 1_000);
    for (const now of [0, 1_000, 3_000, 7_000]) {
      assert.notEqual(watch.verdict(101e6, now), undefined);
      watch.born(now);
    }
    const late = 7_000 + visionLimits.healthyAfterMs;
    assert.notEqual(watch.verdict(101e6, late), undefined);
    watch.born(late);
    assert.equal(watch.verdict(101e6, late + 999), undefined);
    assert.notEqual(watch.verdict(101e6, late + 1_000), undefined);
  });
});

describe("a vision process of a service that comes near its bound", () => {
  const born = 130e6;
  const grown = born + visionLimits.groupGrowthBytesMin;
  const full = { usedBytes: 255e6, boundBytes: 300e6 };

  it("goes when it has grown, saying why, and then not again for some minutes", () => {
    const watch = new MemoryWatch(1_000e6, 1_000, () => full);
    watch.born(0);
    assert.equal(watch.verdict(born, 0), undefined);
    const { code, message } = watch.verdict(grown, 60_000) ?? {};
    assert.equal(code, "VISION_MEMORY");
    assert.match(message ?? "", /from 130 MB to 164, and the service has 255 MB and may have 300$/);
    watch.born(60_000);
    assert.equal(watch.verdict(born, 61_000), undefined);
    const againMs = 60_000 + visionLimits.groupReliefEveryMs;
    assert.equal(watch.verdict(grown, againMs - 1), undefined);
    assert.notEqual(watch.verdict(grown, againMs), undefined);
  });

  it("stays where a new one would be no smaller, where there is room, and where nothing bounds them", () => {
    for (const [rssBytes, group] of [
      [grown - 1, full],
      [grown, { ...full, usedBytes: 254e6 }],
      [grown, undefined],
    ] as const) {
      const watch = new MemoryWatch(1_000e6, 1_000, () => group);
      watch.born(0);
      assert.equal(watch.verdict(born, 0), undefined);
      assert.equal(watch.verdict(rssBytes, 60_000), undefined);
    }
  });

  it("does not make the agent ask all the time", () => {
    let asked = 0;
    const watch = new MemoryWatch(1_000e6, 1_000, () => {
      asked += 1;
      return undefined;
    });
    watch.born(0);
    for (let now = 0; now < 60_000; now += 100) watch.verdict(now === 0 ? born : grown, now);
    assert.equal(asked, 60_000 / visionLimits.groupAskEveryMs);
  });
});

describe("a model on which vision processes die", () => {
  const death = new AgentError("VISION_DIED", "it died of SIGILL", { disposition: "retry" });

  it("is tried until so many have died in a row, then left alone for longer and longer", () => {
    const tries = new ModelTries(1_000);
    for (let deaths = 1; deaths < visionLimits.loadDeathsMax; deaths += 1) {
      tries.died(death, 0);
      assert.equal(tries.refusal(0), undefined);
    }
    for (const waitMs of [1_000, 2_000, 4_000]) {
      tries.died(death, 50);
      assert.equal(tries.waitMs(50), waitMs);
      assert.equal(tries.refusal(50 + waitMs - 1)?.code, "MODEL_CRASHES");
      assert.match(tries.refusal(50)?.message ?? "", /processes in a row died .* it died of SIGILL$/);
      assert.equal(tries.refusal(50 + waitMs), undefined);
    }
    for (let deaths = 0; deaths < 100; deaths += 1) tries.died(death, 50);
    assert.equal(tries.waitMs(50), visionLimits.modelRetryMaxMs);
  });

  it("starts anew once a process has survived it", () => {
    const tries = new ModelTries(1_000);
    for (let deaths = 0; deaths < visionLimits.loadDeathsMax; deaths += 1) tries.died(death, 0);
    tries.survived();
    assert.equal(tries.refusal(0), undefined);
    tries.died(death, 0);
    assert.equal(tries.refusal(0), undefined);
  });
});
