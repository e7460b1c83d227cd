import { join } from "node:path";
import type { Clock } from "../core/clock.ts";
import { asAgentError } from "../core/errors.ts";
import type { UploadHealth } from "../core/health.ts";
import { deliverLimits } from "../core/limits.ts";
import type { Logger, Seams } from "../core/ports.ts";
import type { StateFile } from "../state/state-file.ts";
import { Gate } from "./gate.ts";
import { openUploadBooks, type UploadBooks } from "./upload-books.ts";
import { UploadRate } from "./upload-rate.ts";

export interface UploadControlParts {
  readonly stateFolder: string;
  readonly targets: readonly { readonly id: string; readonly enabled: boolean; readonly localOnly?: boolean }[];
}

interface Said {
  /** By target: until when, monotonic; Infinity until somebody ends it. */
  readonly pauses: ReadonlyMap<string, number>;
  readonly limitBytesPerSecond?: number;
}

/**
 * What an operator says about uploading: pauses of targets, and a limit for all of them together. Kept over a restart; a
 * pause of a certain length counts running time. Before `start` nothing is paused, limited or kept.
 */
export class UploadControl {
  readonly #path: string;
  readonly #clock: Clock;
  readonly #log: Logger;
  readonly #rate: UploadRate;
  readonly #gates: ReadonlyMap<string, Gate>;
  #said: Said = { pauses: new Map() };
  #file: StateFile<UploadBooks> | undefined;
  #last: Promise<unknown> = Promise.resolve();
  #stopping = new AbortController();
  #keeping: Promise<void> | undefined;

  constructor({ stateFolder, targets }: UploadControlParts, { clock, random, log }: Seams) {
    this.#path = join(stateFolder, "upload.json");
    this.#clock = clock;
    this.#log = log;
    this.#rate = new UploadRate(clock, random);
    this.#gates = new Map(targets.map(({ id, ...gate }) => [id, new Gate(clock, { ...gate, rate: this.#rate })]));
  }

  /** Undefined for a target that is not configured. */
  gateOf(targetId: string): Gate | undefined {
    return this.#gates.get(targetId);
  }

  /** Fails with `STATE_…`. */
  async start(): Promise<void> {
    this.#stopping = new AbortController();
    this.#file = await openUploadBooks(this.#path);
    const { pauses, limitBytesPerSecond } = this.#file.read();
    const nowMs = this.#clock.monotonicMs();
    const known = Object.entries(pauses).filter(([id]) => this.#gates.has(id));
    this.#obey({
      pauses: new Map(known.map(([id, { leftMs = Infinity }]) => [id, nowMs + leftMs])),
      ...(limitBytesPerSecond === undefined ? {} : { limitBytesPerSecond }),
    });
    const paused = known.map(([id]) => id);
    if (paused.length > 0 || limitBytesPerSecond !== undefined) {
      this.#log.warn("upload.restrained", { paused, limitBytesPerSecond });
    }
    this.#keeping = this.#keepTime(this.#stopping.signal);
  }

  /** Notes what is left of the pauses. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.#keeping;
    await this.#last;
    this.#file = undefined;
  }

  /** For so long, or until somebody ends it. Resolves when it is kept; fails with `STATE_…`. */
  async pause(targetIds: readonly string[], durationMs = Infinity): Promise<void> {
    await this.#change(({ pauses, ...said }) => {
      const untilMs = this.#clock.monotonicMs() + durationMs;
      return { ...said, pauses: new Map([...pauses, ...targetIds.map((id) => [id, untilMs] as const)]) };
    });
    this.#log.info("upload.paused", { targets: targetIds, ...(durationMs === Infinity ? {} : { durationMs }) });
  }

  async resume(targetIds: readonly string[]): Promise<void> {
    await this.#change(({ pauses, ...said }) => ({
      ...said,
      pauses: new Map([...pauses].filter(([id]) => !targetIds.includes(id))),
    }));
    this.#log.info("upload.resumed", { targets: targetIds });
  }

  /** Of pictures, over all targets; undefined ends it. */
  async limit(bytesPerSecond: number | undefined): Promise<void> {
    await this.#change(({ pauses }) => ({
      pauses,
      ...(bytesPerSecond === undefined ? {} : { limitBytesPerSecond: bytesPerSecond }),
    }));
    this.#log.info("upload.limited", { bytesPerSecond: bytesPerSecond ?? "no limit" });
  }

  /** Also those that a flush or the config has its way with just now. */
  paused(): readonly string[] {
    const nowMs = this.#clock.monotonicMs();
    return [...this.#said.pauses].filter(([, untilMs]) => untilMs > nowMs).map(([id]) => id);
  }

  health(): UploadHealth {
    const { bytesPerSecond } = this.#rate;
    if (bytesPerSecond === undefined) return {};
    return { limitBytesPerSecond: bytesPerSecond, limitWaitMs: Math.round(this.#rate.debtMs()) };
  }

  /** One after the other; what could not be kept is not in force either. */
  async #change(change: (said: Said) => Said): Promise<void> {
    const changed = this.#last.then(async () => {
      const said = change(this.#said);
      await this.#keep(said);
      this.#obey(said);
    });
    this.#last = changed.catch(() => undefined);
    await changed;
  }

  #obey(said: Said): void {
    const before = this.#said;
    this.#said = said;
    this.#rate.set(said.limitBytesPerSecond);
    for (const [id, gate] of this.#gates) {
      if (before.pauses.get(id) !== said.pauses.get(id)) gate.pauseUntil(said.pauses.get(id));
      else gate.wake();
    }
  }

  async #keep({ pauses, limitBytesPerSecond }: Said): Promise<void> {
    const nowMs = this.#clock.monotonicMs();
    const left = [...pauses].filter(([, untilMs]) => untilMs > nowMs);
    const books: UploadBooks = {
      pauses: Object.fromEntries(
        left.map(([id, untilMs]) => [id, untilMs === Infinity ? {} : { leftMs: Math.ceil(untilMs - nowMs) }]),
      ),
      ...(limitBytesPerSecond === undefined ? {} : { limitBytesPerSecond }),
    };
    await this.#file?.update(() => books);
  }

  #unended(pauses: Said["pauses"]): Said["pauses"] {
    const nowMs = this.#clock.monotonicMs();
    const ended = [...pauses].filter(([, untilMs]) => untilMs <= nowMs).map(([id]) => id);
    if (ended.length === 0) return pauses;
    this.#log.info("upload.resumed", { targets: ended, because: "the time of the pause is over" });
    return new Map([...pauses].filter(([id]) => !ended.includes(id)));
  }

  /** A crash makes a pause longer by this interval at the most. */
  async #keepTime(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      // Once more at the end: what is left is what the next start counts from.
      await this.#clock.sleep(deliverLimits.pauseNotedEveryMs, signal).catch(() => undefined);
      await this.#noteTime();
    }
  }

  async #noteTime(): Promise<void> {
    if (![...this.#said.pauses.values()].some((untilMs) => untilMs < Infinity)) return;
    try {
      await this.#change(({ pauses, ...said }) => ({ ...said, pauses: this.#unended(pauses) }));
    } catch (error) {
      const { code, message } = asAgentError(error, "noting pauses");
      this.#log.warn("upload.unnoted", { code, message });
    }
  }
}
