import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { runProgram } from "../lib/shell.ts";

const diskMb = 96;
const unmountTries = 50;

/**
 * An ext4 file system of its own that can lose its power: it lies in an image file on a loop device, and that file is
 * the device. What the file system has not written to its device yet is in memory only, so a copy of the file at some
 * moment is the device as a power cut at that moment leaves it.
 *
 * The copy must show one moment. The image therefore lies on a file system of its own too, which stands still for the
 * copy: what the device is given meanwhile waits, as if the power had gone.
 *
 * Needs root. Everything is undone by `Symbol.dispose`, and at the latest when this process exits.
 */
export class CutDisk implements Disposable {
  readonly #home = mkdtempSync(join(tmpdir(), "framepost-cut-"));
  readonly #host = join(this.#home, "host");
  readonly #image = join(this.#host, "disk.img");
  readonly #copy = join(this.#home, "copy.img");
  /** Where the file system is mounted. */
  readonly folder = join(this.#home, "disk");
  readonly #endWithUs = (): void => this[Symbol.dispose]();

  constructor() {
    // Before the folder that all this lies in is removed.
    process.prependOnceListener("exit", this.#endWithUs);
    try {
      mkdirSync(this.#host);
      mkdirSync(this.folder);
      const hostImage = join(this.#home, "host.img");
      runProgram("truncate", "-s", `${diskMb + 32}M`, hostImage);
      runProgram("mkfs.ext4", "-q", "-F", "-m", "0", "-O", "^has_journal", hostImage);
      mount(hostImage, this.#host);
      runProgram("truncate", "-s", `${diskMb}M`, this.#image);
      runProgram("mkfs.ext4", "-q", "-F", this.#image);
      mount(this.#image, this.folder);
    } catch (error) {
      this[Symbol.dispose]();
      throw error;
    }
  }

  /** Takes the device's content at this moment; nothing is flushed to it. */
  cut(): void {
    runProgram("fsfreeze", "--freeze", this.#host);
    try {
      runProgram("cp", "--sparse=always", this.#image, this.#copy);
    } finally {
      runProgram("fsfreeze", "--unfreeze", this.#host);
    }
  }

  /** Throws away what was written since the cut: mounts the copy, which replays its journal. No process may use the folder. */
  powerOn(): void {
    unmount(this.folder);
    rmSync(this.#image);
    runProgram("cp", "--sparse=always", this.#copy, this.#image);
    rmSync(this.#copy);
    mount(this.#image, this.folder);
  }

  [Symbol.dispose](): void {
    process.removeListener("exit", this.#endWithUs);
    // Where an interrupt came between the two, all else would wait for ever.
    quietly(() => runProgram("fsfreeze", "--unfreeze", this.#host));
    for (const folder of [this.folder, this.#host]) quietly(() => unmount(folder));
    quietly(() => rmSync(this.#home, { recursive: true, force: true }));
  }
}

/** Why this machine cannot do it; undefined where it can. */
export function cutDiskTrouble(): string | undefined {
  try {
    using disk = new CutDisk();
    disk.cut();
    return undefined;
  } catch (error) {
    const why = error instanceof Error ? error.message.trim() : String(error);
    return `needs root, loop devices, mkfs.ext4 and fsfreeze (${why})`;
  }
}

function mount(image: string, folder: string): void {
  runProgram("mount", "-o", "loop,noatime", image, folder);
}

/** A process that was just killed may hold the file system a moment longer; one that stays loses it all the same. */
function unmount(folder: string): void {
  for (let tries = 0; tries < unmountTries; tries += 1) {
    try {
      runProgram("umount", folder);
      return;
    } catch {
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 20);
    }
  }
  runProgram("umount", "--lazy", folder);
}

function quietly(action: () => unknown): void {
  try {
    action();
  } catch {
    return;
  }
}
