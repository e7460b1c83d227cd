import { Worker } from "node:worker_threads";
import type { Clock } from "../../core/clock.ts";
import { AgentError, messageOf } from "../../core/errors.ts";
import { spoolLimits } from "../../core/spool-limits.ts";
import { layoutOf } from "../layout.ts";
import { BackgroundCheck } from "./check.ts";
import { indexDamaged } from "./codes.ts";
import { type Arguments, end, type Method, type Reply, type Request, type Result, type Verdict } from "./messages.ts";
import type { OpenOptions, OpenReport } from "./owner.ts";

/** The index is whole, as far as anyone knows, but nobody answers for it. */
const threadDied = "SPOOL_INDEX_DIED";

interface Pending {
  resolve(value: unknown): void;
  reject(error: AgentError): void;
}

export interface IndexClientOptions {
  readonly folder: string;
  /** Those of the config, where targets are looked after. */
  readonly targetIds?: readonly string[];
  /** The last record in the index, as far as its owner knows: what a rebuild while running may not go beyond. */
  readonly lastSequence: () => number;
  readonly encryptionKey: Uint8Array | undefined;
  /** Running time: ages go on through a rebuild. */
  readonly ranMs: () => number;
  readonly clock: Clock;
  /** Called after the thread was replaced while running: a damaged index has been rebuilt, a dead thread's opened again. */
  readonly onReplaced: (report: OpenReport, cause: AgentError) => void;
  /** Called when a check after a crash found the index whole, or could not be made. */
  readonly onChecked: (verdict: Verdict, tookMs: number) => void;
  /** Called when threads die so often that another one is no help. */
  readonly onDead: (error: AgentError) => void;
}

/**
 * The index as the main thread sees it: typed requests to a thread, answered in order. When the index turns out to be
 * damaged the thread is replaced, for only the end of a thread closes its files for certain; the new one sets the index
 * aside, rebuilds it from the envelopes, and the failed requests are sent once more. A thread that died (out of memory, a
 * bug) is replaced too, at once, so that no other process gets hold of the folder; its index is as good as after a crash.
 */
export class IndexClient {
  readonly #options: IndexClientOptions;
  readonly #check: BackgroundCheck;
  readonly #pending = new Map<number, Pending>();
  #worker: Worker | undefined;
  #replacing: Promise<void> | undefined;
  #running = false;
  #failure: AgentError | undefined;
  /** Monotonic, the latest few. */
  #deathsMs: number[] = [];
  #nextId = 1;

  constructor(options: IndexClientOptions) {
    this.#options = options;
    this.#check = new BackgroundCheck(layoutOf(options.folder).index, options.clock);
  }

  async start(): Promise<OpenReport> {
    let report: OpenReport;
    try {
      report = await this.#open({ setAside: false });
    } catch (error) {
      if (!hasCode(error, indexDamaged)) throw error;
      report = await this.#open({ setAside: true });
    }
    this.#running = true;
    if (report.leftOpen) this.#check.start((verdict, tookMs) => this.#checked(verdict, tookMs));
    return report;
  }

  async call<M extends Method>(method: M, ...values: Arguments<M>): Promise<Result<M>> {
    await this.#replacing;
    try {
      return await this.#send(method, ...values);
    } catch (error) {
      if (!this.#running || !(hasCode(error, indexDamaged) || hasCode(error, threadDied))) throw error;
      await this.#replaced(error);
      return await this.#send(method, ...values);
    }
  }

  /** Safe at any time, also twice. */
  async stop(): Promise<void> {
    this.#running = false;
    await this.#check.stop();
    await this.#replacing?.catch(() => undefined);
    if (this.#worker === undefined) return;
    // A checkpoint that fails costs nothing: the next start does it.
    await this.#send("close", this.#options.ranMs()).catch(() => undefined);
    await this.#end();
  }

  #checked(verdict: Verdict, tookMs: number): void {
    if (verdict.kind !== "damaged") this.#options.onChecked(verdict, tookMs);
    else if (this.#running) {
      const cause = new AgentError(indexDamaged, verdict.message, { disposition: "retry" });
      // Should that fail, the next request meets the same trouble and tries again.
      this.#replaced(cause).catch(() => undefined);
    }
  }

  /** One at a time: whoever meets the same trouble waits for the same replacement. */
  async #replaced(cause: AgentError): Promise<void> {
    this.#replacing ??= this.#replace(cause).finally(() => (this.#replacing = undefined));
    await this.#replacing;
  }

  async #replace(cause: AgentError): Promise<void> {
    const { lastSequence, ranMs, onReplaced } = this.#options;
    // Two connections would outlive the files that are set aside.
    await this.#check.stop();
    // The others that wait for this thread fail for the same cause, and so are sent again.
    await this.#end(cause);
    if (this.#deathsMs.length > spoolLimits.indexDeathsMax) throw this.#dead(cause);
    const setAside = cause.code === indexDamaged;
    onReplaced(await this.#open({ setAside, lastSequence: lastSequence(), ranMs: ranMs() }), cause);
  }

  #dead(cause: AgentError): AgentError {
    const error = new AgentError("SPOOL_INDEX_FAILED", `${cause.message}, ${this.#deathsMs.length} times in a row`, {
      disposition: "fatal",
      cause,
    });
    this.#running = false;
    this.#failure = error;
    this.#options.onDead(error);
    return error;
  }

  /** In a fresh thread, which does not outlive a failure. */
  async #open(options: Omit<OpenOptions, "folder" | "encryptionKey" | "targetIds">): Promise<OpenReport> {
    const { folder, encryptionKey, targetIds } = this.#options;
    this.#spawn();
    try {
      return await this.#send("open", {
        ...options,
        folder,
        ...(encryptionKey === undefined ? {} : { encryptionKey }),
        ...(targetIds === undefined ? {} : { targetIds }),
      });
    } catch (error) {
      await this.#end();
      throw error;
    }
  }

  #spawn(): void {
    // The compiled file: the compiler rewrites imports, not URLs.
    const worker = new Worker(new URL("./worker.js", import.meta.url), { name: "spool-index", execArgv: [] });
    worker.on("message", (reply: Reply) => this.#settle(reply));
    worker.on("error", (error) => this.#died(worker, `its thread failed: ${messageOf(error)}`));
    worker.on("exit", () => this.#died(worker, "its thread ended"));
    this.#worker = worker;
  }

  /** After what was asked before. Requests without an answer fail with `error`. */
  async #end(error = died("its thread was ended")): Promise<void> {
    const worker = this.#worker;
    this.#worker = undefined;
    if (worker !== undefined && worker.threadId !== -1) {
      // Not terminated: a thread that ends within a call of the driver takes the process with it.
      const ended = new Promise<void>((resolve) => worker.once("exit", () => resolve()));
      worker.postMessage(end);
      await ended;
    }
    this.#failPending(error);
  }

  async #send<M extends Method>(method: M, ...values: Arguments<M>): Promise<Result<M>> {
    const worker = this.#worker;
    if (worker === undefined) throw this.#failure ?? died(`it has no thread for ${method}`);
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

  #died(worker: Worker, why: string): void {
    if (this.#worker !== worker) return;
    const { clock } = this.#options;
    const recentMs = clock.monotonicMs() - spoolLimits.indexDeathsWithinMs;
    this.#deathsMs = [...this.#deathsMs.filter((atMs) => atMs > recentMs), clock.monotonicMs()];
    const cause = died(why);
    // A thread that dies while it opens fails that request, which ends or begins the replacement.
    if (this.#running && this.#replacing === undefined) this.#replaced(cause).catch(() => undefined);
    else this.#failPending(cause);
  }

  #failPending(error: AgentError): void {
    const waiting = [...this.#pending.values()];
    this.#pending.clear();
    for (const pending of waiting) pending.reject(error);
  }
}

function died(why: string): AgentError {
  return new AgentError(threadDied, `index: ${why}`, { disposition: "retry" });
}

function hasCode(error: unknown, code: string): error is AgentError {
  return error instanceof AgentError && error.code === code;
}
