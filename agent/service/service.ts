import type { Clock } from "../../src/core/clock.ts";
import { serviceLimits } from "../../src/core/limits.ts";
import type { Logger } from "../../src/core/ports.ts";
import { type Pulse, Pulses } from "../../src/core/pulse.ts";
import type { CommandContext } from "../context.ts";
import { beatEventLoop } from "./event-loop.ts";
import { type Notifier, notifierOf } from "./notify.ts";
import { feedWatchdog, pulsePeriodMsOf, watchdogMsOf } from "./watchdog.ts";

/**
 * The daemon as a service manager sees it, through all its rounds: it is starting, ready once, reloading, stopping, and
 * alive as long as its loops turn.
 */
export class Service {
  readonly pulses: Pulses;
  readonly #notifier: Notifier;
  readonly #clock: Clock;
  readonly #signal: AbortSignal;
  readonly #isWatched: boolean;
  readonly #started = new AbortController();
  #reloading = false;
  #round: Pulse | undefined;

  constructor({ clock, environment, signal }: Pick<CommandContext, "clock" | "environment" | "signal">) {
    this.pulses = new Pulses(clock, pulsePeriodMsOf(environment));
    this.#notifier = notifierOf(environment, clock);
    this.#clock = clock;
    this.#signal = signal;
    this.#isWatched = watchdogMsOf(environment) !== undefined;
  }

  /** From the process's start to its end; `log`: the one at work. */
  run(log: () => Logger): void {
    const clock = this.#clock;
    void beatEventLoop(this.pulses, clock, this.#signal);
    void this.#extendStart();
    if (this.#isWatched) void feedWatchdog({ notifier: this.#notifier, pulses: this.pulses, log }, clock, this.#signal);
    this.#signal.addEventListener("abort", () => this.#notifier.send("STOPPING=1", "STATUS=stopping"), { once: true });
  }

  /** A round's parts are being started, which takes as long as an index of a spool may have to be built anew. */
  starting(): void {
    this.#round?.end();
    this.#round = this.pulses.begin("start");
    this.#round.beat(serviceLimits.extendForMs);
  }

  /** All parts have been started: the first time, and after each reload that was asked for. */
  ready(status: string): void {
    this.#round?.end();
    const isFirst = !this.#started.signal.aborted;
    this.#started.abort();
    if (this.#signal.aborted) return;
    const news = isFirst || this.#reloading ? ["READY=1"] : [];
    this.#reloading = false;
    this.#notifier.send(...news, `STATUS=${statusLine(status)}`);
  }

  /** On SIGHUP: `ready` ends it. */
  reloading(): void {
    this.#reloading = true;
    // Of CLOCK_MONOTONIC: the service manager compares it with its own.
    const microseconds = process.hrtime.bigint() / 1_000n;
    this.#notifier.send("RELOADING=1", `MONOTONIC_USEC=${microseconds}`, "STATUS=reading the config anew");
  }

  status(text: string): void {
    if (!this.#signal.aborted && !this.#reloading) this.#notifier.send(`STATUS=${statusLine(text)}`);
  }

  /** The last word has gone. */
  async ended(): Promise<void> {
    await this.#notifier.sent();
  }

  /** A start may take as long as a spool's index has to be built anew, but not for ever. */
  async #extendStart(): Promise<void> {
    const started = AbortSignal.any([this.#signal, this.#started.signal]);
    const { extendEveryMs, extendMs, extendForMs } = serviceLimits;
    for (let passedMs = 0; passedMs < extendForMs; passedMs += extendEveryMs) {
      await this.#clock.sleep(extendEveryMs, started).catch(() => undefined);
      if (started.aborted) return;
      this.#notifier.send(`EXTEND_TIMEOUT_USEC=${extendMs * 1_000}`, "STATUS=starting");
    }
  }
}

/** One line, whatever stands in a message. */
function statusLine(text: string): string {
  return text.replaceAll(/\s+/g, " ").slice(0, serviceLimits.statusCharsMax);
}
