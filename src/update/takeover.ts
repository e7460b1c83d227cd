import { AgentError, asAgentError } from "../core/errors.ts";
import type { ModelChange, ModelChoice } from "../core/model-choice.ts";
import type { ProbationHealth } from "../core/health.ts";
import { modelLimits } from "../core/model-limits.ts";
import type { Seams } from "../core/ports.ts";
import type { InstalledModel, ModelRef } from "../models/store.ts";
import type { StateFile } from "../state/state-file.ts";
import type { ModelSpec } from "../vision/model.ts";
import type { PreparedVision, VisionSwitch } from "../vision/switch.ts";
import {
  isSame,
  type ModelBooks,
  nameOf,
  openModelBooks,
  type ProbationBooks,
  refusing,
  settled,
  withoutProbation,
} from "./books.ts";
import { Changeover, type ChangeoverParts } from "./changeover.ts";
import { ProbationWatch } from "./probation-watch.ts";
import type { ProbationLimits } from "./probation.ts";

/**
 * Every change of the model in use goes through here, one at a time. What is on disk is written before the vision process
 * changes, and in an order that a crash cannot break: first the books (what is about to be in use, what was before, why
 * one has to go back), then the links of the store, then the process. At the next start the links say what is in use, and
 * the books whether it may stay.
 */

export interface TakeoverParts extends ChangeoverParts {
  readonly vision: Pick<VisionSwitch, "prepare" | "discard" | "switchTo" | "watchLooks" | "runMs" | "health">;
  /** `<data>/state/models.json`. */
  readonly booksPath: string;
  readonly probationMs: number;
  /** Of one picture in use; more than 1 with tiles. */
  readonly runsPerLook?: number;
  /** `detector.model`: then the config alone says which model is in use. */
  readonly pinnedTo?: string;
  readonly limits?: Partial<ProbationLimits>;
}

/** The release that a model comes with, and what it asks for. */
export interface Arrival {
  readonly contentId: string;
  readonly sequence: number;
  readonly runMsMax: number;
}

const shipped = "the model that ships with Framepost";

export class Takeover implements ModelChoice {
  readonly #parts: TakeoverParts;
  readonly #limits: ProbationLimits;
  readonly #seams: Seams;
  #books: StateFile<ModelBooks> | undefined;
  #isStarted = false;
  #stopping = new AbortController();
  #last: Promise<unknown> = Promise.resolve();
  readonly #changeover: Changeover;
  readonly #watch: ProbationWatch;
  #lastRollback: string | undefined;

  constructor(parts: TakeoverParts, seams: Seams) {
    this.#parts = parts;
    this.#limits = { ...modelLimits, ...parts.limits };
    this.#seams = seams;
    const { vision, probationMs } = parts;
    this.#changeover = new Changeover(parts);
    this.#watch = new ProbationWatch(vision, { probationMs, limits: this.#limits }, seams);
  }

  /** What the books say; fails where they cannot be read, which `guard` has logged. */
  get books(): StateFile<ModelBooks> {
    if (this.#books !== undefined) return this.#books;
    throw new AgentError("MODEL_BOOKS", `change the model in use: ${this.#parts.booksPath} cannot be used`, {
      disposition: "fatal",
    });
  }

  // ------------------------------------------------------------------------------------------------------- a start

  /**
   * Before the vision process starts: a model under which the agent has ended again and again goes back. Resolves with
   * the model to start with where it is another than the links said before.
   */
  async guard(): Promise<ModelSpec | undefined> {
    const { log } = this.#seams;
    try {
      this.#books = await openModelBooks(this.#parts.booksPath);
      if (this.#parts.pinnedTo !== undefined) return undefined;
      return await this.#afterCrash(this.#books);
    } catch (error) {
      const { code, message } = asAgentError(error, "reading the books of models");
      log.error("model.books_unusable", { code, message });
      return undefined;
    }
  }

  async #afterCrash(books: StateFile<ModelBooks>): Promise<ModelSpec | undefined> {
    const { store, specsOf } = this.#parts;
    const { probation } = books.read();
    if (probation === undefined) return undefined;
    // A crash before the links were changed, or somebody has chosen another one since.
    if (!isSame(await store.current(), probation.model)) {
      await books.update(withoutProbation);
      return undefined;
    }
    const badEnds = probation.badEnds + (probation.isRunning ? 1 : 0);
    const isLoop = badEnds >= this.#limits.probationCrashesMax;
    const why = probation.failed ?? (isLoop ? `the agent ended ${badEnds} times without a stop` : undefined);
    if (why === undefined) {
      await books.update((now) => ({ ...now, probation: { ...probation, badEnds, isRunning: true } }));
      return undefined;
    }
    await this.#condemn(probation, why);
    const to = await this.#still(probation.before);
    await this.#changeover.link(to);
    await this.#gone(probation, to, why);
    return (await specsOf(to)).use;
  }

  /** Once the vision process runs: a probation begins anew, because nobody knows how long the agent was away. */
  start(): void {
    this.#isStarted = true;
    this.#stopping = new AbortController();
    const probation = this.#books?.read().probation;
    if (probation !== undefined && this.#parts.pinnedTo === undefined) this.#watchOver(probation, 0);
  }

  async stop(): Promise<void> {
    this.#stopping.abort();
    this.#watch.end();
    await Promise.all([this.#last, this.#watch.ended()]);
  }

  /** The agent ends as it should: that is no sign of a crash loop. */
  async endedWell(): Promise<void> {
    const probation = this.#books?.read().probation;
    if (probation?.isRunning !== true) return;
    await this.#books?.update((now) => ({ ...now, probation: { ...probation, isRunning: false } }));
  }

  /** Absent while none is on probation. */
  probation(): ProbationHealth | undefined {
    const probation = this.#books?.read().probation;
    const leftMs = this.#watch.leftMs();
    return probation === undefined || leftMs === undefined ? undefined : { model: nameOf(probation.model), leftMs };
  }

  /** Since the start: which model went back, and why. */
  lastRollback(): string | undefined {
    return this.#lastRollback;
  }

  // ----------------------------------------------------------------------------------------------------- changes

  /** What `use` would begin with. Fails as it does, but for what only the proof can tell. */
  async wouldUse(reference: string): Promise<Pick<ModelChange, "to" | "from">> {
    this.#mustBeFree();
    return between(await this.#parts.store.current(), await this.#installed(reference));
  }

  /** What `rollback` would go to. */
  async wouldRollBack(): Promise<Pick<ModelChange, "to" | "from">> {
    this.#mustBeFree();
    const current = await this.#parts.store.current();
    const to = await this.#before();
    if (current === undefined && to === undefined) throw noPrevious();
    return between(current, isSame(current, to) ? undefined : to);
  }

  async use(reference: string): Promise<ModelChange> {
    return this.#exclusive(async (signal) => {
      const { store } = this.#parts;
      this.#mustBeFree();
      const model = await this.#installed(reference);
      const current = await store.current();
      if (isSame(current, model)) {
        const name = nameOf(model);
        return { to: name, from: name, probationMs: 0, notes: ["it was in use already"] };
      }
      // What the model on probation would go back to is trusted already.
      if (isSame(this.books.read().probation?.before, model)) return await this.#sendBack(model, signal);
      return await this.#bring(model, undefined, signal);
    });
  }

  async rollback(): Promise<ModelChange> {
    return this.#exclusive(async (signal) => {
      this.#mustBeFree();
      return await this.#sendBack(await this.#before(), signal);
    });
  }

  async #installed(reference: string): Promise<InstalledModel> {
    const model = await this.#parts.store.find(reference);
    if (model !== undefined) return model;
    throw new AgentError("MODEL_NOT_FOUND", `no model ${reference} is installed`, { disposition: "reject" });
  }

  /** What an operator goes back to; undefined: the one that ships. */
  async #before(): Promise<InstalledModel | undefined> {
    const { probation } = this.books.read();
    if (probation === undefined) return await this.#parts.store.previous();
    return (await this.#still(probation.instead)) ?? (await this.#still(probation.before));
  }

  /** To the model before, because an operator wants it. */
  async #sendBack(previous: InstalledModel | undefined, signal: AbortSignal): Promise<ModelChange> {
    const { probation } = this.books.read();
    const current = await this.#parts.store.current();
    if (current === undefined && previous === undefined) {
      throw noPrevious();
    }
    // The vision process shows first that it can run it.
    const to = isSame(current, previous) ? undefined : previous;
    const prepared = await this.#changeover.loaded(to, signal);
    await this.#changeover.complete(to, prepared, async () => {
      if (probation !== undefined) await this.#condemn(probation, "an operator has sent it back");
    });
    this.#watch.end();
    if (probation !== undefined) await this.#forget(probation);
    const from = current === undefined ? {} : { from: nameOf(current) };
    this.#seams.log.info("model.switched", { ...from, to: to === undefined ? shipped : nameOf(to) });
    const notes = to === undefined ? [`none that was in use before is left: ${shipped} is in use now`] : [];
    return {
      to: to === undefined ? prepared.model.name : nameOf(to),
      ...from,
      probationMs: 0,
      notes,
    };
  }

  /** What a release brought takes over, and goes on probation. Fails with what speaks against it; then nothing has changed. */
  async bringIn(model: InstalledModel, arrival: Arrival): Promise<ModelChange> {
    return this.#exclusive((signal) => this.#bring(model, arrival, signal));
  }

  async #bring(model: InstalledModel, arrival: Arrival | undefined, signal: AbortSignal): Promise<ModelChange> {
    const { store, vision, probationMs } = this.#parts;
    const { prepared, runMs } = await this.#changeover.proven(model, arrival?.runMsMax, signal);
    const { probation: running } = this.books.read();
    const current = await store.current();
    // One on probation is nothing to go back to by itself.
    const [before, instead] = running === undefined ? [current] : [running.before, current];
    const probation: ProbationBooks = {
      model: refOf(model),
      ...(before === undefined ? {} : { before: refOf(before) }),
      ...(instead === undefined ? {} : { instead: refOf(instead) }),
      ...arrival,
      badEnds: 0,
      isRunning: true,
    };
    try {
      await this.#changeover.complete(model, prepared, async () => this.books.update((now) => ({ ...now, probation })));
    } catch (error) {
      await this.books.update((now) => ({ ...withoutProbation(now), ...(running && { probation: running }) }));
      throw error;
    }
    this.#watch.end();
    const { restarts } = vision.health();
    if (arrival !== undefined) await this.books.update((now) => settled(now, arrival.contentId));
    const from = current === undefined ? undefined : nameOf(current);
    this.#seams.log.info("model.switched", { from, to: nameOf(model), runMs, probationMs });
    this.#watchOver(probation, restarts);
    return { to: nameOf(model), ...(from === undefined ? {} : { from }), runMs, probationMs, notes: [] };
  }

  // --------------------------------------------------------------------------------------------------- probation

  #watchOver(probation: ProbationBooks, restartsBefore: number): void {
    const { log } = this.#seams;
    const model = nameOf(probation.model);
    const { runsPerLook = 1 } = this.#parts;
    const runMsMax = probation.runMsMax === undefined ? undefined : probation.runMsMax * runsPerLook;
    this.#watch.begin({
      restartsBefore,
      // A start that could not change the links leaves it to this.
      ...(probation.failed === undefined ? {} : { failed: probation.failed }),
      ...(runMsMax === undefined ? {} : { runMsMax }),
      onTrusted: (signal) =>
        this.#exclusive(async () => {
          signal.throwIfAborted();
          await this.books.update(withoutProbation);
          this.#watch.end();
          log.info("model.trusted", { model });
        }),
      onFailed: (why, signal) =>
        this.#exclusive(async (stopped) => {
          signal.throwIfAborted();
          await this.#goBack(probation, why, stopped);
        }),
      onStuck: (error, verdict) => {
        const { code, message } = asAgentError(error, "ending the probation of a model");
        log.error(verdict === "failed" ? "model.rollback_failed" : "model.trust_failed", { model, code, message });
      },
    });
  }

  async #goBack(probation: ProbationBooks, why: string, signal: AbortSignal): Promise<void> {
    await this.#condemn(probation, why);
    let to = await this.#still(probation.before);
    let prepared: PreparedVision;
    try {
      prepared = await this.#changeover.loaded(to, signal);
    } catch (error) {
      signal.throwIfAborted();
      if (to === undefined) throw error;
      // The one before cannot be loaded any more.
      to = undefined;
      prepared = await this.#changeover.loaded(to, signal);
    }
    await this.#changeover.complete(to, prepared);
    this.#watch.end();
    await this.#gone(probation, to, why);
  }

  /** From here on it goes back, whatever comes between; and what it came with is not taken again. */
  async #condemn(probation: ProbationBooks, why: string): Promise<void> {
    const { contentId, sequence, model } = probation;
    const atMs = this.#seams.clock.nowMs();
    await this.books.update((now) => {
      const condemned = { ...now, probation: { ...probation, failed: why } };
      if (contentId === undefined || sequence === undefined) return condemned;
      return refusing(condemned, { contentId, sequence, model: nameOf(model), why, atMs });
    });
  }

  /** Undefined for the one that ships: it was in use before, or the one that was is gone. */
  async #still(ref: ModelRef | undefined): Promise<InstalledModel | undefined> {
    return ref === undefined ? undefined : this.#parts.store.find(nameOf(ref));
  }

  async #gone(probation: ProbationBooks, to: InstalledModel | undefined, why: string): Promise<void> {
    await this.#forget(probation);
    const { model, before } = probation;
    const [from, back] = [nameOf(model), to === undefined ? shipped : nameOf(to)];
    this.#lastRollback = `${from} went back to ${back}: ${why}`;
    const missing = before !== undefined && to === undefined ? { missing: nameOf(before) } : {};
    this.#seams.log.error("model.rolled_back", { from, to: back, why, ...missing });
  }

  /** What an update has brought is removed; what an operator has installed is the operator's. */
  async #forget({ model }: ProbationBooks): Promise<void> {
    const { store } = this.#parts;
    const isFetched = this.books.read().fetched.some((ref) => isSame(ref, model));
    await this.books.update((now) => ({
      ...withoutProbation(now),
      fetched: now.fetched.filter((ref) => !isSame(ref, model)),
    }));
    if (isFetched && (await store.find(nameOf(model))) !== undefined) await store.remove(model);
  }

  // ------------------------------------------------------------------------------------------------------- turns

  async #exclusive<T>(work: (signal: AbortSignal) => Promise<T>): Promise<T> {
    const done = this.#last.then(async () => {
      this.#stopping.signal.throwIfAborted();
      return await work(this.#stopping.signal);
    });
    this.#last = done.catch(() => undefined);
    return await done;
  }

  #mustBeFree(): void {
    const { pinnedTo } = this.#parts;
    if (!this.#isStarted) {
      throw new AgentError("MODEL_BUSY", "change the model in use: the agent is only starting; try again", {
        disposition: "retry",
      });
    }
    if (pinnedTo === undefined) return;
    const message = `the config names the model (detector.model: ${pinnedTo}); take that line out to choose one here`;
    throw new AgentError("MODEL_PINNED", `change the model in use: ${message}`, { disposition: "reject" });
  }
}

function noPrevious(): AgentError {
  return new AgentError("MODEL_NO_PREVIOUS", "no model was in use before this one", { disposition: "reject" });
}

function between(from: ModelRef | undefined, to: ModelRef | undefined): Pick<ModelChange, "to" | "from"> {
  const [before, after] = [from && nameOf(from), to === undefined ? shipped : nameOf(to)];
  return { to: after, ...(before === undefined ? {} : { from: before }) };
}

function refOf({ name, version }: ModelRef): ModelRef {
  return { name, version };
}
