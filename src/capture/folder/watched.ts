import type { Clock } from "../../core/clock.ts";
import { AgentError } from "../../core/errors.ts";
import { captureLimits } from "../../core/capture-limits.ts";
import type { CameraDriver, Shot } from "../../core/ports.ts";
import { Bell } from "../bell.ts";
import { FolderEvents } from "./folder-events.ts";
import { WatchedFiles, type SeenFile, type WatchedPlace } from "./files.ts";
import type { CaptureLimits } from "../judge.ts";

export interface FolderSeams {
  readonly clock: Clock;
  /** For tests. */
  readonly limits?: Partial<CaptureLimits>;
}

/** What is remembered of a file that is not ready: one entry for each file of the last scan, no more. */
interface Waiting {
  readonly signature: string;
  sinceMs: number;
  /** Why it could not be taken as it is. `bad`: it is tried again only after it changed. `unreadable`: after a while. */
  fault?: { readonly kind: "bad" | "unreadable"; readonly why: string };
}

/**
 * A folder into which cameras or people put pictures, each of which is consumed once. A file is ready when it is a
 * complete JPEG and has not changed for a while, or was renamed into place. It is claimed by a rename before it is
 * read, and removed when the next one is asked for; when none is, it goes back. A crash in between repeats it and never
 * loses it.
 *
 * Only what was read and is no picture is ever set aside. A file system that fails is no fault of the file: the driver
 * fails, its supervisor starts it again, and other files are taken meanwhile.
 */
export class WatchedFolderDriver implements CameraDriver {
  readonly kind = "folder";
  readonly pace = "every";
  readonly shotTimeMs = Infinity;
  readonly mayRepeat = true;
  readonly #clock: Clock;
  readonly #limits: CaptureLimits;
  readonly #files: WatchedFiles;
  readonly #bell = new Bell();
  readonly #events: FolderEvents;
  readonly #waiting = new Map<string, Waiting>();
  #started = false;
  /** The start or shot that is under way, also when its caller has given up. */
  #work: Promise<unknown> | undefined;
  #closing: Promise<void> | undefined;
  #handedOver: string | undefined;
  /** From the last scan: files that may be read, oldest first, and files that will never be pictures. */
  #settled: SeenFile[] = [];
  #hopeless: string[] = [];
  /** Told once nothing can be handed over: one file that cannot be read must not hold up the others. */
  #trouble: AgentError | undefined;

  constructor(place: WatchedPlace, seams: FolderSeams) {
    this.#clock = seams.clock;
    this.#limits = { ...captureLimits, ...seams.limits };
    this.#files = new WatchedFiles(place, this.#limits);
    this.#events = new FolderEvents(place.path, this.#limits.watchedFoldersMax, () => this.#bell.ring());
  }

  async start(signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    // A mount whose server is gone holds its callers for as long as it likes.
    if (this.#work !== undefined || this.#closing !== undefined) throw busy();
    await this.#alone(() => this.#open(signal));
  }

  async #open(signal: AbortSignal): Promise<void> {
    this.#handedOver = undefined;
    await this.#files.open();
    // Events before the look, so that nothing comes unseen between the two.
    this.#events.follow([]);
    await this.#rescan();
    signal.throwIfAborted();
    this.#started = true;
  }

  async shot(signal: AbortSignal): Promise<Shot> {
    await this.#work?.catch(() => undefined);
    signal.throwIfAborted();
    return this.#alone(() => this.#nextPicture(signal));
  }

  async #nextPicture(signal: AbortSignal): Promise<Shot> {
    await this.#finishLast();
    for (;;) {
      if (!this.#started) throw notStarted();
      const jpeg = await this.#takeSettled(signal);
      signal.throwIfAborted();
      const fileName = this.#handedOver;
      if (jpeg !== undefined) return { kind: "image", jpeg, ...(fileName === undefined ? {} : { fileName }) };
      await this.#setAsideOne();
      this.#tellTrouble();
      await this.#pause(signal);
      await this.#rescan();
    }
  }

  async refuse(fileName: string): Promise<void> {
    if (fileName !== this.#handedOver) return;
    this.#handedOver = undefined;
    await this.#files.rejectClaimed(fileName, this.#clock.nowMs());
  }

  /** The picture that was handed over last is put back, for it may never have been dealt with. */
  async stop(): Promise<void> {
    // One for all who ask while it takes its time.
    this.#closing ??= this.#close().finally(() => (this.#closing = undefined));
    await this.#closing;
  }

  async #close(): Promise<void> {
    this.#started = false;
    this.#bell.ring();
    // What a caller no longer waits for must not claim or watch anything once this is over.
    await this.#work?.catch(() => undefined);
    this.#handedOver = undefined;
    this.#events.close();
    await this.#files.close();
  }

  async #alone<T>(work: () => Promise<T>): Promise<T> {
    const running = work();
    this.#work = running;
    try {
      return await running;
    } finally {
      if (this.#work === running) this.#work = undefined;
    }
  }

  /** Only now is the last picture dealt with: the supervisor asks for the next one when its frame was taken. */
  async #finishLast(): Promise<void> {
    const name = this.#handedOver;
    this.#handedOver = undefined;
    if (name !== undefined) await this.#files.finish(name);
  }

  /** The oldest of the settled files that is a complete picture, and ours. */
  async #takeSettled(signal: AbortSignal): Promise<Buffer | undefined> {
    for (let file = this.#settled.shift(); file !== undefined; file = this.#settled.shift()) {
      try {
        const jpeg = await this.#take(file.name, signal);
        if (jpeg !== undefined || this.#hasEnded(signal)) return jpeg;
      } catch (error) {
        if (!(error instanceof AgentError) || error.code !== "CAMERA_READ_FAILED") throw error;
        this.#trouble ??= error;
        this.#remember(file.name, { kind: "unreadable", why: error.message });
      }
    }
    return undefined;
  }

  async #take(name: string, signal: AbortSignal): Promise<Buffer | undefined> {
    const seen = await this.#files.read(name);
    if (seen.kind === "bad") this.#remember(name, seen);
    if (seen.kind !== "good" || !(await this.#files.claim(name))) return undefined;
    let claimed: Buffer | undefined;
    try {
      const read = await this.#files.readClaimed(name);
      // Bad only now: it is being written anew.
      if (read.kind === "good" && !this.#hasEnded(signal)) claimed = read.jpeg;
    } finally {
      if (claimed === undefined) await this.#files.putBack(name);
      else this.#handedOver = name;
    }
    return claimed;
  }

  /** A shot that nobody waits for any more must claim nothing: the next one would take it for dealt with. */
  #hasEnded(signal: AbortSignal): boolean {
    return signal.aborted || !this.#started;
  }

  #remember(name: string, fault: Waiting["fault"]): void {
    const waiting = this.#waiting.get(name);
    if (waiting === undefined || fault === undefined) return;
    waiting.fault = fault;
    if (fault.kind === "unreadable") waiting.sinceMs = this.#clock.monotonicMs();
  }

  #tellTrouble(): void {
    const trouble = this.#trouble;
    this.#trouble = undefined;
    if (trouble !== undefined) throw trouble;
  }

  /** One at a time, so that each is reported. A file that cannot even be moved is tried again later, and blocks none. */
  async #setAsideOne(): Promise<void> {
    const name = this.#hopeless.shift();
    const waiting = name === undefined ? undefined : this.#waiting.get(name);
    if (name === undefined || waiting === undefined) return;
    waiting.sinceMs = this.#clock.monotonicMs();
    await this.#files.reject(name, this.#clock.nowMs());
    throw setAside(name, waiting.fault?.why ?? "");
  }

  async #rescan(): Promise<void> {
    const nowMs = this.#clock.monotonicMs();
    const { files: seen, folders, unreadable } = await this.#files.scan(nowMs);
    this.#events.follow(folders);
    const before = new Map(this.#waiting);
    this.#waiting.clear();
    for (const file of seen) {
      const known = before.get(file.name);
      const isKnown = known?.signature === file.signature && !this.#isWorthAnotherTry(known);
      this.#waiting.set(file.name, isKnown ? known : { signature: file.signature, sinceMs: nowMs });
    }
    for (const { folder, error } of unreadable) this.#lockedOut(`${folder}/`, error, before.get(`${folder}/`));
    this.#settled = seen.filter((file) => this.#isSettled(file)).sort((a, b) => a.mtimeMs - b.mtimeMs);
    this.#hopeless = seen.map((file) => file.name).filter((name) => this.#isHopeless(name));
  }

  /** A folder below that may not be read is told as a file is, now and then, and holds up nothing. */
  #lockedOut(folder: string, error: AgentError, known: Waiting | undefined): void {
    const isKnown = known !== undefined && !this.#isWorthAnotherTry(known);
    const fault = { kind: "unreadable", why: error.message } as const;
    this.#waiting.set(folder, isKnown ? known : { signature: "", sinceMs: this.#clock.monotonicMs(), fault });
    if (!isKnown) this.#trouble ??= error;
  }

  #isSettled(file: SeenFile): boolean {
    const waiting = this.#waiting.get(file.name);
    if (waiting === undefined || waiting.fault !== undefined) return false;
    return file.renamed || this.#restedMs(waiting) >= this.#limits.watchSettleMs;
  }

  #isWorthAnotherTry(waiting: Waiting): boolean {
    return waiting.fault?.kind === "unreadable" && this.#restedMs(waiting) >= this.#limits.watchAbandonedMs;
  }

  /** An upload may pause; only after a long rest is what lies there all that will ever come. */
  #isHopeless(name: string): boolean {
    const waiting = this.#waiting.get(name);
    return waiting?.fault?.kind === "bad" && this.#restedMs(waiting) >= this.#limits.watchAbandonedMs;
  }

  #restedMs(waiting: Waiting): number {
    return this.#clock.monotonicMs() - waiting.sinceMs;
  }

  /** Until something happens in the folder, or a file in it settles, or it is time to look anyway. */
  async #pause(signal: AbortSignal): Promise<void> {
    const resting = [...this.#waiting.values()].filter((waiting) => waiting.fault === undefined);
    const settleMs = resting.map((waiting) => this.#limits.watchSettleMs - this.#restedMs(waiting));
    const waitMs = Math.max(0, Math.min(this.#limits.watchRescanMs, ...settleMs));
    const timer = new AbortController();
    this.#clock.sleep(waitMs, timer.signal).then(
      () => this.#bell.ring(),
      () => undefined,
    );
    try {
      await this.#bell.heard(signal);
      // An upload is hundreds of events: together they are worth one look.
      await this.#clock.sleep(this.#limits.watchQuietMs, signal);
    } finally {
      timer.abort();
    }
  }
}

function busy(): AgentError {
  return new AgentError("CAMERA_BUSY", "watched folder: its file system has not answered yet", {
    disposition: "retry",
  });
}

function notStarted(): AgentError {
  return new AgentError("CAMERA_NOT_STARTED", "watched folder: it was not started", { disposition: "retry" });
}

function setAside(name: string, why: string): AgentError {
  const message = `watched folder: ${JSON.stringify(name)} was set aside: ${why}`;
  return new AgentError("CAMERA_BAD_IMAGE", message, { disposition: "retry" });
}
