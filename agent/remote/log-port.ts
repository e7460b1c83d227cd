import type { Clock } from "../../src/core/clock.ts";
import type { LogControl, LogLevel } from "../../src/log/logger.ts";
import type { LogPort } from "../../src/remote/commands/log.ts";

/** The log of a running agent: turned up for a while, and back by itself. */
export class LogLevelHold implements LogPort {
  readonly #control: LogControl;
  readonly #clock: Clock;
  readonly #configured: LogLevel;
  #holding = new AbortController();

  constructor(control: LogControl, clock: Clock) {
    this.#control = control;
    this.#clock = clock;
    this.#configured = control.level();
  }

  setLevel(level: LogLevel, { durationMs, dry }: { readonly durationMs?: number; readonly dry: boolean }): string {
    const before = this.#control.level();
    if (dry) return before;
    this.stop();
    this.#holding = new AbortController();
    this.#control.setLevel(level);
    if (durationMs !== undefined) void this.#goBack(durationMs, this.#holding.signal);
    return before;
  }

  /** Forgets to go back: another level was set, or the agent ends. */
  stop(): void {
    this.#holding.abort();
  }

  async #goBack(afterMs: number, signal: AbortSignal): Promise<void> {
    try {
      await this.#clock.sleep(afterMs, signal);
      this.#control.setLevel(this.#configured);
    } catch {
      // Another one holds now.
    }
  }
}
