import type { Worker } from "node:worker_threads";

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
    thread.removeAllListeners();
    await thread.terminate();
  }

  /** Also the thread of a spool that a failed test has left behind: it would keep the process alive. */
  async [Symbol.asyncDispose](): Promise<void> {
    process.off("worker", this.#add);
    await Promise.all(this.#threads.map((thread) => (thread.removeAllListeners(), thread.terminate())));
  }
}
