import { Calendar, type Period } from "../core/calendar.ts";
import type { Clock } from "../core/clock.ts";
import { asAgentError } from "../core/errors.ts";
import type { UploadBudgetHealth } from "../core/health.ts";
import { deliverLimits } from "../core/deliver-limits.ts";
import type { Logger, Seams } from "../core/ports.ts";
import type { StateFile } from "../state/state-file.ts";
import { BudgetPeriod } from "./budget-period.ts";
import { openUsageBooks, type UsageBooks } from "./usage-books.ts";

export interface UploadBudgetPlan {
  readonly bytesPerDay?: number | undefined;
  readonly bytesPerMonth?: number | undefined;
  /** Of days and months; the machine's own when absent. */
  readonly timeZone?: string | undefined;
}

export interface BudgetHold {
  readonly period: Period;
  readonly forMs: number;
  readonly leftMs: number;
}

/**
 * How many bytes may go in a day and in a month, over all targets together: those of requests and messages as they are
 * handed to the line, with base64 and headers, failed tries too. Before `start` nothing is counted.
 *
 * The last call of a period may go beyond its budget, and no other one does: a call begins only when something is left
 * beside all that the calls under way may send.
 *
 * What is counted is written down every so many bytes and every so often, for a card's sake. A crash forgets what came
 * since, and the calls that it ended: the budget is never smaller for it.
 */
export class UploadBudget {
  readonly #path: string;
  readonly #clock: Clock;
  readonly #log: Logger;
  readonly #periods: readonly BudgetPeriod[];
  readonly #notedEveryBytes: number;
  #reservedBytes = 0;
  #unnotedBytes = 0;
  #notedAtMs = 0;
  #noting: Promise<void> = Promise.resolve();
  #file: StateFile<UsageBooks> | undefined;
  readonly #onRoom: () => void;

  /** `path`: of the state file. `onRoom` is told when a call may begin that could not before. */
  constructor(
    path: string,
    plan: UploadBudgetPlan,
    { clock, log }: Pick<Seams, "clock" | "log">,
    onRoom: () => void = () => undefined,
  ) {
    this.#path = path;
    this.#onRoom = onRoom;
    this.#clock = clock;
    this.#log = log;
    const calendar = new Calendar(plan.timeZone);
    const budgets = { day: plan.bytesPerDay, month: plan.bytesPerMonth };
    this.#periods = (["day", "month"] as const).flatMap((period) => {
      const bytesMax = budgets[period];
      return bytesMax === undefined ? [] : [new BudgetPeriod(period, bytesMax, calendar, clock)];
    });
    const smallest = Math.min(...this.#periods.map(({ bytesMax }) => bytesMax));
    this.#notedEveryBytes = Math.max(deliverLimits.usageNotedBytesMin, smallest * deliverLimits.usageNotedShare);
  }

  /** False where the config sets no budget. */
  get isSet(): boolean {
    return this.#periods.length > 0;
  }

  /** Fails with `STATE_…`. */
  async start(): Promise<void> {
    if (!this.isSet) return;
    this.#file = await openUsageBooks(this.#path, ({ code, message }) =>
      this.#log.error("upload.usage_lost", { code, message }),
    );
    const books = this.#file.read();
    for (const period of this.#periods) period.open(books[period.period]);
    this.#notedAtMs = this.#clock.monotonicMs();
  }

  async stop(): Promise<void> {
    if (this.#file === undefined) return;
    await this.#note();
    this.#file = undefined;
  }

  /** Bytes that were handed to the line. */
  count(bytes: number): void {
    if (this.#file === undefined) return;
    const wasSpent = this.hold() !== undefined;
    for (const period of this.#periods) period.count(bytes);
    this.#unnotedBytes += bytes;
    const isSpent = this.hold() !== undefined;
    if (this.#unnotedBytes >= this.#notedEveryBytes || (isSpent && !wasSpent)) void this.#note();
  }

  /** A call with so many bytes of pictures begins. What it really sends is counted when it is known. */
  begins(imageBytes: number): void {
    this.#reservedBytes += reservedFor(imageBytes);
  }

  ended(imageBytes: number): void {
    const couldCall = this.mayCall();
    this.#reservedBytes -= reservedFor(imageBytes);
    if (!couldCall && this.mayCall()) this.#onRoom();
  }

  /** Whether something is left beside what calls under way may send. */
  mayCall(): boolean {
    return this.#periods.every((period) => period.bytesLeft() > this.#reservedBytes);
  }

  /** Of several, the budget that renews last. */
  hold(): BudgetHold | undefined {
    const spent = this.#periods.flatMap((each) => {
      const forMs = each.spentForMs();
      return forMs === undefined ? [] : [{ period: each.period, forMs, leftMs: each.renewsInMs() }];
    });
    return spent.sort((a, b) => b.leftMs - a.leftMs)[0];
  }

  health(): UploadBudgetHealth {
    return Object.fromEntries(
      this.#periods.flatMap((each) => [
        [`${each.period}BytesMax`, each.bytesMax],
        [`${each.period}BytesLeft`, Math.max(0, each.bytesLeft())],
        [`${each.period}RenewsInMs`, Math.round(each.renewsInMs())],
      ]),
    );
  }

  /** To be called now and then. Running time is written down too, or a clock that starts anew would never get on. */
  noteTime(): void {
    const dueMs = this.#notedAtMs + deliverLimits.usageNotedEveryMs;
    if (this.#clock.monotonicMs() >= dueMs && this.#periods.some((each) => each.books().bytes > 0)) void this.#note();
  }

  /** One after the other. What cannot be written is counted all the same. */
  async #note(): Promise<void> {
    this.#unnotedBytes = 0;
    this.#notedAtMs = this.#clock.monotonicMs();
    const books = this.#periods.map((each) => [each.period, each.books()] as const);
    this.#noting = this.#noting.then(async () => {
      try {
        await this.#file?.update((before) => ({ ...before, ...Object.fromEntries(books) }));
      } catch (error) {
        const { code, message } = asAgentError(error, "noting what was uploaded");
        this.#log.warn("upload.unnoted", { code, message });
      }
    });
    await this.#noting;
  }
}

/** As base64, sent again once reduced, with what goes around it: more than any call sends. */
function reservedFor(imageBytes: number): number {
  return imageBytes * deliverLimits.reservedTimes + deliverLimits.reservedBytesMin;
}
