import { once } from "node:events";
import type { Worker } from "node:worker_threads";
import { end } from "../../src/spool/index/messages.ts";

/** The threads of this process's spools, so that a test can end one as a crash does: unseen by its spool, without a close. */
export class IndexThreads implements AsyncDisposable {
  readonly #threads: Worker[] = [];
  readonly #add = (worker: Worker): void => {
    this.#threads.push(worker);
  };

  constructor() {
    process.on("worker", this.#add);
  }

  /** The one that started last. Its spool gets no answer any more: abandon it. */
  async crash(): Promise<void> {
    const thread = this.#threads.pop();
    if (thread === undefined) throw new Error("no thread has started");
    await ended(thread);
  }

  /** Also the thread of a spool that a failed test has left behind: it would keep the process alive. */
  async [Symbol.asyncDispose](): Promise<void> {
    process.off("worker", this.#add);
    await Promise.all(this.#threads.map(ended));
  }
}

/** Between two of its requests: the driver takes the process down when a thread is terminated within one of its calls. */
async function ended(thread: Worker): Promise<void> {
  thread.removeAllListeners();
  const exit = once(thread, "exit");
  thread.postMessage(end);
  // A thread that had ended before does not say so again.
  if (thread.threadId !== -1) await exit;
}
