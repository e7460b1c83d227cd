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
  | "gives up a whole batch for one unreadable record"
  | "answers by position"
  | "gives up a whole batch for one refused record"
  | "tries a refused record for ever"
  | "calls a refusal its own failure"
  | "mixes up remote ids"
  | "forgets what it sent"
  | "forgets how to send"
  | "accepts what was stopped"
  | "hangs when stopped"
  | "blames the record"
  | "sends data when probed"
  | "probe lies"
  | "leaks its secret"
  | "fails the second close";

const secret = "fake-target-canary";

/** What outlives a target. */
class OtherSide {
  /** By hash of the picture: how often it came. */
  readonly copies = new Map<string, number>();
  readonly refused = new Set<string>();
  away = false;
  frozen = false;
  restarts = 0;
}

class FakeTarget implements Target {
  readonly id = "fake";
  readonly kind = "fake";
  readonly #broken: Misbehaviour;
  readonly #other: OtherSide;
  readonly #restarts: number;
  #asked = 0;
  #closed = 0;
  #tries = 0;

  constructor(broken: Misbehaviour, other: OtherSide) {
    this.#broken = broken;
    this.#other = other;
    this.#restarts = other.restarts;
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
    if (this.#broken === "sends data when probed") this.#other.copies.set("probe", 1);
    if (this.#other.away && this.#broken !== "probe lies") throw this.#awayError();
  }

  async deliver(deliveries: readonly Delivery[], signal: AbortSignal): Promise<ReadonlyMap<string, Outcome>> {
    const outcomes = new Map<string, Outcome>();
    for (const [at, delivery] of deliveries.entries()) {
      if (this.#broken === "forgets a record" && at > 0) continue;
      outcomes.set(delivery.record.id, await this.#one(delivery, signal));
    }
    return this.#misread(outcomes);
  }

  #misread(outcomes: ReadonlyMap<string, Outcome>): ReadonlyMap<string, Outcome> {
    const ids = [...outcomes.keys()];
    const answers = [...outcomes.values()];
    const bad = answers.find(({ kind }) => kind === "rejected");
    const unreadable = bad?.kind === "rejected" && bad.error.code === "RECORD_UNREADABLE";
    if (bad !== undefined && this.#broken === givesUp(unreadable)) return new Map(ids.map((id) => [id, bad]));
    const moved =
      unreadable && this.#broken === "answers by position" ? [...answers.slice(1), ...answers.slice(0, 1)] : answers;
    const turned = this.#broken === "mixes up remote ids" ? moved.toReversed() : moved;
    return new Map(ids.map((id, at) => [id, turned[at] ?? { kind: "accepted" }]));
  }

  async close(): Promise<void> {
    this.#closed += 1;
    if (this.#broken === "fails the second close" && this.#closed > 1) throw new Error("closed already");
  }

  async #one(delivery: Delivery, signal: AbortSignal): Promise<Outcome> {
    if (this.#other.away) return this.#awayOutcome();
    if (this.#other.frozen || signal.aborted) await this.#stopped(signal);
    if (signal.aborted && this.#broken !== "accepts what was stopped") {
      return outcomeOf(new AgentError("ABORTED", "stopped", { disposition: "retry" }));
    }
    try {
      await delivery.image();
    } catch (error) {
      if (this.#broken === "throws for a record") throw error;
      return outcomeOf(asAgentError(error, "reading"));
    }
    const { imageSha256: sha256 } = delivery.record;
    if (this.#other.refused.has(sha256)) return this.#refusedOutcome();
    const copies = this.#other.copies.get(sha256) ?? 0;
    if (this.#broken === "refuses a repeat" && copies > 0) {
      return outcomeOf(new AgentError("HTTP_409", "known already", { disposition: "reject" }));
    }
    const restarted = this.#restarts > 0;
    if (this.#broken === "forgets how to send" && restarted) return { kind: "accepted" };
    const again = this.#broken === "forgets what it sent" && restarted;
    if (this.#broken !== "accepts without sending") this.#other.copies.set(sha256, again ? copies + 1 : 1);
    return { kind: "accepted", remoteId: `remote-${sha256}` };
  }

  #refusedOutcome(): Outcome {
    const error = new AgentError("HTTP_400", "this picture is none", { disposition: "reject" });
    this.#tries += 1;
    if (this.#broken === "tries a refused record for ever") {
      return { kind: "retry", scope: "record", error, cursor: `try ${this.#tries}` };
    }
    if (this.#broken === "calls a refusal its own failure") return { kind: "retry", scope: "target", error };
    return outcomeOf(error);
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

function givesUp(unreadable: boolean): Misbehaviour {
  return `gives up a whole batch for one ${unreadable ? "unreadable" : "refused"} record`;
}

function fixtureOf(broken: Misbehaviour): TargetFixture {
  const other = new OtherSide();
  return {
    target: new FakeTarget(broken, other),
    secrets: [secret],
    received: () => Promise.resolve(other.copies.size),
    freeze: () => Promise.resolve(void (other.frozen = true)),
    vanish: () => Promise.resolve(void (other.away = true)),
    refuse: ({ record }) => Promise.resolve(void other.refused.add(record.imageSha256)),
    remoteIdOf: ({ imageSha256 }) => Promise.resolve(`remote-${imageSha256}`),
    async restarted() {
      other.restarts += 1;
      // What it no longer knows how to send, it has lost.
      if (broken === "forgets how to send") other.copies.clear();
      return new FakeTarget(broken, other);
    },
    tellsDuplicates: true,
    stored: () => Promise.resolve([...other.copies.values()].reduce((sum, copies) => sum + copies, 0)),
    [Symbol.asyncDispose]: () => Promise.resolve(),
  };
}

targetContract("a fake that behaves", () => Promise.resolve(fixtureOf("none")));

const refusesOne = "accepts the others of a batch of which the other side refuses one, and gives that up";
const survivesCrash = "delivers a batch again after a crash, and leaves no second copy where it can tell";

describe("target contract: a fake that misbehaves", () => {
  const caughtBy: Readonly<Record<Exclude<Misbehaviour, "none">, string>> = {
    "capacity of zero": "names itself and its capacity",
    "wants by mood": "wants a record that shows something, and says so every time",
    "accepts without sending": "accepts a record, which then is at the other side",
    "forgets a record": "answers for every record of a full call",
    "refuses a repeat": "accepts the same record twice",
    "throws for a record": "sets an unreadable record aside and accepts the next",
    "gives up a whole batch for one unreadable record": "accepts the others of a batch with one unreadable record",
    "answers by position": "accepts the others of a batch with one unreadable record",
    "gives up a whole batch for one refused record": refusesOne,
    "tries a refused record for ever": refusesOne,
    "calls a refusal its own failure": refusesOne,
    "mixes up remote ids": "tells each record of a batch its own remote id",
    "forgets what it sent": survivesCrash,
    "forgets how to send": survivesCrash,
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
      await assert.rejects(check.run(fixtureOf(broken)));
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
