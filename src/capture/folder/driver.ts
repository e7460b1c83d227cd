import { readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { AgentError, messageOf } from "../../core/errors.ts";
import { captureLimits } from "../../core/capture-limits.ts";
import type { CameraDriver, Shot } from "../../core/ports.ts";
import { walk } from "./walk.ts";
import { WatchedFolderDriver, type FolderSeams } from "./watched.ts";
import { judgePicture, type CaptureLimits } from "../judge.ts";

export interface FolderOptions {
  readonly path: string;
  /** `once`: every picture, then the end. `loop`: for ever. `watch`: pictures that others put there, which are consumed. */
  readonly mode: "once" | "loop" | "watch";
  /** Pictures in folders below it, too. */
  readonly recursive?: boolean;
  /** Of a watched folder: false where bad files may not be set aside for a look at them. */
  readonly keepsRejected?: boolean;
}

export function folderDriver(options: FolderOptions, seams: FolderSeams): CameraDriver {
  const { path, mode, recursive = false, keepsRejected = true } = options;
  if (mode === "watch") return new WatchedFolderDriver({ path, recursive, keepsRejected }, seams);
  return new ReplayedFolderDriver({ path, recursive }, mode, seams.limits);
}

/** Replays a folder's JPEG files in the order of their names. Files are read and never touched. */
class ReplayedFolderDriver implements CameraDriver {
  readonly kind = "folder";
  readonly pace: "newest" | "every";
  readonly mayRepeat = true;
  readonly #path: string;
  readonly #recursive: boolean;
  readonly #limits: CaptureLimits;
  /** What is left of this round. Kept over a restart, which goes on where the failure was. */
  #names: string[] | undefined;
  #next = 0;

  constructor(
    { path, recursive }: { readonly path: string; readonly recursive: boolean },
    mode: "once" | "loop",
    limits: Partial<CaptureLimits> = {},
  ) {
    this.#path = path;
    this.#recursive = recursive;
    this.pace = mode === "once" ? "every" : "newest";
    this.#limits = { ...captureLimits, ...limits };
  }

  async start(signal: AbortSignal): Promise<void> {
    this.#names ??= await this.#list(signal);
  }

  async shot(signal: AbortSignal): Promise<Shot> {
    signal.throwIfAborted();
    const name = await this.#nextName(signal);
    if (name === undefined) return { kind: "end" };
    const file = join(this.#path, name);
    try {
      const { size } = await stat(file);
      if (size > this.#limits.jpegBytesMax) throw new RangeError(`it has ${size} bytes`);
      const jpeg = await readFile(file, { signal });
      // The supervisor would find the same, but it does not know the file's name.
      const judgement = judgePicture(jpeg, this.#limits);
      if (judgement.kind === "bad") throw new RangeError(judgement.why);
      return { kind: "image", jpeg, fileName: name };
    } catch (error) {
      signal.throwIfAborted();
      const message = `folder ${this.#path}: ${name} cannot be used: ${messageOf(error)}`;
      throw new AgentError("CAMERA_BAD_IMAGE", message, { disposition: "retry", cause: error });
    }
  }

  async stop(): Promise<void> {
    // Nothing is held between shots.
  }

  /** A looped folder is listed again in each round, so that files may come and go. */
  async #nextName(signal: AbortSignal): Promise<string | undefined> {
    const name = this.#names?.[this.#next];
    if (name !== undefined) {
      this.#next += 1;
      return name;
    }
    this.#next = 0;
    this.#names = undefined;
    if (this.pace === "every") return undefined;
    this.#names = await this.#list(signal);
    this.#next = 1;
    return this.#names[0];
  }

  async #list(signal: AbortSignal): Promise<string[]> {
    const { replayFilesMax, watchFoldersMax: foldersMax, folderDepthMax: depthMax } = this.#limits;
    let names: string[];
    try {
      const bounds = { recursive: this.#recursive, filesMax: replayFilesMax + 1, foldersMax, depthMax };
      names = (await walk(this.#path, bounds, signal)).pictures;
      if (names.length > replayFilesMax) throw new RangeError(`more than ${replayFilesMax} pictures`);
    } catch (error) {
      signal.throwIfAborted();
      const message = `folder ${this.#path} cannot be listed: ${messageOf(error)}`;
      throw new AgentError("CAMERA_NO_FOLDER", message, { disposition: "retry", cause: error });
    }
    if (names.length === 0 && this.pace === "newest") {
      const message = `folder ${this.#path} holds no .jpg file to loop over`;
      throw new AgentError("CAMERA_NO_PICTURE", message, { disposition: "retry" });
    }
    return names.sort();
  }
}
