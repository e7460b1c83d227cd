import type { MqttMessage } from "../link/mqtt-subscription.ts";
import { isObject } from "./reply.ts";

/**
 * Whether another device lives under this one's name, as a copied card does. Each process has an instance of its own, and
 * writes it into the retained `info`. A device that has said its birth and then finds another's instance there has not been
 * replaced, for it is still here itself. What lay there at the first connect is the process before, or a device that this
 * one replaces: no clone.
 */
export class CloneWatch {
  readonly #instance: string;
  /** Those that this process has followed. A broker that is restored from an old copy shows them again. */
  readonly #former = new Set<string>();
  /** The connection on which this process has said its birth for the first time. */
  #bornOn: AbortSignal | undefined;
  #foreign: string | undefined;
  #takeovers = 0;
  #isDeaf = true;

  constructor(instance: string) {
    this.#instance = instance;
  }

  /** The instance that lives under our name. */
  get foreign(): string | undefined {
    // Told twice that somebody came with our client id, and no way to read who: nobody is that unlucky.
    return this.#foreign ?? (this.#isDeaf && this.#takeovers >= 2 ? "unknown" : undefined);
  }

  /** To be given all that comes on the device's own `info`, and the end of the connection that brings it. */
  heard({ payload, retain }: MqttMessage, ended: AbortSignal): void {
    const instance = instanceIn(payload);
    if (instance === undefined) return;
    this.#isDeaf = false;
    if (instance === this.#instance || this.#former.has(instance)) return;
    const isFirst = this.#bornOn === undefined || this.#bornOn === ended;
    if (!isFirst || (this.#bornOn !== undefined && !retain)) this.#foreign = instance;
    // Live and before our birth: one that came at the very same moment, and will find us.
    else if (retain && this.#former.size < formerMax) this.#former.add(instance);
  }

  /** The broker has ended a connection because another client came with the same client id. */
  takenOver(): void {
    if (this.#bornOn !== undefined) this.#takeovers += 1;
  }

  /** The birth is about to be said. */
  born(on: AbortSignal): void {
    this.#bornOn ??= on;
  }

  /** The other one is gone. Should it come back, it is a foreign one again, or two would take turns for ever. */
  forget(): void {
    this.#foreign = undefined;
    this.#takeovers = 0;
  }
}

function instanceIn(payload: Buffer): string | undefined {
  try {
    const info: unknown = JSON.parse(payload.toString("utf8"));
    const instance = isObject(info) ? info["instance"] : undefined;
    return typeof instance === "string" ? instance.slice(0, instanceCharsMax) : undefined;
  } catch {
    return undefined;
  }
}

/** Before its birth a process hears one; more come only from brokers that answer twice. */
const formerMax = 8;

/** Foreign text, which goes into a log line and an event. */
const instanceCharsMax = 64;
