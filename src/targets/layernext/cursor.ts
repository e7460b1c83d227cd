import type { Cursor } from "../../core/types.ts";
import { isObject } from "../json.ts";

/** Where a record stands whose image is uploaded: the job that has to end before a model run finds it. */
export interface JobCursor {
  readonly jobId: string;
  /** Calls that found it unfinished. */
  readonly polls: number;
  /** Unique name of the file at the server. */
  readonly fileKey?: string | undefined;
}

/** What the spool keeps beside a delivery, less the mark of a reduced copy. */
const cursorBytesMax = 490;

export function cursorOf({ jobId, polls, fileKey }: JobCursor): Cursor {
  const whole = JSON.stringify({ j: jobId, n: polls, k: fileKey });
  // The name is only told to people.
  return Buffer.byteLength(whole) <= cursorBytesMax ? whole : JSON.stringify({ j: jobId, n: polls });
}

/** Undefined for anything else. */
export function parseCursor(cursor: Cursor | undefined): JobCursor | undefined {
  if (cursor === undefined || cursor === "") return undefined;
  let value: unknown;
  try {
    value = JSON.parse(cursor);
  } catch {
    return undefined;
  }
  const { j: jobId, n: polls, k: fileKey } = isObject(value) ? value : {};
  if (typeof jobId !== "string" || jobId === "" || typeof polls !== "number" || !Number.isSafeInteger(polls)) {
    return undefined;
  }
  return { jobId, polls, ...(typeof fileKey === "string" ? { fileKey } : {}) };
}
