import assert from "node:assert/strict";
import { describe, it } from "mocha";
import { AgentError } from "../../src/core/errors.ts";
import { deliverLimits } from "../../src/core/deliver-limits.ts";
import type { Delivery } from "../../src/core/ports.ts";
import { Breaker } from "../../src/deliver/breaker.ts";
import { Suspects } from "../../src/deliver/suspects.ts";
import { draftOf } from "../lib/drafts.ts";
import { SimulatedClock, seededRandom } from "../lib/seams.ts";

const failure = (code: string) => new AgentError(code, "it failed", { disposition: "retry" });

function waitOf(breaker: Breaker): number {
  const permit = breaker.permit();
  return permit.kind === "wait" ? permit.waitMs : 0;
}

describe("breaker", () => {
  it("lets calls flow until one fails, then one probe after its delay, then all again", () => {
    const clock = new SimulatedClock();
    const breaker = new Breaker(clock, () => 0.5);
    assert.equal(breaker.permit().kind, "flow");
    breaker.failed(breaker.era, failure("HTTP_500"));
    assert.deepEqual(breaker.permit(), { kind: "wait", waitMs: 500 });
    clock.advance(500);
    assert.equal(breaker.permit().kind, "probe");
    assert.equal(breaker.succeeded(breaker.era), true);
    assert.equal(breaker.permit().kind, "flow");
  });

  it("doubles up to a quarter of an hour, spread over the whole range", () => {
    const clock = new SimulatedClock();
    const ceilings: number[] = [];
    const breaker = new Breaker(clock, () => 1);
    for (let failures = 1; failures <= 14; failures += 1) {
      breaker.failed(breaker.era, failure("NET_REFUSED"));
      ceilings.push(waitOf(breaker));
      clock.advance(waitOf(breaker));
    }
    assert.deepEqual(ceilings.slice(0, 4), [1_000, 2_000, 4_000, 8_000]);
    assert.deepEqual(ceilings.slice(-2), [900_000, 900_000]);

    const random = seededRandom(7);
    const waits = Array.from({ length: 400 }, () => {
      const one = new Breaker(clock, random);
      for (let failures = 1; failures <= 5; failures += 1) one.failed(one.era, failure("NET_REFUSED"));
      return waitOf(one);
    });
    const quarters = [0, 1, 2, 3].map((at) => waits.filter((wait) => Math.floor(wait / 4_000) === at).length);
    for (const quarter of quarters) assert.ok(quarter > 60, `uneven: ${quarters.join(" ")}`);
  });

  it("asks again soon where a link paces its own attempts, however long it was away", () => {
    const breaker = new Breaker(new SimulatedClock(), () => 1);
    for (let failures = 1; failures <= 12; failures += 1) breaker.failed(breaker.era, failure("MQTT_OFFLINE"));
    assert.equal(waitOf(breaker), deliverLimits.linkAwayBackoffMs);
  });

  it("counts calls that fail together once, and ignores what an earlier call reports later", () => {
    const clock = new SimulatedClock();
    const breaker = new Breaker(clock, () => 1);
    const { era } = breaker;
    assert.deepEqual(
      [1, 2, 3, 4].map(() => breaker.failed(era, failure("HTTP_503"))),
      [true, false, false, false],
    );
    assert.equal(breaker.failures, 1);
    assert.equal(breaker.succeeded(era), false);
    assert.equal(breaker.permit().kind, "wait");
  });

  it("starts at five minutes where a person is needed, and stays under the cap", () => {
    for (const code of ["HTTP_401", "HTTP_403", "HTTP_404", "HTTP_405", "HTTP_REDIRECT", "MQTT_NOT_AUTHORISED"]) {
      for (const share of [0, 0.99]) {
        const breaker = new Breaker(new SimulatedClock(), () => share);
        for (let failures = 1; failures <= 12; failures += 1) {
          breaker.failed(breaker.era, failure(code));
          assert.ok(waitOf(breaker) >= deliverLimits.credentialsBackoffMs, code);
          assert.ok(waitOf(breaker) <= deliverLimits.backoffMaxMs, code);
        }
      }
    }
  });

  it("waits at least as long as it was asked to, up to an hour", () => {
    const breaker = new Breaker(new SimulatedClock(), () => 0.5);
    breaker.failed(breaker.era, failure("HTTP_429"), 120_000);
    assert.equal(waitOf(breaker), 126_000);
    breaker.failed(breaker.era, failure("HTTP_429"), 7 * 24 * 3_600_000);
    assert.equal(waitOf(breaker), 3_600_000 * 1.05);
  });
});

describe("suspects", () => {
  const delivery = (id: string): Delivery => ({
    record: { ...draftOf(), id, name: `${id}.jpg`, device: "d", sequence: 1, imageBytes: 1, imageSha256: "" },
    attempts: 0,
    image: () => Promise.resolve(Buffer.alloc(0)),
  });
  const [bad, good, other] = [delivery("bad"), delivery("good"), delivery("other")];

  it("charge a record from its third failure on, when others were accepted between each two", () => {
    const suspects = new Suspects();
    assert.equal(suspects.failed(bad, true), false);
    suspects.accepted(good);
    assert.equal(suspects.failed(bad, true), false);
    suspects.accepted(good);
    assert.equal(suspects.failed(bad, true), true);
    assert.equal(suspects.failed(bad, true), false, "nothing was accepted since");
    suspects.accepted(good);
    assert.equal(suspects.failed(bad, true), true);
  });

  it("charge nobody while nothing is accepted", () => {
    const suspects = new Suspects();
    for (let at = 0; at < 1_000; at += 1) assert.equal(suspects.failed(bad, true), false);
  });

  it("charge nobody for failing in company", () => {
    const suspects = new Suspects();
    for (let at = 0; at < 10; at += 1) {
      assert.equal(suspects.failed(bad, false), false);
      suspects.accepted(good);
    }
    assert.equal(suspects.has(bad), true);
  });

  it("choose the innocent first, then whoever failed longest ago", () => {
    const suspects = new Suspects();
    suspects.failed(bad, true);
    suspects.failed(other, true);
    assert.equal(suspects.leastSuspected([bad, other, good]), good);
    assert.equal(suspects.leastSuspected([other, bad]), bad);
    suspects.failed(bad, true);
    assert.equal(suspects.leastSuspected([other, bad]), other);
  });

  it("remember a bounded number, and forget the oldest", () => {
    const suspects = new Suspects();
    for (let at = 0; at < 1_000; at += 1) suspects.failed(delivery(`r${at}`), true);
    assert.equal(suspects.size, deliverLimits.suspectsMax);
    assert.equal(suspects.has(delivery("r999")), true);
    assert.equal(suspects.has(delivery("r0")), false);
  });
});
