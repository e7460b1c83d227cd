import { AgentError, asAgentError } from "../core/errors.ts";
import { visionLimits } from "../core/vision-limits.ts";
import type { ChildReply, VisionChild } from "./child.ts";
import { errorFrom, type Reply, type Task } from "./protocol.ts";

/**
 * What waits for the vision process. It waits here, not in the process, so that a deadline counts from the moment a call
 * is worked on, and a crash takes exactly one call's work with it.
 */

interface Call {
  readonly task: Task;
  readonly body: Buffer | undefined;
  readonly signal: AbortSignal;
  /** Stops listening to the signal. */
  readonly over: () => void;
  readonly resolve: (answer: ChildReply) => void;
  readonly reject: (error: Error) => void;
}

export class Calls {
  readonly #timeoutMs: number;
  readonly #onReply: (reply: Reply, child: VisionChild) => void;
  readonly #waiting: Call[] = [];
  #child: VisionChild | undefined;
  #isWorking = false;
  #whenFree: (() => void) | undefined;

  /** `onReply` hears of every answer, before the next call is handed out. */
  constructor(timeoutMs: number, onReply: (reply: Reply, child: VisionChild) => void) {
    this.#timeoutMs = timeoutMs;
    this.#onReply = onReply;
  }

  /** Fails as the task does, with `VISION_UNAVAILABLE` where too many wait, and with the reason of `failAll`. */
  async make(task: Task, body: Buffer | undefined, signal: AbortSignal): Promise<ChildReply> {
    const waiting = this.#waiting.length;
    if (waiting >= visionLimits.callsWaitingMax) throw unavailable(`${waiting} calls wait already`);
    const answer = await new Promise<ChildReply>((resolve, reject) => {
      // The caller stops waiting; the process finishes what it has begun.
      const onAbort = () => reject(signal.reason as Error);
      signal.addEventListener("abort", onAbort, { once: true });
      const over = () => signal.removeEventListener("abort", onAbort);
      this.#waiting.push({ task, body, signal, over, resolve, reject });
      this.#work();
    });
    if (answer.reply.error !== undefined) throw errorFrom(answer.reply.error);
    return answer;
  }

  /** From now on this process is handed one call after another. */
  serve(child: VisionChild): void {
    this.#child = child;
    this.#work();
  }

  /** Calls wait from now on; `whenFree` is called as soon as none is being worked on. */
  hold(whenFree: () => void = () => undefined): void {
    this.#child = undefined;
    if (this.#isWorking) this.#whenFree = whenFree;
    else whenFree();
  }

  /** Those that wait; not one that is being worked on. */
  failAll(error: AgentError): void {
    for (const call of this.#waiting.splice(0)) {
      call.over();
      call.reject(error);
    }
  }

  #work(): void {
    const child = this.#child;
    if (this.#isWorking || child === undefined) return;
    const call = this.#waiting.shift();
    if (call === undefined) return;
    // Nobody waits for it any more.
    if (call.signal.aborted) {
      this.#work();
      return;
    }
    this.#isWorking = true;
    const done = () => {
      call.over();
      this.#isWorking = false;
      this.#whenFree?.();
      this.#whenFree = undefined;
      this.#work();
    };
    child.ask(call.task, call.body, this.#timeoutMs).then(
      (answer) => {
        call.resolve(answer);
        this.#onReply(answer.reply, child);
        done();
      },
      (error: unknown) => {
        call.reject(asAgentError(error, call.task.kind));
        done();
      },
    );
  }
}

/** What a call is told that no process can take. */
export function unavailable(why: string): AgentError {
  return new AgentError("VISION_UNAVAILABLE", `the vision process cannot take the call: ${why}`, {
    disposition: "retry",
  });
}
