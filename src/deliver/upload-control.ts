import { join } from "node:path";
import type { Clock } from "../core/clock.ts";
import { asAgentError } from "../core/errors.ts";
import type { UploadHealth } from "../core/health.ts";
import { captureLimits } from "../core/capture-limits.ts";
import { deliverLimits } from "../core/deliver-limits.ts";
import type { Logger, Meter, Seams } from "../core/ports.ts";
import type { WeeklyPlan } from "../core/weekly.ts";
import type { StateFile } from "../state/state-file.ts";
import { Gate, type Hold } from "./gate.ts";
import { openUploadBooks, type UploadBooks } from "./upload-books.ts";
import { UploadBudget, type UploadBudgetPlan } from "./upload-budget.ts";
import { UploadRate } from "./upload-rate.ts";
import { UploadWindow } from "./upload-window.ts";

/** What the config says of uploads. */
export interface UploadPlan extends UploadBudgetPlan {
  readonly schedule?: WeeklyPlan | undefined;
  readonly bytesPerSecond?: number | undefined;
}

export interface UploadTarget {
  readonly id: string;
  readonly enabled: boolean;
  /** In the place of the schedule for all. */
  readonly schedule?: WeeklyPlan | undefined;
  /** It writes to a disk: only its own schedule holds, and no budget. */
  readonly isLocal?: boolean;
  /** Nothing may go there for as long as the agent runs, whatever anybody says. */
  readonly localOnly?: boolean;
}

export interface UploadControlParts {
  readonly stateFolder: string;
  readonly targets: readonly UploadTarget[];
  readonly plan?: UploadPlan;
}

const minuteMs = 60_000;

interface Said {
  /** By target: until when, monotonic; Infinity until somebody ends it. */
  readonly pauses: ReadonlyMap<string, number>;
  readonly limitBytesPerSecond?: number;
}

/**
 * What holds uploads back. What an operator says: pauses of targets, and a limit for all of them together, which goes
 * before that of the config. Kept over a restart; a pause of a certain length counts running time. What the config says:
 * windows and budgets. Before `start` nothing is held back, counted or kept.
 */
export class UploadControl {
  readonly #path: string;
  readonly #clock: Clock;
  readonly #log: Logger;
  readonly #rate: UploadRate;
  readonly #plan: UploadPlan;
  readonly #targets: readonly UploadTarget[];
  readonly #gates: ReadonlyMap<string, Gate>;
  readonly #budget: UploadBudget;
  /** By target, as it was logged. */
  #held = new Map<string, Hold["kind"]>();
  #said: Said = { pauses: new Map() };
  /** Paused because nobody knows any more whether they were; until somebody says so. */
  #unknown: ReadonlySet<string> = new Set();
  #file: StateFile<UploadBooks> | undefined;
  #last: Promise<unknown> = Promise.resolve();
  #stopping = new AbortController();
  #keeping: Promise<void> | undefined;

  constructor({ stateFolder, targets, plan = {} }: UploadControlParts, { clock, random, log }: Seams) {
    this.#path = join(stateFolder, "upload.json");
    this.#clock = clock;
    this.#log = log;
    this.#rate = new UploadRate(clock, random);
    this.#plan = plan;
    this.#targets = targets;
    this.#gates = new Map(
      targets.map(({ id, enabled, localOnly = false }) => [
        id,
        new Gate(clock, { enabled, localOnly, rate: this.#rate }),
      ]),
    );
    const wakeAll = () => this.#gates.forEach((gate) => gate.wake());
    this.#budget = new UploadBudget(join(stateFolder, "upload-usage.json"), plan, { clock, log }, wakeAll);
  }

  /** To be told by the links of targets what they have sent. */
  readonly meter: Meter = (bytes) => {
    if (!this.#budget.isSet) return;
    this.#budget.count(bytes);
    this.#tellHeld();
  };

  /** Undefined for a target that is not configured. */
  gateOf(targetId: string): Gate | undefined {
    return this.#gates.get(targetId);
  }

  /** Fails with `STATE_…`. */
  async start(): Promise<void> {
    this.#stopping = new AbortController();
    const ids = [...this.#gates.keys()];
    this.#file = await openUploadBooks(this.#path, ids, ({ code, message }) => {
      this.#unknown = new Set(ids);
      this.#log.error("upload.pauses_lost", { code, message, targets: ids, mend: "upload.resume" });
    });
    await this.#budget.start();
    this.#restrain();
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
    const { signal } = this.#stopping;
    this.#keeping = Promise.all([this.#keepTime(signal), this.#watch(signal)]).then(() => undefined);
  }

  /** Notes what is left of the pauses, and what was sent. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.#keeping;
    await this.#last;
    await this.#budget.stop();
    this.#file = undefined;
  }

  /** For so long, or until somebody ends it. Resolves when it is kept; fails with `STATE_…`. */
  async pause(targetIds: readonly string[], durationMs = Infinity): Promise<void> {
    await this.#change(({ pauses, ...said }) => {
      const untilMs = this.#clock.monotonicMs() + durationMs;
      return { ...said, pauses: new Map([...pauses, ...targetIds.map((id) => [id, untilMs] as const)]) };
    });
    this.#known(targetIds);
    this.#log.info("upload.paused", { targets: targetIds, ...(durationMs === Infinity ? {} : { durationMs }) });
  }

  async resume(targetIds: readonly string[]): Promise<void> {
    await this.#change(({ pauses, ...said }) => ({
      ...said,
      pauses: new Map([...pauses].filter(([id]) => !targetIds.includes(id))),
    }));
    this.#known(targetIds);
    this.#log.info("upload.resumed", { targets: targetIds });
  }

  /** Targets that are paused because what was kept of pauses could not be read, until somebody pauses or resumes them. */
  unknown(): readonly string[] {
    return [...this.#unknown];
  }

  #known(targetIds: readonly string[]): void {
    this.#unknown = new Set(this.unknown().filter((id) => !targetIds.includes(id)));
  }

  /** Of pictures, over all targets, whatever the config says; undefined ends it, and that of the config holds again. */
  async limit(bytesPerSecond: number | undefined): Promise<void> {
    await this.#change(({ pauses }) => ({
      pauses,
      ...(bytesPerSecond === undefined ? {} : { limitBytesPerSecond: bytesPerSecond }),
    }));
    this.#log.info("upload.limited", { bytesPerSecond: bytesPerSecond ?? "no limit" });
  }

  /** Bytes of pictures a second that the config allows; undefined where it sets no limit. */
  get configuredLimit(): number | undefined {
    return this.#plan.bytesPerSecond;
  }

  /** Also those that a flush or the config has its way with just now. */
  paused(): readonly string[] {
    const nowMs = this.#clock.monotonicMs();
    return [...this.#said.pauses].filter(([, untilMs]) => untilMs > nowMs).map(([id]) => id);
  }

  health(): UploadHealth {
    const { bytesPerSecond } = this.#rate;
    const limitWaitMs = Math.round(this.#rate.debtMs());
    return {
      ...(bytesPerSecond === undefined ? {} : { limitBytesPerSecond: bytesPerSecond, limitWaitMs }),
      ...(this.#budget.isSet ? { budget: this.#budget.health() } : {}),
    };
  }

  #restrain(): void {
    const { schedule } = this.#plan;
    const shared = schedule === undefined ? undefined : new UploadWindow(schedule, this.#clock);
    for (const { id, isLocal = false, schedule: own } of this.#targets) {
      const window = own === undefined ? (isLocal ? undefined : shared) : new UploadWindow(own, this.#clock);
      const budget = this.#budget.isSet && !isLocal ? this.#budget : undefined;
      this.#gates.get(id)?.restrain({ window, budget });
    }
  }

  /** Windows begin and end at full minutes; the wall clock may be set at any moment. */
  async #watch(signal: AbortSignal): Promise<void> {
    const isWatched =
      this.#budget.isSet || [this.#plan, ...this.#targets].some(({ schedule }) => schedule !== undefined);
    while (isWatched && !signal.aborted) {
      this.#tellHeld();
      // Not awaited: a slow disk holds up nobody.
      this.#budget.noteTime();
      const toFullMinuteMs = minuteMs - (this.#clock.nowMs() % minuteMs);
      await this.#clock.sleep(Math.min(toFullMinuteMs, captureLimits.scheduleLookMs), signal).catch(() => undefined);
    }
  }

  /** Whoever waits is woken where something has changed: the clock may have been set. */
  #tellHeld(): void {
    for (const [id, gate] of this.#gates) {
      const hold = gate.hold();
      const kind = hold?.kind === "window" || hold?.kind === "budget" ? hold.kind : undefined;
      const before = this.#held.get(id);
      if (kind === before) continue;
      gate.wake();
      if (kind === undefined) {
        this.#held.delete(id);
        this.#log.info("upload.released", { target: id, because: before });
      } else {
        this.#held.set(id, kind);
        const opensInMs = hold?.leftMs === undefined ? {} : { opensInMs: Math.round(hold.leftMs) };
        this.#log[kind === "budget" ? "warn" : "info"]("upload.held", { target: id, because: kind, ...opensInMs });
      }
    }
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
    this.#rate.set(said.limitBytesPerSecond ?? this.#plan.bytesPerSecond);
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
