import { isIPv6 } from "node:net";
import type { Clock } from "../core/clock.ts";
import { webLimits } from "../core/web-limits.ts";

/** How often an address has presented a wrong token: some are mistakes, more are tries. */
export class WrongTokens {
  readonly #clock: Clock;
  /** By address: until when its wrong tokens count, one interval each. */
  readonly #untilMs = new Map<string, number>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  mayTry(address: string): boolean {
    const left = (this.#untilMs.get(placeOf(address)) ?? 0) - this.#clock.monotonicMs();
    return left <= (webLimits.wrongTokensMax - 1) * webLimits.wrongTokenEveryMs;
  }

  note(address: string): void {
    const place = placeOf(address);
    const nowMs = this.#clock.monotonicMs();
    const untilMs = Math.max(nowMs, this.#untilMs.get(place) ?? 0) + webLimits.wrongTokenEveryMs;
    this.#untilMs.delete(place);
    this.#untilMs.set(place, untilMs);
    const [oldest] = this.#untilMs.keys();
    if (this.#untilMs.size > webLimits.addressesMax && oldest !== undefined) this.#untilMs.delete(oldest);
  }
}

/** A machine has 2^64 addresses of version 6 to itself: they count as one. */
function placeOf(address: string): string {
  if (!isIPv6(address) || address.startsWith("::ffff:")) return address;
  return address.split(":").slice(0, 4).join(":");
}
