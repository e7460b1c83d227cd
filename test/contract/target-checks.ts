import assert from "node:assert/strict";
import { AgentError } from "../../src/core/errors.ts";
import type { Outcome } from "../../src/core/outcome.ts";
import type { Delivery, Target } from "../../src/core/ports.ts";
import type { StoredRecord } from "../../src/core/types.ts";
import { sampleDelivery, sampleDraft, sampleJpeg } from "../lib/records.ts";
import { type Ending, settleAll } from "./target-rounds.ts";

/** A target and what a test can do to its other side. `make` gives a fresh pair for every check. */
export interface TargetFixture extends AsyncDisposable {
  readonly target: Target;
  /** Different pictures that the other side holds. */
  received(): Promise<number>;
  /** The other side takes requests and never answers. Absent where nothing can hang. */
  freeze?(): Promise<void>;
  /** The other side is gone. Absent where it cannot be. */
  vanish?(): Promise<void>;
  /** From now on the other side refuses this record's picture, and no other. Absent where it takes every picture. */
  refuse?(delivery: Delivery): Promise<void>;
  /** The id that the other side gave to this record. Absent where it gives none. */
  remoteIdOf?(record: StoredRecord): Promise<string | undefined>;
  /**
   * A new target with the same settings and the same memory, as after a crash; the fixture ends it too. The former one is
   * called no more.
   */
  restarted?(): Promise<Target>;
  /** True where a picture sent twice is there once, be it the other side or the target that tells. Needs `stored`. */
  readonly tellsDuplicates?: boolean;
  /** Pictures that the other side holds, repeats counted. */
  stored?(): Promise<number>;
  /** Must not appear in any error. */
  readonly secrets: readonly string[];
}

export interface TargetCheck {
  readonly name: string;
  run(fixture: TargetFixture): Promise<void>;
}

/** Ends a wait for ever; where four lanes start at once on two cores, a first picture alone may take 2 s. */
const endsWithinMs = 10_000;
const batchSize = 4;
const never = new AbortController().signal;

/** What the Target port promises, one check a promise. */
export const targetChecks: readonly TargetCheck[] = [
  { name: "names itself and its capacity", run: namesItself },
  { name: "wants a record that shows something, and says so every time", run: wantsSteadily },
  { name: "accepts a record, which then is at the other side", run: acceptsOne },
  { name: "answers for every record of a full call", run: answersForAll },
  { name: "accepts the same record twice", run: acceptsTwice },
  { name: "sets an unreadable record aside and accepts the next", run: survivesUnreadable },
  { name: "accepts the others of a batch with one unreadable record", run: survivesUnreadableInBatch },
  { name: "accepts the others of a batch of which the other side refuses one, and gives that up", run: givesUpRefused },
  { name: "tells each record of a batch its own remote id", run: tellsRemoteIds },
  { name: "delivers a batch again after a crash, and leaves no second copy where it can tell", run: survivesCrash },
  { name: "ends a delivery that was stopped before it began", run: endsAbortedBefore },
  { name: "ends a delivery that is stopped while the other side hangs", run: endsAbortedDuring },
  { name: "blames itself, not the record, while the other side is away", run: blamesTarget },
  { name: "probes without sending data", run: probesSilently },
  { name: "fails the probe while the other side is away", run: probeFails },
  { name: "closes twice, also with nothing started", run: closesTwice },
];

async function namesItself({ target }: TargetFixture): Promise<void> {
  assert.match(target.id, /^[a-z0-9][a-z0-9_-]{0,31}$/);
  assert.notEqual(target.kind, "");
  const capacity = target.capacity();
  for (const value of Object.values(capacity) as number[]) assert.ok(Number.isInteger(value) && value >= 1);
}

async function wantsSteadily({ target }: TargetFixture): Promise<void> {
  const draft = sampleDraft();
  assert.equal(target.wants(draft), true);
  assert.equal(target.wants(draft), true);
}

async function acceptsOne(fixture: TargetFixture): Promise<void> {
  await fixture.target.start();
  const delivery = sampleDelivery(1, sampleJpeg(1));
  assert.equal((await deliverOne(fixture.target, delivery)).kind, "accepted");
  assert.equal(await fixture.received(), 1);
}

async function answersForAll(fixture: TargetFixture): Promise<void> {
  await fixture.target.start();
  const count = Math.min(4, fixture.target.capacity().recordsPerCallMax);
  const deliveries = Array.from({ length: count }, (_, at) => sampleDelivery(at + 1, sampleJpeg(at + 1)));
  const outcomes = await inTime(fixture.target.deliver(deliveries, never));
  assert.deepEqual([...outcomes.keys()].sort(), deliveries.map(({ record }) => record.id).sort());
  for (const outcome of outcomes.values()) assert.equal(outcome.kind, "accepted");
  assert.equal(await fixture.received(), count);
}

async function acceptsTwice(fixture: TargetFixture): Promise<void> {
  await fixture.target.start();
  const delivery = sampleDelivery(1, sampleJpeg(1));
  assert.equal((await deliverOne(fixture.target, delivery)).kind, "accepted");
  assert.equal((await deliverOne(fixture.target, delivery)).kind, "accepted");
  assert.equal(await fixture.received(), 1);
}

async function survivesUnreadable(fixture: TargetFixture): Promise<void> {
  await fixture.target.start();
  const outcome = await deliverOne(fixture.target, unreadable(sampleDelivery(1, sampleJpeg(1))));
  assert.equal(outcome.kind, "rejected");
  assert.equal(outcome.error.code, "RECORD_UNREADABLE");
  assert.equal((await deliverOne(fixture.target, sampleDelivery(2, sampleJpeg(2)))).kind, "accepted");
  assert.equal(await fixture.received(), 1);
}

/** Wherever in the batch it stands, so that answers by position cannot pass. */
async function survivesUnreadableInBatch(fixture: TargetFixture): Promise<void> {
  await fixture.target.start();
  let expected = 0;
  for (const position of [0, 1, batchSize - 1]) {
    const batch = batchFrom(1 + position * batchSize);
    const ids = batch.map(({ record }) => record.id);
    const damaged = batch.map((delivery, at) => (at === position ? unreadable(delivery) : delivery));
    const endings = await settleAll(fixture.target, damaged);
    assert.deepEqual(
      ids.map((id) => endingText(endings.get(id))),
      ids.map((_, at) => (at === position ? "RECORD_UNREADABLE" : "accepted")),
    );
    expected += batchSize - 1;
    assert.equal(await fixture.received(), expected);
  }
}

async function givesUpRefused(fixture: TargetFixture): Promise<void> {
  if (fixture.refuse === undefined) return;
  await fixture.target.start();
  const batch = batchFrom(1);
  const [, refused] = batch;
  assert.ok(refused !== undefined);
  await fixture.refuse(refused);
  const endings = await settleAll(fixture.target, batch);
  assert.deepEqual(
    batch.map(({ record }) => endings.get(record.id)?.kind),
    batch.map((delivery) => (delivery === refused ? "rejected" : "accepted")),
  );
  assert.equal(await fixture.received(), batchSize - 1);
}

async function tellsRemoteIds(fixture: TargetFixture): Promise<void> {
  if (fixture.remoteIdOf === undefined) return;
  await fixture.target.start();
  const batch = batchFrom(1);
  const endings = await settleAll(fixture.target, batch);
  for (const { record } of batch) {
    const ending = endings.get(record.id);
    assert.equal(ending?.kind, "accepted");
    assert.ok(ending.remoteId !== undefined, `${record.name} has no remote id`);
    assert.equal(ending.remoteId, await fixture.remoteIdOf(record));
  }
}

/** The crash falls between the other side's answer and its settling: all is sent again, as if for the first time. */
async function survivesCrash(fixture: TargetFixture): Promise<void> {
  if (fixture.restarted === undefined) return;
  await fixture.target.start();
  const batch = batchFrom(1);
  const before = await settleAll(fixture.target, batch);
  assert.deepEqual([...before.values()].map(endingText), Array(batchSize).fill("accepted"));
  await fixture.target.close();
  const target = await fixture.restarted();
  await target.start();
  const after = await settleAll(target, batch);
  assert.deepEqual([...after.values()].map(endingText), Array(batchSize).fill("accepted"));
  assert.equal(await fixture.received(), batchSize);
  if (fixture.tellsDuplicates !== true) return;
  assert.ok(fixture.stored !== undefined, "a fixture that tells duplicates counts them");
  assert.equal(await fixture.stored(), batchSize);
}

async function endsAbortedBefore(fixture: TargetFixture): Promise<void> {
  await fixture.target.start();
  await endsUnaccepted(fixture, AbortSignal.abort());
}

async function endsAbortedDuring(fixture: TargetFixture): Promise<void> {
  if (fixture.freeze === undefined) return;
  await fixture.target.start();
  assert.equal((await deliverOne(fixture.target, sampleDelivery(1, sampleJpeg(1)))).kind, "accepted");
  await fixture.freeze();
  await endsUnaccepted(fixture, AbortSignal.timeout(200));
}

async function blamesTarget(fixture: TargetFixture): Promise<void> {
  if (fixture.vanish === undefined) return;
  await fixture.target.start();
  await fixture.vanish();
  const outcome = await deliverOne(fixture.target, sampleDelivery(1, sampleJpeg(1)));
  assert.equal(outcome.kind, "retry");
  assert.equal(outcome.scope, "target");
  assertNoSecret(outcome.error, fixture.secrets);
}

async function probesSilently(fixture: TargetFixture): Promise<void> {
  await fixture.target.start();
  await inTime(fixture.target.probe(never));
  assert.equal(await fixture.received(), 0);
}

async function probeFails(fixture: TargetFixture): Promise<void> {
  if (fixture.vanish === undefined) return;
  await fixture.target.start();
  await fixture.vanish();
  const error = await inTime(fixture.target.probe(AbortSignal.timeout(2_000))).then(
    () => assert.fail("the probe succeeded"),
    (failure: unknown) => failure,
  );
  assert.ok(error instanceof AgentError, `not an AgentError: ${String(error)}`);
  assertNoSecret(error, fixture.secrets);
}

async function closesTwice({ target }: TargetFixture): Promise<void> {
  await inTime(target.close());
  await inTime(target.close());
}

/** A throw is allowed when nothing was accepted; an outcome must then be one that tries again without blame. */
async function endsUnaccepted(fixture: TargetFixture, signal: AbortSignal): Promise<void> {
  const delivery = sampleDelivery(9, sampleJpeg(9));
  const outcome = await inTime(fixture.target.deliver([delivery], signal)).then(
    (outcomes) => outcomes.get(delivery.record.id),
    (error: unknown) => {
      assert.ok(error instanceof AgentError, `not an AgentError: ${String(error)}`);
      return undefined;
    },
  );
  if (outcome === undefined) return;
  assert.equal(outcome.kind, "retry");
  assert.equal(outcome.scope, "target");
}

async function deliverOne(target: Target, delivery: Delivery): Promise<Outcome> {
  const outcome = (await inTime(target.deliver([delivery], never))).get(delivery.record.id);
  assert.ok(outcome !== undefined, "the record has no outcome");
  return outcome;
}

/** Target by target it goes in one call, or in several. */
function batchFrom(sequence: number): readonly Delivery[] {
  return Array.from({ length: batchSize }, (_, at) => sampleDelivery(sequence + at, sampleJpeg(sequence + at)));
}

function unreadable(delivery: Delivery): Delivery {
  const why = "reading a record: its checksum is wrong";
  const error = new AgentError("RECORD_UNREADABLE", why, { disposition: "reject" });
  return { ...delivery, image: () => Promise.reject(error) };
}

function endingText(ending: Ending | undefined): string | undefined {
  return ending?.kind === "rejected" ? ending.code : ending?.kind;
}

export function assertNoSecret(error: Error, secrets: readonly string[]): void {
  for (const secret of secrets) {
    assert.ok(!`${error.message} ${error.stack ?? ""} ${JSON.stringify(error)}`.includes(secret), "a secret leaked");
  }
}

async function inTime<T>(promise: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`did not end within ${endsWithinMs} ms`)), endsWithinMs);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}
