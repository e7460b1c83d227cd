import type { Context } from "mocha";
import { missing, needsProgram } from "./programs.ts";
import { runProgram } from "./shell.ts";
import { tempFolder } from "./temp.ts";

/** A real file system of its own that is soon full: a tmpfs of so many megabytes. */
export function mountSmallDisk(path: string, sizeMb: number): void {
  runProgram("mount", "-t", "tmpfs", "-o", `size=${sizeMb}m`, "tmpfs", path);
}

export function unmount(path: string): void {
  runProgram("umount", path);
}

/** Call first in a `before` hook: skips, or fails where nothing may be skipped, as `needsProgram` does. */
export async function needsSmallDisk(context: Context): Promise<void> {
  needsProgram(context, "mount", "mount");
  await using probe = await tempFolder();
  try {
    mountSmallDisk(probe.path, 1);
    unmount(probe.path);
  } catch {
    missing(context, "root and leave to mount a small tmpfs");
  }
}
