import { join } from "node:path";
import { runProgram } from "./shell.ts";
import { repositoryFolder } from "./shared.ts";

/**
 * What the shim does to each call that makes data durable, in the process it is preloaded into and in the children of
 * that process.
 */
export type FsyncChange = { readonly skip: true } | { readonly delayMs: number };

/**
 * Compiles `fsync-shim.c` into this folder, and returns the environment that preloads it: spread it into that of a child.
 * Needs `cc`, and a C library that loads what LD_PRELOAD names.
 */
export function fsyncShim(folder: string, change: FsyncChange): Readonly<Record<string, string>> {
  const library = join(folder, "fsync-shim.so");
  const source = join(repositoryFolder, "test", "lib", "fsync-shim.c");
  runProgram("cc", "-shared", "-fPIC", "-O1", "-Wall", "-o", library, source, "-ldl");
  return {
    LD_PRELOAD: library,
    ...("skip" in change ? { FSYNC_SKIP: "1" } : { FSYNC_DELAY_MS: String(change.delayMs) }),
  };
}
