import { watch, type FSWatcher } from "node:fs";
import { join } from "node:path";

/**
 * Events of a folder and of some folders below it. They only spare the wait for the next rescan: where they cannot be
 * had (network mounts), or were dropped because there were too many, nothing else is lost.
 */
export class FolderEvents {
  readonly #path: string;
  readonly #foldersMax: number;
  readonly #onEvent: () => void;
  readonly #watchers = new Map<string, FSWatcher>();

  constructor(path: string, foldersMax: number, onEvent: () => void) {
    this.#path = path;
    this.#foldersMax = foldersMax;
    this.#onEvent = onEvent;
  }

  /** Relative to the path, which is always followed itself. Of too many, the last in order: dated folders are newest there. */
  follow(folders: readonly string[]): void {
    const wanted = new Set(["", ...[...folders].sort().slice(-this.#foldersMax)]);
    for (const folder of this.#watchers.keys()) if (!wanted.has(folder)) this.#leave(folder);
    for (const folder of wanted) if (!this.#watchers.has(folder)) this.#watch(folder);
  }

  close(): void {
    for (const folder of [...this.#watchers.keys()]) this.#leave(folder);
  }

  #watch(folder: string): void {
    try {
      const watcher = watch(join(this.#path, folder), { persistent: false }, this.#onEvent);
      this.#watchers.set(folder, watcher);
      watcher.on("error", () => this.#leave(folder));
    } catch {
      // It is gone, or the system has no watches left: the rescan finds every file without them.
    }
  }

  #leave(folder: string): void {
    this.#watchers.get(folder)?.close();
    this.#watchers.delete(folder);
  }
}
