import { backoffMs } from "../core/backoff.ts";
import type { Clock } from "../core/clock.ts";
import { type AgentError, asAgentError } from "../core/errors.ts";
import type { DeliveryHealth } from "../core/health.ts";
import { deliverLimits } from "../core/deliver-limits.ts";
import type { Outcome } from "../core/outcome.ts";
import type { Delivery, Random, Seams, Settlement, Spool, Target } from "../core/ports.ts";
import { beginPulse, type Pulse, UnwatchedPulse } from "../core/pulse.ts";
import { Books } from "./books.ts";
import { Breaker, needsPerson } from "./breaker.ts";
import { callTarget, callTimeoutMs, imageBytesOf } from "./call.ts";
import { Gate, type Hold } from "./gate.ts";
import { HeldCameras } from "./held-cameras.ts";
import { type Ruling, ruleOn, waiting } from "./ruling.ts";
import { Suspects } from "./suspects.ts";
import { Unsettled } from "./unsettled.ts";

export type DeliverySpool = Pick<Spool, "lease" | "settle" | "waitForDue">;

/**
 * Brings one target its records: lease, deliver, settle, wait.
 *
 * - Nothing is settled before the target's answer, so a crash anywhere only sends a record twice.
 * - What is wrong with the target opens the breaker and is charged to no record; what is wrong with a record is charged
 *   to it and holds up nobody.
 * - Loops share the spool and nothing else: a frozen target keeps only its own lanes.
 * - Memory does not depend on the backlog: only calls in flight and a bounded list of suspects are held.
 */
export class DeliveryLoop {
  readonly #target: Target;
  readonly #spool: DeliverySpool;
  readonly #seams: Seams;
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #books: Books;
  readonly #breaker: Breaker;
  readonly #gate: Gate;
  readonly #suspects = new Suspects();
  readonly #held: HeldCameras;
  readonly #unsettled: Unsettled;
  readonly #calls = new Set<Promise<void>>();
  #imageBytesInFlight = 0;
  /** Leasing ends first, calls in flight when the grace is over. */
  #leasing = new AbortController();
  #calling = new AbortController();
  #running: Promise<void> | undefined;
  #pulse: Pulse;

  constructor(target: Target, spool: DeliverySpool, seams: Seams, gate = new Gate(seams.clock)) {
    this.#target = target;
    this.#spool = spool;
    this.#seams = seams;
    this.#clock = seams.clock;
    this.#pulse = new UnwatchedPulse(seams.clock);
    this.#random = seams.random;
    this.#gate = gate;
    this.#books = new Books(target, seams);
    this.#breaker = new Breaker(seams.clock, seams.random);
    this.#held = new HeldCameras(seams.clock, seams.random);
    this.#unsettled = new Unsettled((recordId, settlement) => spool.settle(target.id, recordId, settlement));
  }

  /** Known before anything was sent. Before `start`. */
  isAway(error: AgentError): void {
    this.#moveAway(this.#breaker.era, error);
  }

  /** Returns at once. Whoever made the target starts it, and closes it only after `stop`. */
  start(): void {
    if (this.#running !== undefined) return;
    this.#leasing = new AbortController();
    this.#calling = new AbortController();
    this.#pulse = beginPulse(this.#seams, `delivery:${this.#target.id}`);
    this.#running = this.#run(this.#leasing.signal);
  }

  /** Leases nothing more, waits for calls in flight up to a grace, then aborts them; what they held is released. */
  async stop(): Promise<void> {
    const running = this.#running;
    if (running === undefined) return;
    this.#leasing.abort();
    const ended = new AbortController();
    const expire = () => this.#calling.abort();
    const grace = this.#clock.sleep(deliverLimits.stopGraceMs, ended.signal).then(expire, () => undefined);
    await running;
    ended.abort();
    await grace;
    this.#running = undefined;
  }

  /**
   * Tries at once, whatever the back-off says, and lets so many deliveries pass a pause, a window and, when told, a budget.
   * One that fails ends it.
   */
  flush(deliveriesMax: number, options?: { readonly overBudget?: boolean }): void {
    this.#breaker.hurry();
    this.#held.hurry();
    this.#gate.flush(deliveriesMax, options);
  }

  health(): DeliveryHealth {
    const permit = this.#breaker.permit();
    const away = this.#breaker.away();
    const hold = this.#gate.hold();
    const forMs = hold?.forMs ?? away?.forMs;
    const state = hold?.kind ?? (permit.kind === "flow" ? "up" : "away");
    return {
      ...this.#books.counts(),
      state: this.#running === undefined ? "stopped" : state,
      ...(forMs === undefined ? {} : { forMs }),
      ...(permit.kind === "wait" ? { retryInMs: permit.waitMs } : {}),
      ...(away === undefined ? {} : { awayBecause: becauseOf(away.error) }),
      ...leftOf(hold),
      inFlight: this.#calls.size,
    };
  }

  async #run(leasing: AbortSignal): Promise<void> {
    let failures = 0;
    while (!leasing.aborted) {
      try {
        await this.#turn(leasing);
        failures = 0;
      } catch (error) {
        if (this.#leasing.signal.aborted) break;
        failures += 1;
        this.#books.spoolFailed(asAgentError(error, `leasing records for ${this.#target.id}`));
        await this.#pulse.sleep(this.#spoolBackoffMs(failures), leasing).catch(() => undefined);
      }
    }
    await this.#callsEnded();
    await this.#unsettled.ended();
    this.#pulse.end();
  }

  /** One step: wait for what is missing, or begin a call. Throws when the spool does, and when it is stopped. */
  async #turn(leasing: AbortSignal): Promise<void> {
    const pulse = this.#pulse;
    pulse.beat();
    const heldMs = this.#gate.waitMs();
    if (heldMs > 0) return this.#gate.changed(Math.min(heldMs, pulse.restMs), leasing);
    const permit = this.#breaker.permit();
    if (permit.kind === "wait") return this.#gate.changed(Math.min(permit.waitMs, pulse.restMs), leasing);
    const probing = permit.kind === "probe";
    const capacity = this.#target.capacity();
    if (this.#calls.size >= (probing ? 1 : Math.max(1, capacity.callsInFlightMax))) return this.#callEnded();

    const { era } = this.#breaker;
    // A flush ends where nothing is due any more.
    if (!this.#gate.isFlushing) {
      await pulse.wait(leasing, (wait) => this.#spool.waitForDue(this.#target.id, wait));
    }
    // A call in flight may have failed meanwhile, or an operator may have said no; then it is not the time to lease.
    if (era !== this.#breaker.era || leasing.aborted || this.#gate.waitMs() > 0) return;
    // A probe chooses among all suspects and the first record behind them.
    const limit = probing
      ? { recordsMax: this.#suspects.size + 1, bytesMax: Number.MAX_SAFE_INTEGER }
      : {
          recordsMax: Math.max(1, capacity.recordsPerCallMax),
          bytesMax: Math.min(capacity.bytesPerCallMax, this.#gate.callBytesMax()),
        };
    pulse.beat();
    const leased = await this.#spool.lease(this.#target.id, limit);
    // Of what a probe leases all but one record goes back.
    this.#gate.leased(probing ? Math.min(1, leased.length) : leased.length);
    if (leased.length === 0) return pulse.sleep(deliverLimits.emptyLeaseMs, leasing);
    const free = await this.#withoutHeld(leased);
    if (free.length > 0) await (probing ? this.#probe(free, era) : this.#deliver(free, era));
  }

  /** Puts off what has to wait for its camera. */
  async #withoutHeld(leased: readonly Delivery[]): Promise<readonly Delivery[]> {
    const free: Delivery[] = [];
    for (const delivery of leased) {
      const wait = this.#held.waiting(delivery);
      if (wait === undefined) free.push(delivery);
      else await this.#settle(delivery, waiting(wait.error, wait.afterMs), this.#pulse);
    }
    return free;
  }

  async #probe(leased: readonly Delivery[], era: number): Promise<void> {
    const chosen = this.#suspects.leastSuspected(leased);
    await this.#release(leased.filter((delivery) => delivery !== chosen));
    if (chosen !== undefined) await this.#sendAlone(chosen, era);
  }

  /** The innocent go together, beside other calls; each suspect goes alone, with no other call in flight. */
  async #deliver(leased: readonly Delivery[], era: number): Promise<void> {
    const suspects = leased.filter((delivery) => this.#suspects.has(delivery));
    const innocent = leased.filter((delivery) => !suspects.includes(delivery));
    if (innocent.length > 0) {
      if (this.#mayNotCall(era)) return this.#release(leased);
      void this.#begin(innocent, innocent.length === 1 && this.#target.capacity().callsInFlightMax <= 1);
    }
    for (const suspect of suspects) await this.#sendAlone(suspect, era);
  }

  async #sendAlone(delivery: Delivery, era: number): Promise<void> {
    await this.#callsEnded();
    if (this.#mayNotCall(era)) return this.#release([delivery]);
    void this.#begin([delivery], true);
    await this.#callsEnded();
  }

  /** Each of them has a pulse of its own, which is late where it does not end. */
  async #callEnded(): Promise<void> {
    this.#pulse.beat(Infinity);
    await Promise.race(this.#calls);
  }

  async #callsEnded(): Promise<void> {
    this.#pulse.beat(Infinity);
    await Promise.all(this.#calls);
  }

  /** Between lease and call the loop may have been stopped, another call may have failed or taken what was left. */
  #mayNotCall(era: number): boolean {
    return this.#leasing.signal.aborted || era !== this.#breaker.era || !this.#gate.mayCall();
  }

  #begin(deliveries: readonly Delivery[], alone: boolean): Promise<void> {
    const pulse = beginPulse(this.#seams, `call:${this.#target.id}`);
    const call = this.#call(deliveries, alone, pulse)
      .catch((error: unknown) => this.#books.broke(asAgentError(error, `delivering to ${this.#target.id}`)))
      .finally(() => {
        pulse.end();
        this.#calls.delete(call);
      });
    this.#calls.add(call);
    return call;
  }

  async #call(deliveries: readonly Delivery[], alone: boolean, pulse: Pulse): Promise<void> {
    const { era } = this.#breaker;
    const startedMs = this.#clock.monotonicMs();
    const imageBytes = imageBytesOf(deliveries);
    this.#imageBytesInFlight += imageBytes;
    this.#gate.begins(deliveries.length, imageBytes);
    const timeoutMs = callTimeoutMs(this.#imageBytesInFlight);
    pulse.beat(timeoutMs + deliverLimits.abandonAfterMs);
    const outcomes = await callTarget(this.#target, deliveries, timeoutMs, this.#clock, this.#calling.signal);
    this.#imageBytesInFlight -= imageBytes;
    this.#gate.ended(imageBytes);
    this.#books.called(this.#clock.monotonicMs() - startedMs);
    // What was accepted comes first: it tells whether a failure beside it is the target's.
    const verdicts = [...outcomes]
      .sort(([, a], [, b]) => Number(b.kind === "accepted") - Number(a.kind === "accepted"))
      .map(([delivery, outcome]) => ({ delivery, outcome, ...this.#rule(delivery, outcome, alone) }));
    // The breaker moves before anything is settled: what is released must not be leased again at once.
    this.#moveBreaker(era, verdicts);
    for (const { delivery, outcome, settlement } of verdicts) this.#books.ruled(delivery, outcome, settlement);
    await Promise.all(verdicts.map(({ delivery, settlement }) => this.#settle(delivery, settlement, pulse)));
  }

  #rule(delivery: Delivery, outcome: Outcome, alone: boolean): Ruling {
    const stopped = this.#calling.signal.aborted && outcome.kind === "retry" && outcome.error.code === "ABORTED";
    if (stopped) return { settlement: { kind: "release" }, target: "unknown" };
    return ruleOn(delivery, outcome, alone, this.#suspects, this.#held, this.#random);
  }

  #moveBreaker(era: number, verdicts: readonly (Ruling & { readonly outcome: Outcome })[]): void {
    if (verdicts.some(({ target }) => target === "up") && this.#breaker.succeeded(era)) this.#books.breakerClosed();
    const away = verdicts.find(({ target }) => target === "away")?.outcome;
    if (away?.kind === "retry") this.#moveAway(era, away.error, away.afterMs);
  }

  #moveAway(era: number, error: AgentError, afterMs?: number): void {
    if (!this.#breaker.failed(era, error, afterMs)) return;
    this.#gate.leased(0);
    const permit = this.#breaker.permit();
    this.#books.breakerOpened(error, this.#breaker.failures, permit.kind === "wait" ? permit.waitMs : 0);
  }

  async #release(deliveries: readonly Delivery[]): Promise<void> {
    for (const delivery of deliveries) await this.#settle(delivery, { kind: "release" }, this.#pulse);
  }

  /**
   * Holds its lane until the spool has the outcome, so a broken spool slows the sending down; gives up in the end. Then the
   * outcome of an accepted record is told beside the sending, until that owes too much; any other record is put back.
   */
  async #settle(delivery: Delivery, settlement: Settlement, pulse: Pulse): Promise<void> {
    for (let tries = 1; ; tries += 1) {
      pulse.beat();
      try {
        await this.#spool.settle(this.#target.id, delivery.record.id, settlement);
        return;
      } catch (error) {
        const failure = asAgentError(error, `settling ${delivery.record.name} as ${settlement.kind}`);
        this.#books.spoolFailed(failure);
        if (failure.disposition !== "retry" || this.#isPatienceOver(tries, settlement)) {
          this.#books.unsettled(delivery, settlement, failure);
          if (settlement.kind !== "accepted") await this.#putBack(delivery, pulse);
          else if (failure.disposition === "retry") this.#tellLater(delivery, settlement);
          return;
        }
        await pulse.sleep(this.#spoolBackoffMs(tries), this.#calling.signal).catch(() => undefined);
      }
    }
  }

  #isPatienceOver(tries: number, { kind }: Settlement): boolean {
    if (this.#calling.signal.aborted) return true;
    return tries >= deliverLimits.settleTriesMax && !(kind === "accepted" && this.#unsettled.isFull);
  }

  #tellLater({ record }: Delivery, settlement: Settlement): void {
    const { signal } = this.#leasing;
    this.#unsettled.add(record.id, settlement, () => this.#clock.sleep(deliverLimits.spoolBackoffMaxMs, signal));
  }

  /** Not at once: the record would come straight back, to the same end. */
  async #putBack(delivery: Delivery, pulse: Pulse): Promise<void> {
    const pause = pulse.sleep(deliverLimits.spoolBackoffMaxMs, this.#calling.signal);
    await pause.catch(() => undefined);
    const released = this.#spool.settle(this.#target.id, delivery.record.id, { kind: "release" });
    // A release needs no disk; one that fails nevertheless leaves the record leased, as it was.
    await released.catch(() => undefined);
  }

  #spoolBackoffMs(failures: number): number {
    const { spoolBackoffFirstMs, spoolBackoffMaxMs } = deliverLimits;
    return backoffMs(failures, spoolBackoffFirstMs, spoolBackoffMaxMs, this.#random);
  }
}

function leftOf(hold: Hold | undefined): Pick<DeliveryHealth, "pausedForMs" | "opensInMs"> {
  if (hold?.leftMs === undefined) return {};
  return hold.kind === "paused" ? { pausedForMs: hold.leftMs } : { opensInMs: Math.round(hold.leftMs) };
}

function becauseOf(error: AgentError): NonNullable<DeliveryHealth["awayBecause"]> {
  const { code, message } = error;
  return { code, message, needsPerson: needsPerson(error) };
}
