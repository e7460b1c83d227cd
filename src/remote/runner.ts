import { setMaxListeners } from "node:events";
import type { Clock } from "../core/clock.ts";
import { AgentError, asAgentError } from "../core/errors.ts";
import { remoteLimits } from "../core/remote-limits.ts";
import type { Logger, Random, Seams } from "../core/ports.ts";
import type { Command, CommandCall } from "./command.ts";
import { answerOfError, type Answer } from "./reply.ts";

/** One command to be run. */
export interface Work {
  readonly command: Command;
  /** As the command's schema has parsed them. */
  readonly args: unknown;
  readonly call: Pick<CommandCall, "dry" | "request" | "may" | "progress">;
  /** A random part of this is waited for first. */
  readonly spreadMs: number;
  /** On the monotonic clock: it is not begun later. */
  readonly expiresMs: number;
}

export interface Outcome {
  readonly answer: Answer;
  /** It was stopped, or not begun because of a stop. */
  readonly wasStopped: boolean;
  /** To be called once the final reply has gone. */
  readonly afterReply: () => void;
}

/** Runs commands: each with its deadline, slow ones one after another, none that is late, and none after a stop. */
export class Runner {
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #log: Logger;
  #stopping = stoppable();
  #slow: Promise<void> = Promise.resolve();
  #slowWaiting = 0;
  #spreading = 0;
  #quick = 0;

  constructor({ clock, random, log }: Seams) {
    this.#clock = clock;
    this.#random = random;
    this.#log = log;
  }

  start(): void {
    this.#stopping = stoppable();
  }

  /** Interrupts everything that is under way; it ends soon. */
  stop(): void {
    this.#stopping.abort();
  }

  get isStopping(): boolean {
    return this.#stopping.signal.aborted;
  }

  /** Commands that are run, or wait for their turn. */
  get underWay(): number {
    return this.#quick + this.#slowWaiting + this.#spreading;
  }

  hasRoomFor({ command, spreadMs }: Pick<Work, "command" | "spreadMs">): boolean {
    if (spreadMs > 0) return this.#spreading < remoteLimits.spreadingMax;
    if (command.spec.slow === true) return this.#slowWaiting < remoteLimits.slowWaitingMax;
    return this.#quick < remoteLimits.runningMax;
  }

  /** Begins before it returns. Never rejects. */
  async run(work: Work): Promise<Outcome> {
    if (work.spreadMs > 0) await this.#spread(work.spreadMs);
    return work.command.spec.slow === true ? await this.#inTurn(work) : await this.#quickly(work);
  }

  async #spread(spreadMs: number): Promise<void> {
    this.#spreading += 1;
    await this.#clock.sleep(spreadMs * this.#random(), this.#stopping.signal).catch(() => undefined);
    this.#spreading -= 1;
  }

  /** One slow command after the other. */
  async #inTurn(work: Work): Promise<Outcome> {
    this.#slowWaiting += 1;
    const before = this.#slow;
    let end = () => {};
    this.#slow = new Promise((resolve) => (end = resolve));
    try {
      await before;
      return await this.#begin(work, remoteLimits.slowTimeoutMs);
    } finally {
      this.#slowWaiting -= 1;
      end();
    }
  }

  async #quickly(work: Work): Promise<Outcome> {
    this.#quick += 1;
    try {
      return await this.#begin(work, remoteLimits.commandTimeoutMs);
    } finally {
      this.#quick -= 1;
    }
  }

  async #begin(work: Work, timeoutMs: number): Promise<Outcome> {
    if (this.isStopping) return { answer: notBegun, wasStopped: true, afterReply: () => {} };
    if (this.#clock.monotonicMs() > work.expiresMs) return { answer: expired, wasStopped: false, afterReply: () => {} };
    const ended = new AbortController();
    // Aborted by hand with what is long-lived: AbortSignal.any leaves a reference there at each use on Node 20.
    const deadline = new AbortController();
    const end = () => deadline.abort();
    const stopping = this.#stopping.signal;
    stopping.addEventListener("abort", end, { once: true });
    const late = this.#clock.sleep(timeoutMs, ended.signal).then(end, () => undefined);
    try {
      return await this.#call(work, timeoutMs, { deadline: deadline.signal, ended: ended.signal });
    } finally {
      stopping.removeEventListener("abort", end);
      ended.abort();
      await late;
    }
  }

  async #call(
    { command, args, call }: Work,
    timeoutMs: number,
    { deadline, ended }: { readonly deadline: AbortSignal; readonly ended: AbortSignal },
  ): Promise<Outcome> {
    const { name } = command.spec;
    const callbacks: (() => void)[] = [];
    const outcome = (answer: Answer, wasStopped = false): Outcome => ({
      ...{ answer, wasStopped },
      afterReply: () => callbacks.forEach((then) => then()),
    });
    const whole: CommandCall = {
      ...{ ...call, signal: deadline },
      // One that was given up may still be busy: after the final reply it says nothing.
      progress: (data) => (ended.aborted ? undefined : call.progress(data)),
      afterReply: (then) => callbacks.push(then),
    };
    try {
      const data = await unlessStopped(command.run(args, whole), deadline);
      return outcome({ state: "done", code: "ok", ...(data === undefined ? {} : { data }) });
    } catch (error) {
      if (this.isStopping) return outcome(interrupted, true);
      if (deadline.aborted) return outcome(answerOfError(timedOut(name, timeoutMs)));
      const failure = asAgentError(error, `running ${name}`);
      if (failure.code === "UNEXPECTED") {
        this.#log.error("remote.command_failed", { command: name, error: failure.message });
      }
      return outcome(answerOfError(failure));
    }
  }
}

/** Every command under way listens to it, more than Node takes for a mistake. */
function stoppable(): AbortController {
  const controller = new AbortController();
  const { runningMax, slowWaitingMax, spreadingMax } = remoteLimits;
  setMaxListeners(2 * (runningMax + slowWaitingMax + spreadingMax), controller.signal);
  return controller;
}

export const interrupted: Answer = {
  state: "failed",
  code: "interrupted",
  message: "the agent was stopped in the middle",
};
export const notBegun: Answer = {
  state: "failed",
  code: "interrupted",
  message: "the agent was stopped before its turn; nothing was done",
};
const expired: Answer = { state: "expired", code: "expired", message: "its time to live was over; nothing was done" };

function timedOut(name: string, timeoutMs: number): AgentError {
  return new AgentError("COMMAND_TIMEOUT", `${name}: not done within ${timeoutMs} ms`, { disposition: "retry" });
}

export async function unlessStopped<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  work.catch(() => undefined);
  let stop = () => {};
  const stopped = new Promise<never>((_, reject) => {
    stop = () => reject(new AgentError("ABORTED", "stopped", { disposition: "retry" }));
    if (signal.aborted) stop();
    signal.addEventListener("abort", stop, { once: true });
  });
  try {
    return await Promise.race([work, stopped]);
  } finally {
    signal.removeEventListener("abort", stop);
  }
}
