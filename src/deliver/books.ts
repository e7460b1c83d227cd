import type { Clock } from "../core/clock.ts";
import { Summary, Tally } from "../core/counters.ts";
import type { AgentError } from "../core/errors.ts";
import type { DeliveryHealth, LastError } from "../core/health.ts";
import { LogGate } from "../core/log-gate.ts";
import { holdsCamera, type Outcome } from "../core/outcome.ts";
import type { Delivery, Logger, Seams, Settlement, Target } from "../core/ports.ts";
import { needsPerson } from "./breaker.ts";

type Counts = Omit<DeliveryHealth, "state" | "forMs" | "retryInMs" | "awayBecause" | "pausedForMs" | "inFlight">;

/** Counts what happened to one target's records and says each change of its state once. */
export class Books {
  readonly #target: Target;
  readonly #clock: Clock;
  readonly #log: Logger;
  readonly #gate: LogGate;
  readonly #deliverMs: Summary;
  readonly #outcomes = new Tally();
  #away: { readonly sinceMs: number; readonly person: boolean } | undefined;
  #accepted = 0;
  #rejected = 0;
  #retried = 0;
  #unsettled = 0;
  #acceptedBytes = 0;
  #lastAcceptedAtMs: number | undefined;
  #lastError: LastError | undefined;

  constructor(target: Target, seams: Seams) {
    this.#target = target;
    this.#clock = seams.clock;
    this.#log = seams.log.child({ target: target.id });
    this.#gate = new LogGate(seams.clock);
    this.#deliverMs = new Summary(seams.random);
  }

  called(tookMs: number): void {
    this.#deliverMs.add(tookMs);
  }

  ruled(delivery: Delivery, outcome: Outcome, settlement: Settlement): void {
    const facts = { recordId: delivery.record.id, name: delivery.record.name };
    if (outcome.kind === "accepted") {
      this.#accepted += 1;
      this.#outcomes.add("accepted");
      this.#acceptedBytes += delivery.record.imageBytes;
      this.#lastAcceptedAtMs = this.#clock.nowMs();
      this.#log.debug("record.accepted", { ...facts, remoteId: outcome.remoteId });
      return;
    }
    this.#remember(outcome.error);
    if (holdsCamera(outcome.error)) this.#cameraHeld(delivery, outcome.error);
    if (settlement.kind !== "rejected") {
      this.#retried += 1;
      this.#outcomes.add(`retry ${outcome.error.code}`);
      this.#log.debug("record.retried", { ...facts, code: outcome.error.code, message: outcome.error.message });
      return;
    }
    this.#rejected += 1;
    this.#outcomes.add(`rejected ${settlement.code}`);
    const suppressed = this.#gate.pass(`rejected:${settlement.code}`);
    const fields = { ...facts, code: settlement.code, message: settlement.message };
    if (suppressed === undefined) this.#log.debug("record.quarantined", fields);
    else this.#log.warn("record.quarantined", { ...fields, suppressed });
  }

  #cameraHeld({ record: { cameraId } }: Delivery, { code, message }: AgentError): void {
    const suppressed = this.#gate.pass(`held:${cameraId}:${code}`);
    if (suppressed !== undefined) this.#log.warn("delivery.camera-held", { cameraId, code, message, suppressed });
  }

  /** A single failure is nothing to report: a bad record between good ones makes many of them. */
  breakerOpened(error: AgentError, failures: number, retryInMs: number): void {
    const person = needsPerson(error);
    if (!person && failures < 2) return;
    if (this.#away !== undefined && this.#away.person === person) return;
    this.#away = { sinceMs: this.#away?.sinceMs ?? this.#clock.monotonicMs(), person };
    const event = person ? "target.needs-a-person" : "target.away";
    this.#log.warn(event, { code: error.code, message: error.message, retryInMs: Math.round(retryInMs) });
  }

  breakerClosed(): void {
    if (this.#away === undefined) return;
    this.#log.info("target.back", { awayMs: Math.round(this.#clock.monotonicMs() - this.#away.sinceMs) });
    this.#away = undefined;
  }

  spoolFailed(error: AgentError): void {
    const suppressed = this.#gate.pass(`spool:${error.code}`);
    if (suppressed === undefined) return;
    this.#log.error("delivery.spool-failed", { code: error.code, message: error.message, suppressed });
  }

  /** The spool did not take the outcome: an accepted record is sent again if the process ends before it does, any other one soon. */
  unsettled(delivery: Delivery, settlement: Settlement, error: AgentError): void {
    this.#unsettled += 1;
    const facts = { recordId: delivery.record.id, name: delivery.record.name, outcome: settlement.kind };
    this.#log.error("delivery.unsettled", { ...facts, code: error.code, message: error.message });
  }

  broke(error: AgentError): void {
    this.#log.error("delivery.broke", { code: error.code, message: error.message, cause: error.cause });
  }

  counts(): Counts {
    return {
      targetId: this.#target.id,
      kind: this.#target.kind,
      ...(this.#lastError === undefined ? {} : { lastError: this.#lastError }),
      accepted: this.#accepted,
      rejected: this.#rejected,
      retried: this.#retried,
      outcomes: this.#outcomes.snapshot(),
      unsettled: this.#unsettled,
      acceptedBytes: this.#acceptedBytes,
      ...(this.#lastAcceptedAtMs === undefined ? {} : { lastAcceptedAtMs: this.#lastAcceptedAtMs }),
      deliverMs: this.#deliverMs.snapshot(),
    };
  }

  #remember(error: AgentError): void {
    this.#lastError = { code: error.code, message: error.message, atMs: this.#clock.nowMs() };
  }
}
