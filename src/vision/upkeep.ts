import { AgentError } from "../core/errors.ts";
import { visionLimits } from "../core/vision-limits.ts";
import type { ReadGroupMemory } from "./memory-group.ts";

/** When a vision process is replaced although it works, and when a model is left alone although it could be tried. */

/**
 * A process over its limit is replaced, but one that comes to it again at once does not leak, it is just that large: it
 * then serves twice as long before each further replacement, up to a minute.
 */
export class MemoryWatch {
  readonly #bytesMax: number;
  readonly #firstMs: number;
  #bornMs = 0;
  #livesMs = 0;
  /** How old the process was when it first had too much; undefined before. */
  #overAfterMs: number | undefined;
  readonly #group: ReadGroupMemory;
  #groupAskedAtMs = -Infinity;
  #groupReliefAtMs = -Infinity;
  /** What the process had after its first picture. */
  #firstBytes: number | undefined;

  constructor(bytesMax: number, firstMs: number, group: ReadGroupMemory = () => undefined) {
    this.#bytesMax = bytesMax;
    this.#firstMs = firstMs;
    this.#group = group;
  }

  born(nowMs: number): void {
    this.#bornMs = nowMs;
    this.#overAfterMs = undefined;
    this.#firstBytes = undefined;
  }

  /** Why the process has to go now, with what it has at the moment; undefined when it may stay. */
  verdict(rssBytes: number, nowMs: number): AgentError | undefined {
    return this.#ownVerdict(rssBytes, nowMs) ?? this.#groupVerdict(rssBytes, nowMs);
  }

  /**
   * Near the bound of the whole service the kernel is about to end a process in the middle of its work, this one first.
   * It goes before, where that gives something back.
   */
  #groupVerdict(rssBytes: number, nowMs: number): AgentError | undefined {
    this.#firstBytes ??= rssBytes;
    if (rssBytes - this.#firstBytes < visionLimits.groupGrowthBytesMin) return undefined;
    if (nowMs < this.#groupAskedAtMs + visionLimits.groupAskEveryMs) return undefined;
    if (nowMs < this.#groupReliefAtMs + visionLimits.groupReliefEveryMs) return undefined;
    this.#groupAskedAtMs = nowMs;
    const group = this.#group();
    if (group === undefined || group.usedBytes < group.boundBytes * visionLimits.groupShareMax) return undefined;
    this.#groupReliefAtMs = nowMs;
    const grown = `it had grown from ${megabytes(this.#firstBytes)} MB to ${megabytes(rssBytes)}`;
    const near = `the service has ${megabytes(group.usedBytes)} MB and may have ${megabytes(group.boundBytes)}`;
    return memoryError(`${grown}, and ${near}`);
  }

  #ownVerdict(rssBytes: number, nowMs: number): AgentError | undefined {
    const livedMs = nowMs - this.#bornMs;
    if (rssBytes <= this.#bytesMax) return undefined;
    this.#overAfterMs ??= livedMs;
    if (livedMs < this.#livesMs) return undefined;
    // Not how old it is now: what was borne with for long need not have been long in coming.
    this.#livesMs =
      this.#overAfterMs >= visionLimits.healthyAfterMs
        ? this.#firstMs
        : Math.min(Math.max(2 * this.#livesMs, this.#firstMs), visionLimits.backoffMaxMs);
    return memoryError(`it had ${megabytes(rssBytes)} MB and may have ${megabytes(this.#bytesMax)}`);
  }
}

function memoryError(why: string): AgentError {
  return new AgentError("VISION_MEMORY", `the vision process was replaced: ${why}`, { disposition: "retry" });
}

function megabytes(bytes: number): number {
  return Math.round(bytes / 1_000_000);
}

/** A model on which process after process dies must not keep pictures from being re-encoded and drawn in between. */
export class ModelTries {
  readonly #firstMs: number;
  #deaths = 0;
  #nextMs = 0;
  #last: AgentError | undefined;

  constructor(firstMs: number) {
    this.#firstMs = firstMs;
  }

  died(error: AgentError, nowMs: number): void {
    this.#deaths += 1;
    this.#last = error;
    const doublings = Math.min(this.#deaths - visionLimits.loadDeathsMax, 30);
    if (doublings >= 0) this.#nextMs = nowMs + Math.min(this.#firstMs * 2 ** doublings, visionLimits.modelRetryMaxMs);
  }

  survived(): void {
    this.#deaths = 0;
    this.#last = undefined;
  }

  /** What `detect` is told until the model may be tried again; undefined when it may. */
  refusal(nowMs: number): AgentError | undefined {
    const last = this.#last;
    if (last === undefined || this.#deaths < visionLimits.loadDeathsMax || nowMs >= this.#nextMs) return undefined;
    const message = `the model is left alone for now: ${this.#deaths} vision processes in a row died while loading it`;
    return new AgentError("MODEL_CRASHES", `${message}; the last: ${last.message}`, {
      disposition: "retry",
      cause: last,
    });
  }

  waitMs(nowMs: number): number {
    return Math.max(0, this.#nextMs - nowMs);
  }
}
