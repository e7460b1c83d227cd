import { Worker } from "node:worker_threads";
import type { Clock } from "../../core/clock.ts";
import { isAbort, messageOf } from "../../core/errors.ts";
import { spoolLimits } from "../../core/spool-limits.ts";
import type { Verdict } from "./messages.ts";

/** Checks the index once, some time after a start that followed a crash, in a thread of its own. */
export class BackgroundCheck {
  readonly #path: string;
  readonly #clock: Clock;
  readonly #stopping = new AbortController();
  #worker: Worker | undefined;
  #running: Promise<void> | undefined;

  constructor(path: string, clock: Clock) {
    this.#path = path;
    this.#clock = clock;
  }

  /** Returns at once. `onVerdict` is called once the check's connection is closed, and never after `stop`. */
  start(onVerdict: (verdict: Verdict, tookMs: number) => void): void {
    this.#running ??= this.#run(onVerdict);
  }

  /** Resolves when no connection of the check's is open: after the table at hand. Safe at any time, also twice. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    this.#worker?.postMessage("stop");
    await this.#running;
  }

  async #run(onVerdict: (verdict: Verdict, tookMs: number) => void): Promise<void> {
    const { signal } = this.#stopping;
    try {
      await this.#clock.sleep(spoolLimits.checkDelayMs, signal);
    } catch (error) {
      if (!isAbort(error)) onVerdict({ kind: "failed", code: "UNEXPECTED", message: messageOf(error) }, 0);
      return;
    }
    const startedMs = this.#clock.monotonicMs();
    const verdict = await this.#verdict();
    if (!signal.aborted) onVerdict(verdict, this.#clock.monotonicMs() - startedMs);
  }

  async #verdict(): Promise<Verdict> {
    // The compiled file: the compiler rewrites imports, not URLs.
    const file = new URL("./checker.js", import.meta.url);
    const worker = new Worker(file, { name: "spool-check", execArgv: [], workerData: this.#path });
    this.#worker = worker;
    let verdict: Verdict = {
      kind: "failed",
      code: "UNEXPECTED",
      message: "check the index: the thread gave no answer",
    };
    worker.on("message", (answer: Verdict) => (verdict = answer));
    worker.on("error", (error) => (verdict = { kind: "failed", code: "UNEXPECTED", message: messageOf(error) }));
    await new Promise<void>((resolve) => worker.once("exit", () => resolve()));
    this.#worker = undefined;
    return verdict;
  }
}
