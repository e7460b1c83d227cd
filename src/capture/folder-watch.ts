import { watch, type FSWatcher } from "node:fs";
import type { Clock } from "../core/clock.ts";
import { AgentError } from "../core/errors.ts";
import { captureLimits } from "../core/limits.ts";
import type { CameraDriver, Shot } from "../core/ports.ts";
import { Bell } from "./bell.ts";
import { WatchedFiles, type SeenFile } from "./folder-files.ts";
import type { CaptureLimits } from "./judge.ts";

export interface FolderSeams {
  readonly clock: Clock;
  /** For tests. */
  readonly limits?: Partial<CaptureLimits>;
}

/** What is remembered of a file that is not ready: one entry for each file of the last scan, no more. */
interface Waiting {
  readonly signature: string;
  sinceMs: number;
  /** Why it could not be taken as it is; it is tried again only after it changed. */
  fault?: string;
}

/**
 * A folder into which cameras or people put pictures, each of which is consumed once. A file is ready when it is a
 * complete JPEG and has not changed for a while, or was renamed into place. It is claimed by a rename before it is
 * read, and removed when the next one is asked for: a crash in between repeats it and never loses it.
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
  readonly #waiting = new Map<string, Waiting>();
  #started = false;
  #watcher: FSWatcher | undefined;
  /** Names in the claimed folder that were not handed over yet. */
  #claimed: string[] = [];
  #handedOver: string | undefined;
  /** From the last scan: files that may be read, oldest first, and files that will never be pictures. */
  #settled: SeenFile[] = [];
  #hopeless: string[] = [];

  constructor(path: string, seams: FolderSeams) {
    this.#clock = seams.clock;
    this.#limits = { ...captureLimits, ...seams.limits };
    this.#files = new WatchedFiles(path, this.#limits);
  }

  async start(signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    await this.#files.prepare();
    this.#claimed = await this.#files.leftovers();
    this.#handedOver = undefined;
    this.#watch();
    await this.#rescan();
    this.#started = true;
  }

  async shot(signal: AbortSignal): Promise<Shot> {
    signal.throwIfAborted();
    await this.#finishLast();
    for (;;) {
      if (!this.#started) throw notStarted();
      const name = this.#claimed.shift() ?? (await this.#claimSettled());
      if (name !== undefined) return { kind: "image", jpeg: await this.#handOver(name), fileName: name };
      await this.#setAsideOne();
      await this.#pause(signal);
      await this.#rescan();
    }
  }

  async stop(): Promise<void> {
    this.#started = false;
    this.#bell.ring();
    this.#watcher?.close();
    this.#watcher = undefined;
  }

  /** Only now is the last picture dealt with: the supervisor asks for the next one when its frame was taken. */
  async #finishLast(): Promise<void> {
    const name = this.#handedOver;
    this.#handedOver = undefined;
    if (name !== undefined) await this.#files.removeClaimed(name);
  }

  /** The oldest of the settled files that is a complete picture, and ours. */
  async #claimSettled(): Promise<string | undefined> {
    for (let file = this.#settled.shift(); file !== undefined; file = this.#settled.shift()) {
      const fault = (await this.#files.faultOf(file.name)) ?? (await this.#files.claim(file.name));
      if (fault === undefined) return file.name;
      const waiting = this.#waiting.get(file.name);
      if (waiting !== undefined) waiting.fault = fault;
    }
    return undefined;
  }

  async #handOver(name: string): Promise<Buffer> {
    const read = await this.#files.readClaimed(name);
    if (read.kind === "good") {
      this.#handedOver = name;
      return read.jpeg;
    }
    await this.#files.rejectClaimed(name, this.#clock.nowMs());
    throw setAside(name, read.why);
  }

  /** One at a time, so that each is reported. A file that cannot even be moved is tried again later, and blocks none. */
  async #setAsideOne(): Promise<void> {
    const name = this.#hopeless.shift();
    const waiting = name === undefined ? undefined : this.#waiting.get(name);
    if (name === undefined || waiting === undefined) return;
    waiting.sinceMs = this.#clock.monotonicMs();
    await this.#files.reject(name, this.#clock.nowMs());
    throw setAside(name, waiting.fault ?? "");
  }

  async #rescan(): Promise<void> {
    const nowMs = this.#clock.monotonicMs();
    const seen = await this.#files.scan();
    const before = new Map(this.#waiting);
    this.#waiting.clear();
    for (const file of seen) {
      const known = before.get(file.name);
      const unchanged = known?.signature === file.signature ? known : undefined;
      this.#waiting.set(file.name, unchanged ?? { signature: file.signature, sinceMs: nowMs });
    }
    this.#settled = seen.filter((file) => this.#isSettled(file)).sort((a, b) => a.mtimeMs - b.mtimeMs);
    this.#hopeless = seen.map((file) => file.name).filter((name) => this.#isHopeless(name));
  }

  #isSettled(file: SeenFile): boolean {
    const waiting = this.#waiting.get(file.name);
    if (waiting === undefined || waiting.fault !== undefined) return false;
    return file.renamed || this.#restedMs(waiting) >= this.#limits.watchSettleMs;
  }

  /** An upload may pause; only after a long rest is what lies there all that will ever come. */
  #isHopeless(name: string): boolean {
    const waiting = this.#waiting.get(name);
    return waiting?.fault !== undefined && this.#restedMs(waiting) >= this.#limits.watchAbandonedMs;
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

  /** Events only spare the wait for the next rescan: where they cannot be had, nothing else is lost. */
  #watch(): void {
    this.#watcher?.close();
    this.#watcher = undefined;
    try {
      this.#watcher = watch(this.#files.path, { persistent: false }, () => this.#bell.ring());
      this.#watcher.on("error", () => this.#watcher?.close());
    } catch {
      // The rescan finds every file without it.
    }
  }
}

function notStarted(): AgentError {
  return new AgentError("CAMERA_NOT_STARTED", "watched folder: it was not started", { disposition: "retry" });
}

function setAside(name: string, why: string): AgentError {
  const message = `watched folder: ${JSON.stringify(name)} was set aside: ${why}`;
  return new AgentError("CAMERA_BAD_IMAGE", message, { disposition: "retry" });
}
