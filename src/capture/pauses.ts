import { AgentError, asAgentError } from "../core/errors.ts";
import { captureLimits } from "../core/capture-limits.ts";
import { configLimits } from "../core/limits.ts";
import type { Camera, Seams } from "../core/ports.ts";
import { type KeptPause, type KeptPauses, openPauses } from "../state/camera-pauses.ts";
import type { StateFile } from "../state/state-file.ts";

type PausedCamera = Pick<Camera, "id" | "pause" | "resume" | "pauseLeftMs">;

/**
 * Pauses that hold over a restart: a camera is paused for privacy, and a power cut must not end that. Their time is that
 * of the running agent; of a process that was killed up to a minute of it does not count, so that a pause is never
 * shorter than asked for.
 */
export class CameraPauses {
  readonly #stateFolder: string;
  readonly #cameras: readonly PausedCamera[];
  readonly #seams: Seams;
  #file: StateFile<KeptPauses> | undefined;
  #stopping = new AbortController();
  #writing: Promise<void> | undefined;
  /** Paused because nobody knows any more whether they were; until somebody says so. */
  #unknown: ReadonlySet<string> = new Set();

  constructor(stateFolder: string, cameras: readonly PausedCamera[], seams: Seams) {
    this.#stateFolder = stateFolder;
    this.#cameras = cameras;
    this.#seams = seams;
  }

  /** To be called before the cameras are started. Fails with `STATE_…`. */
  async start(): Promise<void> {
    this.#stopping = new AbortController();
    const ids = this.#cameras.map(({ id }) => id);
    this.#file = await openPauses(this.#stateFolder, ids, ({ code, message }) => {
      this.#unknown = new Set(ids);
      this.#seams.log.error("camera.pauses_lost", { code, message, cameras: ids, mend: "capture.resume" });
    });
    for (const { camera, leftMs } of this.#file.read().pauses) {
      await this.#cameras.find(({ id }) => id === camera)?.pause(leftMs);
    }
    this.#writing = this.#writeNowAndThen(this.#stopping.signal);
  }

  async stop(): Promise<void> {
    if (this.#writing === undefined) return;
    this.#stopping.abort();
    await this.#writing;
    this.#writing = undefined;
    await this.#writeOrSay();
  }

  /** Cameras that are paused because what was kept of pauses could not be read, until somebody pauses or resumes them. */
  unknown(): readonly string[] {
    return [...this.#unknown];
  }

  /**
   * Resolves when the drivers are stopped and the pause survives a power cut. Fails with `STATE_…` where it does not: the
   * cameras are paused all the same.
   */
  async pause(cameraIds: readonly string[], forMs?: number): Promise<void> {
    const chosen = this.#chosen(cameraIds);
    const stopped = Promise.all(chosen.map((camera) => camera.pause(forMs)));
    this.#known(cameraIds);
    try {
      await this.#write();
    } catch (error) {
      const failure = asAgentError(error, "keeping the pause");
      const message = `paused, but only until the next start: ${failure.message}`;
      throw new AgentError(failure.code, message, { disposition: failure.disposition, cause: failure });
    } finally {
      await stopped;
    }
  }

  /** Fails with `STATE_…` where a restart would bring the pause back: it lasts then. */
  async resume(cameraIds: readonly string[]): Promise<void> {
    await this.#write(cameraIds);
    for (const camera of this.#chosen(cameraIds)) camera.resume();
    this.#known(cameraIds);
  }

  #known(cameraIds: readonly string[]): void {
    this.#unknown = new Set(this.unknown().filter((id) => !cameraIds.includes(id)));
  }

  #chosen(cameraIds: readonly string[]): readonly PausedCamera[] {
    return this.#cameras.filter(({ id }) => cameraIds.includes(id));
  }

  /** What is left of the pauses is noted while they last. */
  async #writeNowAndThen(signal: AbortSignal): Promise<void> {
    const next = () => this.#seams.clock.sleep(captureLimits.pauseWriteMs, signal);
    while (await next().then(stillHere, stopped)) await this.#writeOrSay();
  }

  /** Without it a pause is longer after the next start, never shorter. */
  async #writeOrSay(): Promise<void> {
    await this.#write().catch((error: unknown) => {
      const { code, message } = asAgentError(error, "noting the pauses of cameras");
      this.#seams.log.warn("camera.pauses_unwritten", { code, message });
    });
  }

  async #write(resumed: readonly string[] = []): Promise<void> {
    if (this.#file === undefined) return;
    const pausesAfter = ({ pauses }: KeptPauses) => this.#pausesAfter(pauses, resumed);
    const kept = this.#file.read();
    if (JSON.stringify(pausesAfter(kept)) === JSON.stringify(kept.pauses)) return;
    await this.#file.update((current) => ({ pauses: pausesAfter(current) }));
  }

  /** One of a camera that is not in the config just now stays, as it may come back. */
  #pausesAfter(kept: readonly KeptPause[], resumed: readonly string[]): readonly KeptPause[] {
    const ours = this.#cameras.flatMap((camera) => {
      const leftMs = camera.pauseLeftMs();
      if (leftMs === undefined || resumed.includes(camera.id)) return [];
      return [{ camera: camera.id, ...(leftMs === Infinity ? {} : { leftMs: Math.ceil(leftMs) }) }];
    });
    const others = kept.filter(({ camera }) => this.#cameras.every(({ id }) => id !== camera));
    return [...ours, ...others].slice(0, configLimits.camerasMax);
  }
}

const stillHere = () => true;
const stopped = () => false;
