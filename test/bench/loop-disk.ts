import { truncate, readFile, writeFile, mkdir } from "node:fs/promises";
import { basename, join } from "node:path";
import { runProgram } from "../lib/shell.ts";

/** What reached a block device since it exists, journal and write-back included. */
export interface DeviceCounts {
  readonly flushes: number;
  readonly bytes: number;
}

/** An ext4 file system of its own on a loop device: nothing else writes there, so every flush and byte is the spool's. */
export class LoopDisk implements AsyncDisposable {
  readonly path: string;
  readonly #device: string;

  private constructor(path: string, device: string) {
    this.path = path;
    this.#device = device;
  }

  /** Needs root, losetup and mkfs.ext4. The image in `folder` is sparse. */
  static async mount(folder: string, sizeMb: number): Promise<LoopDisk> {
    const image = join(folder, "disk.img");
    const path = join(folder, "disk");
    await writeFile(image, "");
    await truncate(image, sizeMb * 1024 * 1024);
    await mkdir(path);
    // Without lazy_itable_init the kernel would go on initialising in the background, and be counted.
    runProgram("mkfs.ext4", "-q", "-E", "lazy_itable_init=0,lazy_journal_init=0", image);
    const device = runProgram("losetup", "--find", "--show", image).trim();
    try {
      runProgram("mount", "-o", "noatime", device, path);
    } catch (error) {
      runProgram("losetup", "--detach", device);
      throw error;
    }
    return new LoopDisk(path, device);
  }

  /** Writes everything back first, so that what was written late counts too. */
  async counts(): Promise<DeviceCounts> {
    runProgram("sync", "-f", this.path);
    const stat = await readFile(`/sys/block/${basename(this.#device)}/stat`, "utf8");
    const fields = stat.trim().split(/\s+/).map(Number);
    // Sectors of 512 bytes, whatever the device's own are.
    return { bytes: (fields[6] ?? NaN) * 512, flushes: fields[15] ?? NaN };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    runProgram("umount", this.path);
    runProgram("losetup", "--detach", this.#device);
  }
}
