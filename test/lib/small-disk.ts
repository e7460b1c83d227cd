import { closeSync, ftruncateSync, openSync, rmSync } from "node:fs";
import { open, rm } from "node:fs/promises";
import type { Context } from "mocha";
import { missing, needsProgram } from "./programs.ts";
import { runProgram } from "./shell.ts";
import { tempFolder } from "./temp.ts";

export const diskKinds = ["tmpfs", "ext4"] as const;
export type DiskKind = (typeof diskKinds)[number];

/** A real file system of its own that is soon full: of so many megabytes, in memory or in a file beside `path`. */
export function mountSmallDisk(path: string, sizeMb: number, kind: DiskKind = "tmpfs"): void {
  if (kind === "tmpfs") {
    runProgram("mount", "-t", "tmpfs", "-o", `size=${sizeMb}m`, "tmpfs", path);
    return;
  }
  const image = openSync(imageOf(path), "w");
  ftruncateSync(image, sizeMb * 1_048_576);
  closeSync(image);
  runProgram("mkfs.ext4", "-q", "-m", "0", imageOf(path));
  runProgram("mount", "-o", "loop,noatime", imageOf(path), path);
}

export function unmount(path: string): void {
  runProgram("umount", path);
  rmSync(imageOf(path), { force: true });
}

/** Where this process ends while others still have files open there. */
export function unmountInUse(path: string): void {
  runProgram("umount", "--lazy", path);
}

/** Another program that takes every byte that is left. */
export async function fillUp(path: string): Promise<AsyncDisposable & { readonly path: string }> {
  const file = await open(path, "w");
  try {
    for (let bytes = 1_048_576; bytes >= 512;) {
      const written = await file.write(Buffer.alloc(bytes)).catch(() => ({ bytesWritten: 0 }));
      if (written.bytesWritten === 0) bytes /= 2;
    }
    await file.sync().catch(() => undefined);
  } finally {
    await file.close();
  }
  return { path, [Symbol.asyncDispose]: async () => await rm(path, { force: true }) };
}

function imageOf(path: string): string {
  return `${path}.img`;
}

/** Call first in a `before` hook: skips, or fails where nothing may be skipped, as `needsProgram` does. */
export async function needsSmallDisk(context: Context, kind: DiskKind = "tmpfs"): Promise<void> {
  needsProgram(context, "mount", "mount");
  if (kind === "ext4") needsProgram(context, "mkfs.ext4", "e2fsprogs");
  await using probe = await tempFolder();
  try {
    mountSmallDisk(probe.path, 1, kind);
    unmount(probe.path);
  } catch {
    rmSync(imageOf(probe.path), { force: true });
    missing(context, `root and leave to mount a small ${kind}`);
  }
}
