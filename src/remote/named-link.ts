import type { Clock } from "../core/clock.ts";
import { AgentError } from "../core/errors.ts";
import type { Logger, Random, Seams } from "../core/ports.ts";
import { MqttLink, type MqttLinkOptions } from "../link/mqtt-link.ts";
import type { CloneWatch } from "./clone-watch.ts";

export interface NamedLinkParts {
  readonly options: MqttLinkOptions;
  readonly watch: CloneWatch;
  readonly holdMs: number;
  readonly lookMs: number;
  /** On each connection on which the name is ours. Says the birth. Must not fail. */
  readonly onPresent: (ended: AbortSignal) => Promise<void>;
  /** While there still is a connection, or after it. Must not fail. */
  readonly onClone: (clone: FoundClone) => Promise<void>;
}

export interface FoundClone {
  /** Of the other device; `unknown` where its `info` cannot be read. */
  readonly instance: string;
  /** On the clock that never goes back. */
  readonly sinceMs: number;
  /** How often it was met. */
  readonly times: number;
  readonly holdMs: number;
}

interface Verdict {
  readonly isOurs: Promise<boolean>;
  readonly settle: (isOurs: boolean) => void;
}

/**
 * A link on which this device is somebody: at each connect it is found out first whether another one lives under its
 * name. Then this one leaves, stays away for a while, and looks again; it only comes back when the other, whose
 * connection its own has ended, does not.
 */
export class NamedLink {
  readonly link: MqttLink;
  readonly #parts: NamedLinkParts;
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #log: Logger;
  readonly #verdicts = new WeakMap<AbortSignal, Verdict>();
  readonly #waiters = new Set<() => void>();
  #present: AbortSignal | undefined;
  #meeting: Promise<void> = Promise.resolve();
  #clone: FoundClone | undefined;
  #isRunning = false;
  #isHeld = false;
  #leave: (clone: FoundClone) => void = () => {};

  constructor(parts: NamedLinkParts, seams: Seams) {
    this.#parts = parts;
    this.#clock = seams.clock;
    this.#random = seams.random;
    this.#log = seams.log;
    const onConnected = (ended: AbortSignal): void => {
      parts.options.onConnected?.(ended);
      this.#meeting = this.#meet(ended);
    };
    this.link = new MqttLink({ ...parts.options, onConnected }, seams);
  }

  /** Ends with the connection on which this device is itself; undefined while there is none. */
  get present(): AbortSignal | undefined {
    return this.#present;
  }

  get clone(): FoundClone | undefined {
    return this.#clone;
  }

  /** It stays away because of a clone. */
  get isHeld(): boolean {
    return this.#isHeld;
  }

  /** Resolves when there is a connection on which this device is itself. Fails with `ABORTED` or `MQTT_OFFLINE`. */
  async connected(signal: AbortSignal): Promise<void> {
    while (this.#present === undefined) {
      if (!this.#isRunning) throw failed("MQTT_OFFLINE", "not started");
      if (signal.aborted) throw failed("ABORTED", "stopped");
      await this.#change(signal);
    }
  }

  /** Resolves when this device is itself on that very connection; fails when it never was. */
  async admitted(ended: AbortSignal): Promise<void> {
    if (!(await this.#verdict(ended).isOurs)) throw failed("MQTT_OFFLINE", "not present");
  }

  /** What was heard may be about another device. */
  look(): void {
    const { foreign } = this.#parts.watch;
    if (foreign !== undefined && this.#present !== undefined) this.#found(foreign);
  }

  /** Until `signal` aborts; then the link is closed. */
  async run(signal: AbortSignal): Promise<void> {
    this.#isRunning = true;
    const stopped = new Promise<undefined>((resolve) => {
      signal.addEventListener("abort", () => resolve(undefined), { once: true });
    });
    while (!signal.aborted) {
      const found = new Promise<FoundClone>((resolve) => (this.#leave = resolve));
      this.link.start();
      const clone = await Promise.race([found, stopped]);
      if (clone !== undefined) await this.#stayAway(clone, signal);
    }
    await this.link.close();
    await this.#meeting;
    this.#isRunning = false;
    this.#wake();
  }

  async #stayAway(clone: FoundClone, signal: AbortSignal): Promise<void> {
    this.#isHeld = true;
    await this.#parts.onClone(clone);
    await this.link.close();
    await this.#clock.sleep(clone.holdMs, signal).catch(() => undefined);
    this.#isHeld = false;
  }

  /** Never rejects. */
  async #meet(ended: AbortSignal): Promise<void> {
    const { watch, onPresent } = this.#parts;
    const isOurs = await this.#isOurs(ended).catch(() => false);
    this.#verdict(ended).settle(isOurs && !ended.aborted);
    if (!isOurs || ended.aborted) return;
    this.#present = ended;
    ended.addEventListener("abort", () => this.#gone(ended), { once: true });
    watch.born(ended);
    this.#wake();
    await onPresent(ended);
  }

  async #isOurs(ended: AbortSignal): Promise<boolean> {
    const { watch, lookMs } = this.#parts;
    if (this.link.lastFailure()?.code === "MQTT_TAKEN_OVER") watch.takenOver();
    // What the broker has kept comes before its answer to a ping.
    await this.link.check(ended);
    const { foreign } = watch;
    if (foreign === undefined) return true;
    const isGone = this.#clone !== undefined && (await this.#staysQuiet(lookMs, ended));
    if (!isGone) {
      this.#found(foreign);
      return false;
    }
    this.#log.info("remote.clone_gone", { instance: foreign });
    this.#clone = undefined;
    watch.forget();
    return true;
  }

  /** Our connection has ended the other's. It comes back, which ends ours, or it is not there any more. */
  async #staysQuiet(lookMs: number, ended: AbortSignal): Promise<boolean> {
    return this.#clock.sleep(lookMs, ended).then(
      () => true,
      () => false,
    );
  }

  #found(instance: string): void {
    const { sinceMs = this.#clock.monotonicMs(), times = 0 } = this.#clone ?? {};
    // Two that have found each other must not come back at the same moment.
    const holdMs = Math.round(this.#parts.holdMs * (0.75 + 0.5 * this.#random()));
    this.#clone = { instance, sinceMs, times: times + 1, holdMs };
    this.#present = undefined;
    this.#leave(this.#clone);
  }

  #gone(ended: AbortSignal): void {
    if (this.#present === ended) this.#present = undefined;
  }

  #verdict(ended: AbortSignal): Verdict {
    const known = this.#verdicts.get(ended);
    if (known !== undefined) return known;
    let settle: Verdict["settle"] = () => {};
    const isOurs = new Promise<boolean>((resolve) => (settle = resolve));
    const verdict = { isOurs, settle };
    this.#verdicts.set(ended, verdict);
    if (ended.aborted) settle(false);
    ended.addEventListener("abort", () => settle(false), { once: true });
    return verdict;
  }

  #wake(): void {
    const waiters = [...this.#waiters];
    this.#waiters.clear();
    for (const wake of waiters) wake();
  }

  async #change(signal: AbortSignal): Promise<void> {
    let wake = () => {};
    await new Promise<void>((resolve) => {
      wake = resolve;
      this.#waiters.add(wake);
      signal.addEventListener("abort", wake, { once: true });
    });
    this.#waiters.delete(wake);
    signal.removeEventListener("abort", wake);
  }
}

function failed(code: "ABORTED" | "MQTT_OFFLINE", why: string): AgentError {
  return new AgentError(code, `wait for the broker: ${why}`, { disposition: "retry" });
}
