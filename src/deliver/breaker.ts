import { backoffMs } from "../core/backoff.ts";
import type { Clock } from "../core/clock.ts";
import type { AgentError } from "../core/errors.ts";
import { deliverLimits } from "../core/deliver-limits.ts";
import type { Random } from "../core/ports.ts";

/**
 * Whether a target may be called. Closed: freely. Open: not until its delay is over. Half-open, from then on: one probe
 * at a time, until a record is accepted.
 *
 * Every opening and closing begins a new era. A call reports with the era it began in, and what an earlier era's call
 * reports changes nothing: four lanes that fail together are one failure, and a late success proves nothing.
 */
export class Breaker {
  readonly #clock: Clock;
  readonly #random: Random;
  #failures = 0;
  #openUntilMs: number | undefined;
  #away: { readonly error: AgentError; readonly sinceMs: number } | undefined;
  #era = 0;

  constructor(clock: Clock, random: Random) {
    this.#clock = clock;
    this.#random = random;
  }

  get era(): number {
    return this.#era;
  }

  /** Failures in a row. */
  get failures(): number {
    return this.#failures;
  }

  permit(): Permit {
    if (this.#openUntilMs === undefined) return { kind: "flow" };
    const waitMs = this.#openUntilMs - this.#clock.monotonicMs();
    return waitMs > 0 ? { kind: "wait", waitMs } : { kind: "probe" };
  }

  /** Why it is open, and for how long it has been. */
  away(): { readonly error: AgentError; readonly forMs: number } | undefined {
    const away = this.#away;
    return away === undefined ? undefined : { error: away.error, forMs: this.#clock.monotonicMs() - away.sinceMs };
  }

  /** The next probe may be made at once. What failed before still counts. */
  hurry(): void {
    if (this.#openUntilMs !== undefined) this.#openUntilMs = this.#clock.monotonicMs();
  }

  /** True when this closed the breaker. */
  succeeded(era: number): boolean {
    if (era !== this.#era) return false;
    this.#failures = 0;
    if (this.#openUntilMs === undefined) return false;
    this.#openUntilMs = undefined;
    this.#away = undefined;
    this.#era += 1;
    return true;
  }

  /** True when this opened the breaker (again). `afterMs`: how long the target asked to be left alone. */
  failed(era: number, error: AgentError, afterMs = 0): boolean {
    if (era !== this.#era) return false;
    this.#failures += 1;
    const ownMs = needsPerson(error) ? this.#personDelayMs() : this.#delayMs(error);
    // A thousand gateways that are told the same time would come back in the same second.
    const askedMs = Math.min(afterMs, deliverLimits.retryAfterMaxMs) * (1 + 0.1 * this.#random());
    const nowMs = this.#clock.monotonicMs();
    this.#openUntilMs = nowMs + Math.max(ownMs, askedMs);
    this.#away = { error, sinceMs: this.#away?.sinceMs ?? nowMs };
    this.#era += 1;
    return true;
  }

  /** Starts at the credentials' delay and never exceeds the cap, both met by chance alone. */
  #personDelayMs(): number {
    const firstMs = deliverLimits.credentialsBackoffMs;
    return (
      firstMs + Math.min(this.#backoffMs(firstMs, deliverLimits.backoffMaxMs), deliverLimits.backoffMaxMs - firstMs)
    );
  }

  #delayMs({ code }: AgentError): number {
    const { backoffFirstMs, backoffMaxMs, linkAwayBackoffMs } = deliverLimits;
    return this.#backoffMs(backoffFirstMs, freeCodes.has(code) ? linkAwayBackoffMs : backoffMaxMs);
  }

  #backoffMs(firstMs: number, maxMs: number): number {
    return backoffMs(this.#failures, firstMs, maxMs, this.#random);
  }
}

type Permit =
  { readonly kind: "flow" } | { readonly kind: "probe" } | { readonly kind: "wait"; readonly waitMs: number };

const personCodes: ReadonlySet<string> = new Set([
  "HTTP_401",
  "HTTP_403",
  "HTTP_404",
  "HTTP_405",
  "HTTP_407",
  "HTTP_REDIRECT",
  "MQTT_CREDENTIALS",
  "MQTT_NOT_AUTHORISED",
  "TARGET_CREDENTIAL_MISSING",
]);

/** The link answers by itself, and nothing is sent. */
const freeCodes: ReadonlySet<string> = new Set(["MQTT_OFFLINE"]);

/** Wrong credentials or a wrong address: waiting alone will not mend it. */
export function needsPerson(error: AgentError): boolean {
  return personCodes.has(error.code);
}
