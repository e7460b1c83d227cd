import type { AgentError } from "../core/errors.ts";
import { stateLimits } from "../core/limits.ts";
import { StateFile } from "../state/state-file.ts";

/** What an operator has said about uploading, for the next start. */
export interface UploadBooks {
  /** By target. Without a time until somebody ends it; with one, what was left of it, in running time. */
  readonly pauses: Readonly<Record<string, { readonly leftMs?: number }>>;
  readonly limitBytesPerSecond?: number;
}

/**
 * `state/upload.json`. Where it cannot be read it is set aside, which is told, and every target in `targetIds` is paused
 * until somebody resumes it: what waits is lost by nobody, what should not have been sent cannot be fetched back. Fails as
 * `StateFile.open` does.
 */
export async function openUploadBooks(
  path: string,
  targetIds: readonly string[],
  onSetAside: (error: AgentError) => void,
): Promise<StateFile<UploadBooks>> {
  return StateFile.open<UploadBooks>({
    path,
    version: 1,
    bytesMax: stateLimits.uploadBytesMax,
    parse: booksOf,
    initial: (isSetAside) => ({ pauses: isSetAside ? Object.fromEntries(targetIds.map((id) => [id, {}])) : {} }),
    onSetAside,
  });
}

function booksOf(value: unknown): UploadBooks {
  const { pauses, limitBytesPerSecond } = objectOf(value);
  return {
    pauses: Object.fromEntries(Object.entries(objectOf(pauses)).map(([id, pause]) => [id, pauseOf(pause)])),
    ...(limitBytesPerSecond === undefined ? {} : { limitBytesPerSecond: positive(limitBytesPerSecond) }),
  };
}

function pauseOf(value: unknown): { readonly leftMs?: number } {
  const { leftMs } = objectOf(value);
  return leftMs === undefined ? {} : { leftMs: positive(leftMs) };
}

function positive(value: unknown): number {
  if (typeof value !== "number" || !(value > 0)) throw new Error("a figure is none");
  return value;
}

function objectOf(value: unknown): Readonly<Record<string, unknown>> {
  if (typeof value !== "object" || value === null) throw new Error("it says nothing of uploads");
  return value as Readonly<Record<string, unknown>>;
}
