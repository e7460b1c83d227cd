import assert from "node:assert/strict";
import { mkdir, readdir, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { errnoOf } from "../../src/core/errors.ts";
import { folderDriver } from "../../src/capture/folder/driver.ts";
import { SupervisedCamera } from "../../src/capture/supervisor.ts";
import { SystemClock } from "../../src/core/clock.ts";
import type { CameraDriver } from "../../src/core/ports.ts";
import type { Frame } from "../../src/core/types.ts";
import { numberOf } from "./jpegs.ts";
import { RecordingLogger, seededRandom } from "./seams.ts";
import { tempFolder } from "./temp.ts";

/** Small enough for a test to wait, in the same order as the real ones. */
export const quickFolder = {
  watchSettleMs: 60,
  watchRescanMs: 150,
  watchQuietMs: 5,
  watchAbandonedMs: 200,
  backoffFirstMs: 20,
  backoffMaxMs: 100,
};

/** A watched folder with its camera, both of which a test may lose and have again. */
export class FolderBench implements AsyncDisposable {
  readonly folder: string;
  readonly clock = new SystemClock();
  readonly #temp: AsyncDisposable;
  #camera: SupervisedCamera | undefined;

  private constructor(temp: AsyncDisposable & { readonly path: string }) {
    this.#temp = temp;
    this.folder = join(temp.path, "uploads");
  }

  static async make(): Promise<FolderBench> {
    const bench = new FolderBench(await tempFolder());
    await mkdir(bench.folder);
    return bench;
  }

  get camera(): SupervisedCamera {
    assert.ok(this.#camera);
    return this.#camera;
  }

  driver(recursive = false, limits = {}): CameraDriver {
    const seams = { clock: this.clock, limits: { ...quickFolder, ...limits } };
    return folderDriver({ path: this.folder, mode: "watch", recursive }, seams);
  }

  async start({ recursive = false, limits = {} } = {}): Promise<SupervisedCamera> {
    const driver = this.driver(recursive, limits);
    const seams = { clock: this.clock, random: seededRandom(1), log: new RecordingLogger() };
    const options = { id: "yard", driver, intervalMs: 0, limits: { ...quickFolder, ...limits } };
    this.#camera = new SupervisedCamera(options, seams);
    await this.#camera.start(new AbortController().signal);
    return this.#camera;
  }

  /** With the folders that lead to it. */
  async put(name: string, bytes: Buffer): Promise<string> {
    const file = join(this.folder, name);
    await mkdir(dirname(file), { recursive: true });
    await writeFile(file, bytes);
    return file;
  }

  async take(limitMs = 4_000): Promise<Frame> {
    const frame = await this.camera.nextFrame(AbortSignal.timeout(limitMs));
    assert.ok(frame);
    return frame;
  }

  /** Numbers of the next pictures, sorted. */
  async takeNumbers(count: number, limitMs = 4_000): Promise<readonly number[]> {
    const numbers: number[] = [];
    for (let at = 0; at < count; at += 1) numbers.push(numberOf((await this.take(limitMs)).jpeg));
    return numbers.sort((a, b) => a - b);
  }

  async takesNothing(ms: number): Promise<void> {
    await assert.rejects(this.camera.nextFrame(AbortSignal.timeout(ms)), { name: "TimeoutError" });
  }

  /** What lies in the folder, but for what is claimed. */
  async left(): Promise<readonly string[]> {
    for (let tries = 1; ; tries += 1) {
      try {
        const names = await readdir(this.folder, { recursive: true });
        return names.filter((name) => !name.startsWith(".framepost-claimed")).sort();
      } catch (error) {
        // The camera tidies up meanwhile, and a folder that is gone while it is listed fails the whole listing.
        if (errnoOf(error) !== "ENOENT" || tries >= 20) throw error;
      }
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#camera?.stop();
    await this.#temp[Symbol.asyncDispose]();
  }
}
