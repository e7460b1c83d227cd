import { constants } from "node:fs";
import { open } from "node:fs/promises";
import type { FileHandle } from "node:fs/promises";
import { errnoOf } from "../core/errors.ts";

export type TextFile =
  | { readonly kind: "text"; readonly text: string; readonly readableByAll: boolean }
  | { readonly kind: "failed"; readonly reason: string; readonly absent?: true; readonly cause?: unknown };

/** A whole UTF-8 file of at most `bytesMax`. Never waits: a FIFO or a device in its place is refused before it is read. */
export async function readTextFile(path: string, bytesMax: number): Promise<TextFile> {
  let handle: FileHandle | undefined;
  try {
    handle = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
    const stat = await handle.stat();
    if (!stat.isFile()) return { kind: "failed", reason: "it is not a file" };
    const { text, bytes } = await decoded(handle, bytesMax);
    if (bytes > bytesMax) return { kind: "failed", reason: `it is larger than ${bytesMax / 1024} KB` };
    return { kind: "text", text, readableByAll: (stat.mode & 0o004) !== 0 };
  } catch (error) {
    const absent = errnoOf(error) === "ENOENT" ? ({ absent: true } as const) : {};
    return { kind: "failed", reason: reasonOf(error), ...absent, cause: error };
  } finally {
    await handle?.close();
  }
}

/** Reads by position up to one byte more than allowed: a file may grow while it is read, or claim to be empty. */
async function decoded(
  handle: FileHandle,
  bytesMax: number,
): Promise<{ readonly text: string; readonly bytes: number }> {
  const buffer = Buffer.alloc(bytesMax + 1);
  let bytes = 0;
  while (bytes <= bytesMax) {
    const { bytesRead } = await handle.read(buffer, bytes, buffer.length - bytes, bytes);
    if (bytesRead === 0) break;
    bytes += bytesRead;
  }
  if (bytes > bytesMax) return { text: "", bytes };
  return { text: new TextDecoder("utf-8", { fatal: true }).decode(buffer.subarray(0, bytes)), bytes };
}

function reasonOf(error: unknown): string {
  switch (errnoOf(error)) {
    case "ENOENT":
      return "there is no such file";
    case "EACCES":
      return "permission denied";
    case "ERR_ENCODING_INVALID_ENCODED_DATA":
      return "it is not UTF-8 text";
    default:
      return errnoOf(error) ?? "unknown error";
  }
}
