import { Worker } from "node:worker_threads";
import { AgentError, messageOf } from "../../core/errors.ts";
import { spoolLimits } from "../../core/limits.ts";
import { indexDamaged } from "./codes.ts";
import type { Arguments, Method, Reply, Request, Result } from "./messages.ts";
import type { OpenReport } from "./owner.ts";

interface Pending {
  resolve(value: unknown): void;
  reject(error: AgentError): void;
}

export interface IndexClientOptions {
  readonly folder: string;
  /** The last record in the index, as far as its owner knows: what a rebuild while running may not go beyond. */
  readonly lastSequence: () => number;
  /** Called after the index was found damaged while running and has been rebuilt. */
  readonly onRebuilt: (report: OpenReport, cause: AgentError) => void;
}

/**
 * The index as the main thread sees it: typed requests to a thread, answered in order. When the index turns out to be
 * damaged the thread is replaced, for only the end of a thread closes its files for certain; the new one sets the index
 * aside, rebuilds it from the envelopes, and the failed requests are sent once more.
 */
export class IndexClient {
  readonly #options: IndexClientOptions;
  readonly #pending = new Map<number, Pending>();
  #worker: Worker | undefined;
  #replacing: Promise<void> | undefined;
  #nextId = 1;

  constructor(options: IndexClientOptions) {
    this.#options = options;
  }

  async start(): Promise<OpenReport> {
    const { folder } = this.#options;
    this.#spawn();
    try {
      return await this.#send("open", { folder, setAside: false });
    } catch (error) {
      await this.#end();
      if (!isDamage(error)) throw error;
    }
    this.#spawn();
    try {
      return await this.#send("open", { folder, setAside: true });
    } catch (error) {
      await this.#end();
      throw error;
    }
  }

  async call<M extends Method>(method: M, ...values: Arguments<M>): Promise<Result<M>> {
    await this.#replacing;
    try {
      return await this.#send(method, ...values);
    } catch (error) {
      if (!isDamage(error)) throw error;
      this.#replacing ??= this.#replace(error).finally(() => (this.#replacing = undefined));
      await this.#replacing;
      return await this.#send(method, ...values);
    }
  }

  /** Safe at any time, also twice. */
  async stop(): Promise<void> {
    await this.#replacing?.catch(() => undefined);
    if (this.#worker === undefined) return;
    // A checkpoint that fails costs nothing: the next start does it.
    await this.#send("close").catch(() => undefined);
    await this.#end();
  }

  async #replace(cause: AgentError): Promise<void> {
    const { folder, lastSequence, onRebuilt } = this.#options;
    // The others that wait for this thread fail as damaged too, and so are sent again.
    await this.#end(cause);
    this.#spawn();
    const report = await this.#send("open", { folder, setAside: true, lastSequence: lastSequence() });
    onRebuilt(report, cause);
  }

  #spawn(): void {
    // The compiled file: the compiler rewrites imports, not URLs.
    const worker = new Worker(new URL("./worker.js", import.meta.url), { name: "spool-index", execArgv: [] });
    worker.on("message", (reply: Reply) => this.#settle(reply));
    worker.on("error", (error) => this.#fail(worker, `its thread failed: ${messageOf(error)}`));
    worker.on("exit", () => this.#fail(worker, "its thread ended"));
    this.#worker = worker;
  }

  /** Requests without an answer fail with `error`. */
  async #end(error = failure("index: its thread was ended")): Promise<void> {
    const worker = this.#worker;
    this.#worker = undefined;
    await worker?.terminate();
    this.#failPending(error);
  }

  async #send<M extends Method>(method: M, ...values: Arguments<M>): Promise<Result<M>> {
    const worker = this.#worker;
    if (worker === undefined) throw failure(`index ${method}: it is not running`);
    if (this.#pending.size >= spoolLimits.indexCallsMax) {
      throw new AgentError("SPOOL_BUSY", `index ${method}: too many requests wait`, { disposition: "retry" });
    }
    const id = this.#nextId;
    this.#nextId += 1;
    const answered = new Promise<unknown>((resolve, reject) => this.#pending.set(id, { resolve, reject }));
    worker.postMessage({ id, method, values } satisfies Request);
    // The thread runs the method of this name, and both sides are built together.
    return (await answered) as Result<M>;
  }

  #settle(reply: Reply): void {
    const pending = this.#pending.get(reply.id);
    this.#pending.delete(reply.id);
    if ("error" in reply) {
      const { code, message, disposition } = reply.error;
      pending?.reject(new AgentError(code, message, { disposition }));
    } else pending?.resolve(reply.value);
  }

  #fail(worker: Worker, why: string): void {
    if (this.#worker !== worker) return;
    this.#worker = undefined;
    this.#failPending(failure(`index: ${why}`));
  }

  #failPending(error: AgentError): void {
    const waiting = [...this.#pending.values()];
    this.#pending.clear();
    for (const pending of waiting) pending.reject(error);
  }
}

function failure(message: string): AgentError {
  return new AgentError("SPOOL_INDEX_FAILED", message, { disposition: "fatal" });
}

function isDamage(error: unknown): error is AgentError {
  return error instanceof AgentError && error.code === indexDamaged;
}
