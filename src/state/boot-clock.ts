import { asAgentError } from "../core/errors.ts";
import type { ClockHealth } from "../core/health.ts";
import { captureLimits } from "../core/capture-limits.ts";
import { clockLimits } from "../core/limits.ts";
import type { Seams } from "../core/ports.ts";
import type { ClockQuality, ClockStamp, StoredRecord } from "../core/types.ts";
import { bootId } from "./boot.ts";
import { anchorFor, type ClockAnchor, type ClockAnchors, openAnchors, withAnchor } from "./clock-anchors.ts";
import { type ClockSigns, SystemClockSigns } from "./clock-signs.ts";
import type { StateFile } from "./state-file.ts";

export interface BootClockParts {
  readonly bootId: string;
  readonly signs: ClockSigns;
  /** Absent where what was remembered cannot be read: then only this process knows it. */
  readonly file?: StateFile<ClockAnchors>;
}

type TimeSeams = Pick<Seams, "clock" | "log">;

/**
 * What the wall clock is worth, on a gateway that may boot in 1970 and learn the time hours later.
 *
 * Wall clock and monotonic clock run at one rate; their difference changes only when somebody sets the wall clock. Once a
 * time source vouches for it, the difference is kept for this boot, and by it the time of every record of this boot is
 * told that was taken before, while the clock was wrong or after it was set wrongly.
 */
export class BootClock {
  readonly bootId: string;
  readonly #parts: BootClockParts;
  readonly #seams: TimeSeams;
  readonly #stopping = new AbortController();
  #watching: Promise<void> | undefined;
  #anchors: readonly ClockAnchor[];
  #isUnwritten = false;
  #now: ClockStamp;
  /** Of the clocks, while it is vouched for; kept when the clock jumps, until another one is. */
  #confirmedMs: number | undefined;
  #asked: ClockQuality = "unknown";
  #jump: { readonly byMs: number; readonly at: ClockStamp } | undefined;
  #askAtMs = -Infinity;
  #askEveryMs: number = clockLimits.askFirstMs;

  constructor(parts: BootClockParts, seams: TimeSeams) {
    this.bootId = parts.bootId;
    this.#parts = parts;
    this.#seams = seams;
    this.#anchors = parts.file?.read().anchors ?? [];
    this.#now = this.#stamp();
    const known = anchorFor(this.#anchors, { bootId: parts.bootId, monotonicMs: this.#now.monotonicMs });
    if (known?.confirmed !== true) return;
    this.#confirmedMs = known.offsetMs;
    // As it should be: the first look then sees how far it was set while nobody looked.
    this.#now = { ...this.#now, capturedAtMs: this.#now.monotonicMs + known.offsetMs };
  }

  /** What earlier processes have learned, and a first look. An unreadable file costs corrections, not the start. */
  static async open(
    stateFolder: string,
    seams: TimeSeams,
    signs: ClockSigns = new SystemClockSigns(),
  ): Promise<BootClock> {
    const parts = { bootId: await bootId(), signs };
    try {
      return new BootClock({ ...parts, file: await openAnchors(stateFolder) }, seams).look();
    } catch (error) {
      const { code, message } = asAgentError(error, "opening the clock's state");
      seams.log.warn("clock.state_unusable", { code, message });
      return new BootClock(parts, seams).look();
    }
  }

  /** Watches the clock until `stop`. */
  start(): void {
    this.#watching ??= this.#watch(this.#stopping.signal);
  }

  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.#watching;
  }

  /** Of the clock as it stands, or of the clock that made a stamp of this boot. */
  quality(stamp: ClockStamp = this.#stamp()): ClockQuality {
    if (this.#confirmedMs !== undefined)
      return isNear(offsetOf(stamp), this.#confirmedMs) ? "synchronised" : "unsynchronised";
    return isPlausible(stamp) ? this.#asked : "unsynchronised";
  }

  /** The record with its true time, where that is known by now and was not when it was taken. Order stays that of sequences. */
  corrected(record: StoredRecord): StoredRecord {
    if (record.clockQuality === "synchronised" || record.monotonicFrom !== "boot") return record;
    const anchor = anchorFor(this.#anchors, record);
    if (anchor === undefined || (!anchor.confirmed && isPlausible(record))) return record;
    return { ...record, capturedAtMs: Math.round(record.monotonicMs + anchor.offsetMs), clockQuality: "corrected" };
  }

  health(): ClockHealth {
    const now = this.#stamp();
    const jump = this.#jump;
    return {
      quality: this.quality(now),
      plausible: isPlausible(now),
      ...(jump === undefined
        ? {}
        : { lastJump: { byMs: Math.round(jump.byMs), agoMs: Math.round(now.monotonicMs - jump.at.monotonicMs) } }),
    };
  }

  /** One look without asking any program, and without writing. */
  look(): this {
    const before = this.#now;
    this.#now = this.#stamp();
    const byMs = offsetOf(this.#now) - offsetOf(before);
    if (Math.abs(byMs) >= clockLimits.jumpMsMin) this.#jumped(byMs, before);
    if (this.#isMarked()) this.#confirm("systemd-timesyncd");
    return this;
  }

  async #watch(signal: AbortSignal): Promise<void> {
    const { clock } = this.#seams;
    while (!signal.aborted) {
      this.look();
      await this.#askPrograms(signal);
      await this.#write();
      await clock.sleep(clockLimits.lookMs, signal).catch(() => undefined);
    }
  }

  #jumped(byMs: number, before: ClockStamp): void {
    this.#jump = { byMs, at: this.#now };
    [this.#askAtMs, this.#askEveryMs, this.#asked] = [-Infinity, clockLimits.askFirstMs, "unknown"];
    const [from, to] = [textOf(before.capturedAtMs), textOf(this.#now.capturedAtMs)];
    this.#seams.log.warn("clock.jumped", { byMs: Math.round(byMs), from, to });
    if (!isPlausible(before) && isPlausible(this.#now)) this.#remember(false);
  }

  /** A mark that is older than the last jump says nothing of the clock after it; one from the future neither. */
  #isMarked(): boolean {
    const markedAtMs = this.#parts.signs.markedAtMs();
    if (markedAtMs === undefined || markedAtMs > this.#now.capturedAtMs + clockLimits.jumpMsMin) return false;
    const jumpAtMs = this.#jump?.at.capturedAtMs ?? -Infinity;
    // The jump was noticed up to a look after it happened.
    return markedAtMs >= jumpAtMs - 2 * clockLimits.lookMs;
  }

  async #askPrograms(signal: AbortSignal): Promise<void> {
    const { monotonicMs } = this.#now;
    if (this.quality(this.#now) === "synchronised" || monotonicMs < this.#askAtMs) return;
    this.#askAtMs = monotonicMs + this.#askEveryMs;
    this.#askEveryMs = Math.min(2 * this.#askEveryMs, clockLimits.askMaxMs);
    const said = await this.#parts.signs.ask(signal);
    const jump = this.#jump;
    this.look();
    // Set while they were asked: nobody knows which of the two clocks the answer is about.
    if (this.#jump !== jump) return;
    if (said === "synchronised") this.#confirm("timedatectl or chronyc");
    else this.#asked = said;
  }

  #confirm(by: string): void {
    const offsetMs = offsetOf(this.#now);
    if (this.#confirmedMs !== undefined && isNear(offsetMs, this.#confirmedMs)) return;
    this.#confirmedMs = offsetMs;
    this.#seams.log.info("clock.synchronised", { by, now: textOf(this.#now.capturedAtMs) });
    const known = anchorFor(this.#anchors, { bootId: this.bootId, monotonicMs: this.#now.monotonicMs });
    if (known?.confirmed !== true || !isNear(known.offsetMs, offsetMs)) this.#remember(true);
  }

  #remember(confirmed: boolean): void {
    const anchor = {
      bootId: this.bootId,
      monotonicMs: this.#now.monotonicMs,
      offsetMs: offsetOf(this.#now),
      confirmed,
    };
    this.#anchors = withAnchor(this.#anchors, anchor);
    this.#isUnwritten = true;
  }

  /** A full disk is tried again at the next look. */
  async #write(): Promise<void> {
    const { file } = this.#parts;
    if (!this.#isUnwritten || file === undefined) return;
    try {
      await file.update(() => ({ anchors: this.#anchors }));
      this.#isUnwritten = false;
    } catch (error) {
      const { code, message } = asAgentError(error, "writing the clock's state");
      this.#seams.log.warn("clock.state_unwritten", { code, message });
    }
  }

  #stamp(): ClockStamp {
    const { clock } = this.#seams;
    return { capturedAtMs: clock.nowMs(), monotonicMs: clock.monotonicMs() };
  }
}

function offsetOf({ capturedAtMs, monotonicMs }: ClockStamp): number {
  return capturedAtMs - monotonicMs;
}

function isNear(a: number, b: number): boolean {
  return Math.abs(a - b) < clockLimits.jumpMsMin;
}

function isPlausible({ capturedAtMs }: Pick<ClockStamp, "capturedAtMs">): boolean {
  return capturedAtMs >= captureLimits.clockPlausibleFromMs;
}

function textOf(ms: number): string {
  return new Date(ms).toISOString();
}
