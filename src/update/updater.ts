import type { DiskShare } from "../core/disk-budget.ts";
import { AgentError, asAgentError } from "../core/errors.ts";
import type { LastError, UpdatesHealth } from "../core/health.ts";
import { modelLimits } from "../core/model-limits.ts";
import type { Seams } from "../core/ports.ts";
import type { ClockQuality } from "../core/types.ts";
import { dayMs } from "../core/units.ts";
import type { HttpStream } from "../link/http-stream.ts";
import { judgeRelease, type Release, type ReleaseVerdict } from "../models/release.ts";
import type { InstalledModel, ModelRef, ModelStore } from "../models/store.ts";
import type { VisionSwitch } from "../vision/switch.ts";
import { isSame, type ModelBooks, nameOf, refusing, settled } from "./books.ts";
import { fetchRelease } from "./fetch-release.ts";
import { type FetchFile, installRelease } from "./install-release.ts";
import type { Takeover } from "./takeover.ts";

/**
 * Looks for a new release every now and then, and brings it as far as it is good: fetched, signed, newer than all before,
 * not expired, installed, proven, in use and on probation. Whatever goes wrong costs this release, or this try; the model
 * in use stays, and nothing else of the agent notices.
 */

export interface UpdaterParts {
  readonly store: ModelStore;
  readonly takeover: Pick<Takeover, "books" | "bringIn" | "probation">;
  readonly vision: Pick<VisionSwitch, "runMs">;
  /** Of one picture in use; more than 1 with tiles. */
  readonly runsPerLook?: number;
  readonly http: HttpStream;
  readonly fetchFile: FetchFile;
  /** What installed models take on the disk of the records. */
  readonly share: DiskShare;
  readonly clockQuality: () => ClockQuality;
}

export interface UpdaterOptions {
  readonly url: string;
  readonly publicKey: string;
  readonly everyMs: number;
  readonly modelBytesMax: number;
  readonly limits?: Partial<Record<"updateFirstMaxMs" | "updateBackoffFirstMs" | "updateClockMs", number>>;
}

export type Checked =
  | {
      readonly kind: "done";
      /** Of the release there. */
      readonly found: "in-use" | "nothing-new" | "refused-before";
      /** `NAME@VERSION`. */
      readonly model: string;
      /** It was refused before. */
      readonly why?: string;
    }
  /** There is a release that cannot be judged, or must not be taken, just now. */
  | { readonly kind: "later"; readonly afterMs: number; readonly why: string };

/** How far a look is. */
export type UpdateStage =
  | { readonly stage: "looking" }
  | { readonly stage: "fetching"; readonly model: string; readonly bytes: number; readonly totalBytes: number }
  | { readonly stage: "proving"; readonly model: string };

type OnStage = (stage: UpdateStage) => void;

export class ModelUpdater {
  readonly #parts: UpdaterParts;
  readonly #options: UpdaterOptions;
  readonly #limits: Required<NonNullable<UpdaterOptions["limits"]>>;
  readonly #seams: Seams;
  #stopping = new AbortController();
  #running: Promise<void> = Promise.resolve();
  #checking: Promise<unknown> | undefined;
  #lastCheckAtMs: number | undefined;
  #lastError: LastError | undefined;
  #saidOf = "";

  constructor(parts: UpdaterParts, options: UpdaterOptions, seams: Seams) {
    this.#parts = parts;
    this.#options = { ...options, everyMs: Math.max(options.everyMs, modelLimits.updateEveryMinMs) };
    this.#limits = { ...modelLimits, ...options.limits };
    this.#seams = seams;
  }

  start(): void {
    this.#stopping = new AbortController();
    // It ends with the signal.
    this.#running = this.#look(this.#stopping.signal).catch(() => undefined);
  }

  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.#running;
    await this.#checking;
  }

  /** A look at once, for an operator. Fails as `check` does, and with `MODEL_BUSY` while another one is under way. */
  async checkNow(signal: AbortSignal, onStage: OnStage): Promise<Checked> {
    if (this.#checking !== undefined) {
      throw new AgentError("MODEL_BUSY", "look for a release: that is being done already", { disposition: "retry" });
    }
    return await this.#noted(AbortSignal.any([signal, this.#stopping.signal]), onStage);
  }

  /** What is there, and what `check` would do with it. Changes nothing. */
  async peek(signal: AbortSignal): Promise<{ readonly release: Release; readonly verdict: ReleaseVerdict }> {
    const release = await fetchRelease(this.#parts.http, this.#options, signal);
    return { release, verdict: this.#judge(release) };
  }

  health(): UpdatesHealth {
    return {
      ...(this.#lastCheckAtMs === undefined ? {} : { lastCheckAtMs: this.#lastCheckAtMs }),
      ...(this.#lastError === undefined ? {} : { lastError: this.#lastError }),
    };
  }

  async #look(signal: AbortSignal): Promise<void> {
    const { clock, random, log } = this.#seams;
    await clock.sleep(random() * Math.min(this.#limits.updateFirstMaxMs, this.#options.everyMs), signal);
    for (let failures = 0; ;) {
      let pauseMs = this.#options.everyMs;
      await this.#checking;
      try {
        const checked = await this.#noted(signal);
        failures = 0;
        if (checked.kind === "later") pauseMs = Math.min(pauseMs, checked.afterMs);
      } catch (error) {
        signal.throwIfAborted();
        failures += 1;
        const { code, message, disposition } = asAgentError(error, "looking for a release");
        // What is wrong with the model itself may cost its whole download again.
        const doubledMs = this.#limits.updateBackoffFirstMs * 2 ** Math.min(failures - 1, 20);
        if (disposition === "retry" || !code.startsWith("MODEL_")) pauseMs = Math.min(pauseMs, doubledMs);
        log.warn("model.update_failed", { code, error: message, failures });
      }
      await clock.sleep(pauseMs * (1 + modelLimits.updateJitter * (2 * random() - 1)), signal);
    }
  }

  /** A look that health knows of. */
  async #noted(signal: AbortSignal, onStage?: OnStage): Promise<Checked> {
    const { clock, log } = this.#seams;
    const checking = this.check(signal, onStage);
    // Whoever waits for its end does not want to know how it ended.
    this.#checking = checking.catch(() => undefined);
    try {
      const checked = await checking;
      this.#lastError = undefined;
      return checked;
    } catch (error) {
      signal.throwIfAborted();
      const { code, message } = asAgentError(error, "looking for a release");
      this.#lastError = { code, message: log.redacted(message), atMs: clock.nowMs() };
      throw error;
    } finally {
      this.#checking = undefined;
      this.#lastCheckAtMs = clock.nowMs();
    }
  }

  /** One look, and all that follows from it. Fails with why the release there is not in use now. */
  async check(signal: AbortSignal, onStage: OnStage = () => {}): Promise<Checked> {
    const { takeover, http } = this.#parts;
    // One at a time: the model before is what the next one would go back to.
    const probation = takeover.probation();
    if (probation !== undefined) {
      const afterMs = probation.leftMs + modelLimits.probationLookMs;
      return { kind: "later", afterMs, why: `${probation.model} is on probation` };
    }
    await this.#prune();
    await this.#noteRoom();
    await this.#noteClock();
    onStage({ stage: "looking" });
    const release = await fetchRelease(http, this.#options, signal);
    const model = nameOf(release);
    const verdict = this.#judge(release);
    switch (verdict.kind) {
      case "nothing-new":
        return { kind: "done", found: verdict.kind, model };
      case "refused-before":
        await this.#taken(release);
        await takeover.books.update((now) => settled(now, release.contentId));
        this.#sayOnce("model.refused_before", release, { why: verdict.why });
        return { kind: "done", found: verdict.kind, model, why: verdict.why };
      case "clock-unknown": {
        const why = "the clock cannot be trusted yet";
        this.#sayOnce("model.update_waits", release, { why });
        return { kind: "later", afterMs: this.#limits.updateClockMs, why };
      }
      case "new":
        await this.#take(release, signal, onStage);
        return { kind: "done", found: "in-use", model };
    }
  }

  #judge(release: Release): ReleaseVerdict {
    const { takeover, clockQuality } = this.#parts;
    const { last, refused, clockSeenMs } = takeover.books.read();
    const clock = { nowMs: this.#seams.clock.nowMs(), clockQuality: clockQuality() };
    return judgeRelease(release, { ...(last === undefined ? {} : { last }), refused, clockSeenMs, ...clock });
  }

  async #take(release: Release, signal: AbortSignal, onStage: OnStage): Promise<void> {
    const { store, takeover } = this.#parts;
    this.#sayOnce("model.update_available", release, { sequence: release.sequence });
    await this.#taken(release);
    const large = release.files.find(({ path, bytes }) => path === "model.onnx" && bytes > this.#options.modelBytesMax);
    if (large !== undefined) {
      const message = `taking a release: its model has ${large.bytes} bytes, detector.updates.maxBytes allows ${this.#options.modelBytesMax}`;
      throw new AgentError("MODEL_TOO_LARGE", message, { disposition: "reject" });
    }
    const current = await store.current();
    const onInstall = async (ref: ModelRef) =>
      takeover.books.update((now) => ({ ...now, fetched: [...now.fetched, ref].slice(-modelLimits.fetchedMax) }));
    const name = nameOf(release);
    const onBytes = (bytes: number, totalBytes: number) =>
      onStage({ stage: "fetching", model: name, bytes, totalBytes });
    const model = await this.#install(release, { onInstall, onBytes }, signal);
    // After a crash between the change of models and its entry in the books, or when somebody has chosen it by hand.
    if (isSame(current, model)) await takeover.books.update((now) => settled(now, release.contentId));
    else {
      onStage({ stage: "proving", model: name });
      await this.#prove(release, model, signal);
    }
  }

  async #install(
    release: Release,
    told: Pick<Parameters<typeof installRelease>[1], "onInstall" | "onBytes">,
    signal: AbortSignal,
  ): Promise<InstalledModel> {
    const { store, fetchFile } = this.#parts;
    try {
      return await installRelease(release, { store, fetchFile, ...told }, signal);
    } catch (error) {
      const failure = asAgentError(error, "installing a release");
      if (failure.code === "MODEL_MANIFEST") await this.#refuse(release, release, failure.message);
      throw failure;
    } finally {
      await this.#noteRoom();
    }
  }

  async #noteRoom(): Promise<void> {
    const { store, share } = this.#parts;
    share.uses((await store.list()).reduce((sum, { bytes }) => sum + bytes, 0));
  }

  /** A release that the device has seen: none with a lower number is taken any more. */
  async #taken({ sequence, contentId }: Release): Promise<void> {
    const { books } = this.#parts.takeover;
    const { last } = books.read();
    if (last?.sequence === sequence && last.contentId === contentId) return;
    await books.update((now) => ({ ...now, last: { sequence, contentId, isSettled: false, proofs: 0 } }));
  }

  async #prove(release: Release, model: InstalledModel, signal: AbortSignal): Promise<void> {
    const { takeover, vision, runsPerLook = 1 } = this.#parts;
    const { contentId, sequence } = release;
    const begun = takeover.books.read().last?.proofs ?? 0;
    if (begun >= modelLimits.proofsMax) {
      await this.#refuse(release, model, `the agent ended ${begun} times while it was proven`);
      return;
    }
    await takeover.books.update((now) => withProofs(now, begun + 1));
    const asBefore = modelLimits.slowerMax * ((vision.runMs() ?? 0) / runsPerLook);
    const runMsMax = release.runMsMax ?? Math.max(modelLimits.runMsAlways, asBefore);
    try {
      await takeover.bringIn(model, { contentId, sequence, runMsMax });
    } catch (error) {
      // An orderly stop counts for nothing.
      if (signal.aborted) await takeover.books.update((now) => withProofs(now, begun));
      signal.throwIfAborted();
      const failure = asAgentError(error, "proving a release");
      if (isOfModel(failure)) await this.#refuse(release, model, `${failure.code}: ${failure.message}`);
      throw failure;
    }
  }

  /** For good: the same content is not tried again, whatever number it comes with. */
  async #refuse({ contentId, sequence }: Release, ref: ModelRef, why: string): Promise<void> {
    const { store, takeover } = this.#parts;
    const { clock, log } = this.#seams;
    const model = nameOf(ref);
    const isFetched = takeover.books.read().fetched.some((fetched) => isSame(fetched, ref));
    await takeover.books.update((now) => ({
      ...refusing(now, { contentId, sequence, model, why: log.redacted(why), atMs: clock.nowMs() }),
      fetched: now.fetched.filter((fetched) => !isSame(fetched, ref)),
    }));
    if (isFetched) await removeIfThere(store, ref);
    log.error("model.refused", { model, sequence, why });
  }

  /** Two of what updates have brought are kept: the one in use, and the one before. */
  async #prune(): Promise<void> {
    const { store, takeover } = this.#parts;
    const { fetched, last } = takeover.books.read();
    if (fetched.length === 0 || last?.isSettled === false) return;
    const kept = [await store.current(), await store.previous()];
    const old = fetched.filter((ref) => !kept.some((model) => isSame(model, ref)));
    for (const ref of old) await removeIfThere(store, ref);
    if (old.length === 0) return;
    await takeover.books.update((now) => ({ ...now, fetched: now.fetched.filter((ref) => !old.includes(ref)) }));
  }

  async #noteClock(): Promise<void> {
    const { books } = this.#parts.takeover;
    const [nowMs, clockQuality] = [this.#seams.clock.nowMs(), this.#parts.clockQuality()];
    // To within a day: each note is a write.
    const isNews = Math.abs(nowMs - books.read().clockSeenMs) > dayMs;
    if (clockQuality === "synchronised" && isNews) await books.update((now) => ({ ...now, clockSeenMs: nowMs }));
  }

  #sayOnce(event: string, { name, version, sequence }: Release, fields: Readonly<Record<string, unknown>>): void {
    const said = `${event} ${sequence}`;
    if (this.#saidOf === said) return;
    this.#saidOf = said;
    this.#seams.log.info(event, { model: `${name}@${version}`, ...fields });
  }
}

function withProofs(books: ModelBooks, proofs: number): ModelBooks {
  return books.last === undefined ? books : { ...books, last: { ...books.last, proofs } };
}

/** What the next try would find again. A process that ends, or a disk that is full, may have other reasons. */
function isOfModel({ code }: AgentError): boolean {
  return code.startsWith("MODEL_") && !machineTroubles.has(code);
}

const machineTroubles: ReadonlySet<string> = new Set([
  "MODEL_STORE",
  "MODEL_BOOKS",
  "MODEL_NOT_FOUND",
  "MODEL_NO_ROOM",
]);

/** Somebody else may have been faster. */
async function removeIfThere(store: ModelStore, ref: ModelRef): Promise<void> {
  if ((await store.find(nameOf(ref))) !== undefined) await store.remove(ref);
}
