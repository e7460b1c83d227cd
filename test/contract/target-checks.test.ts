import assert from "node:assert/strict";
import { describe, it } from "mocha";
import { AgentError, asAgentError } from "../../src/core/errors.ts";
import { outcomeOf, type Outcome } from "../../src/core/outcome.ts";
import type { Delivery, Target } from "../../src/core/ports.ts";
import { targetChecks, type TargetFixture } from "./target-checks.ts";
import { targetContract } from "./target.ts";

/** A target in memory that can be told to break one promise. */
type Misbehaviour =
  | "none"
  | "capacity of zero"
  | "wants by mood"
  | "accepts without sending"
  | "forgets a record"
  | "refuses a repeat"
  | "throws for a record"
  | "accepts what was stopped"
  | "hangs when stopped"
  | "blames the record"
  | "sends data when probed"
  | "probe lies"
  | "leaks its secret"
  | "fails the second close";

const secret = "fake-target-canary";

class FakeTarget implements Target {
  readonly id = "fake";
  readonly kind = "fake";
  readonly held = new Set<string>();
  away = false;
  frozen = false;
  readonly #broken: Misbehaviour;
  #asked = 0;
  #closed = 0;

  constructor(broken: Misbehaviour) {
    this.#broken = broken;
  }

  capacity(): { recordsPerCallMax: number; bytesPerCallMax: number; callsInFlightMax: number } {
    return { recordsPerCallMax: this.#broken === "capacity of zero" ? 0 : 4, bytesPerCallMax: 1, callsInFlightMax: 1 };
  }

  wants(): boolean {
    this.#asked += 1;
    return this.#broken !== "wants by mood" || this.#asked % 2 === 1;
  }

  async start(): Promise<void> {
    // Nothing to connect.
  }

  async probe(): Promise<void> {
    if (this.#broken === "sends data when probed") this.held.add("probe");
    if (this.away && this.#broken !== "probe lies") throw this.#awayError();
  }

  async deliver(deliveries: readonly Delivery[], signal: AbortSignal): Promise<ReadonlyMap<string, Outcome>> {
    const outcomes = new Map<string, Outcome>();
    for (const [at, delivery] of deliveries.entries()) {
      if (this.#broken === "forgets a record" && at > 0) continue;
      outcomes.set(delivery.record.id, await this.#one(delivery, signal));
    }
    return outcomes;
  }

  async close(): Promise<void> {
    this.#closed += 1;
    if (this.#broken === "fails the second close" && this.#closed > 1) throw new Error("closed already");
  }

  async #one(delivery: Delivery, signal: AbortSignal): Promise<Outcome> {
    if (this.away) return this.#awayOutcome();
    if (this.frozen || signal.aborted) await this.#stopped(signal);
    if (signal.aborted && this.#broken !== "accepts what was stopped") {
      return outcomeOf(new AgentError("ABORTED", "stopped", { disposition: "retry" }));
    }
    try {
      await delivery.image();
    } catch (error) {
      if (this.#broken === "throws for a record") throw error;
      return outcomeOf(asAgentError(error, "reading"));
    }
    const { imageSha256 } = delivery.record;
    if (this.#broken === "refuses a repeat" && this.held.has(imageSha256)) {
      return outcomeOf(new AgentError("HTTP_409", "known already", { disposition: "reject" }));
    }
    if (this.#broken !== "accepts without sending") this.held.add(imageSha256);
    return { kind: "accepted" };
  }

  async #stopped(signal: AbortSignal): Promise<void> {
    if (this.#broken === "hangs when stopped") await new Promise<never>(() => undefined);
    if (!signal.aborted) await new Promise((resolve) => signal.addEventListener("abort", resolve, { once: true }));
  }

  #awayError(): AgentError {
    const text = this.#broken === "leaks its secret" ? `refused, token ${secret}` : "refused";
    return new AgentError("NET_REFUSED", text, { disposition: "retry" });
  }

  #awayOutcome(): Outcome {
    const error = this.#awayError();
    return this.#broken === "blames the record" ? { kind: "retry", scope: "record", error } : outcomeOf(error);
  }
}

function fixtureOf(target: FakeTarget): TargetFixture {
  return {
    target,
    secrets: [secret],
    received: () => Promise.resolve(target.held.size),
    freeze: () => Promise.resolve(void (target.frozen = true)),
    vanish: () => Promise.resolve(void (target.away = true)),
    [Symbol.asyncDispose]: () => Promise.resolve(),
  };
}

targetContract("a fake that behaves", () => Promise.resolve(fixtureOf(new FakeTarget("none"))));

describe("target contract: a fake that misbehaves", () => {
  const caughtBy: Readonly<Record<Exclude<Misbehaviour, "none">, string>> = {
    "capacity of zero": "names itself and its capacity",
    "wants by mood": "wants a record that shows something, and says so every time",
    "accepts without sending": "accepts a record, which then is at the other side",
    "forgets a record": "answers for every record of a full call",
    "refuses a repeat": "accepts the same record twice",
    "throws for a record": "sets an unreadable record aside and accepts the next",
    "accepts what was stopped": "ends a delivery that was stopped before it began",
    "hangs when stopped": "ends a delivery that is stopped while the other side hangs",
    "blames the record": "blames itself, not the record, while the other side is away",
    "sends data when probed": "probes without sending data",
    "probe lies": "fails the probe while the other side is away",
    "leaks its secret": "blames itself, not the record, while the other side is away",
    "fails the second close": "closes twice, also with nothing started",
  };
  for (const [broken, name] of Object.entries(caughtBy) as [Misbehaviour, string][]) {
    it(`is caught when it ${broken}`, async () => {
      const check = targetChecks.find((candidate) => candidate.name === name);
      assert.ok(check !== undefined);
      await assert.rejects(check.run(fixtureOf(new FakeTarget(broken))));
    });
  }

  it("leaves no check without a misbehaviour that it catches", () => {
    const caught = new Set(Object.values(caughtBy));
    assert.deepEqual(
      targetChecks.map(({ name }) => name).filter((name) => !caught.has(name)),
      [],
    );
  });
});
