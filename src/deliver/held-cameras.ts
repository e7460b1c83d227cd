import type { Clock } from "../core/clock.ts";
import type { AgentError } from "../core/errors.ts";
import { deliverLimits } from "../core/deliver-limits.ts";
import type { Delivery, Random } from "../core/ports.ts";
import { Breaker } from "./breaker.ts";

interface Held {
  readonly breaker: Breaker;
  error: AgentError;
}

/**
 * Cameras whose records are in order but do not get through, while those of others may: their topic is refused or has no
 * subscriber. Each has a breaker of its own, so that not every record is sent only to learn the same again.
 */
export class HeldCameras {
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #held = new Map<string, Held>();

  constructor(clock: Clock, random: Random) {
    this.#clock = clock;
    this.#random = random;
  }

  /** How long a record has to wait for its camera's sake, and what for; undefined when it may go. */
  waiting({ record }: Delivery): { readonly afterMs: number; readonly error: AgentError } | undefined {
    const held = this.#held.get(record.cameraId);
    const permit = held?.breaker.permit();
    return held !== undefined && permit?.kind === "wait" ? { afterMs: permit.waitMs, error: held.error } : undefined;
  }

  /** All of them are tried again. */
  hurry(): void {
    for (const { breaker } of this.#held.values()) breaker.hurry();
  }

  accepted({ record }: Delivery): void {
    this.#held.delete(record.cameraId);
  }

  /** Records that were refused together count once. How long the camera's records have to wait now comes back. */
  failed(delivery: Delivery, error: AgentError, askedMs = 0): number {
    const { cameraId } = delivery.record;
    const held = this.#held.get(cameraId) ?? { breaker: new Breaker(this.#clock, this.#random), error };
    held.error = error;
    if (this.#held.size >= deliverLimits.heldCamerasMax) this.#held.clear();
    this.#held.set(cameraId, held);
    const { breaker } = held;
    if (breaker.permit().kind !== "wait") breaker.failed(breaker.era, error, askedMs);
    return this.waiting(delivery)?.afterMs ?? 0;
  }
}
