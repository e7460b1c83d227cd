import { readFileSync } from "node:fs";
import { join } from "node:path";

/** The processes of a service, whose memory the kernel bounds together: a control group of version 2. */

export interface GroupMemory {
  /** Without what the kernel takes back by itself, such as the cache of files. */
  readonly usedBytes: number;
  readonly boundBytes: number;
}

/** Undefined where nothing bounds the group. Read from memory, in microseconds. */
export type ReadGroupMemory = () => GroupMemory | undefined;

/** Of the group that this process is in. Undefined also with groups of version 1, and on kernels that do not count. */
export function ownGroupMemory(membershipFile = "/proc/self/cgroup", root = "/sys/fs/cgroup"): ReadGroupMemory {
  const [, path] = /^0::(\/.*)$/m.exec(textOf(membershipFile)) ?? [];
  return () => (path === undefined ? undefined : groupMemory(join(root, path)));
}

function groupMemory(folder: string): GroupMemory | undefined {
  // Above `high` processes are slowed down until it is not worth it; above `max` one is ended.
  const bounds = ["memory.max", "memory.high"].map((name) => bytesOf(textOf(join(folder, name))));
  const boundBytes = Math.min(...bounds.map((bytes) => bytes ?? Infinity));
  const stat = textOf(join(folder, "memory.stat"));
  const [anonymous, shared] = ["anon", "shmem"].map((name) =>
    bytesOf(new RegExp(`^${name} (.+)$`, "m").exec(stat)?.[1]),
  );
  if (boundBytes === Infinity || anonymous === undefined) return undefined;
  return { usedBytes: anonymous + (shared ?? 0), boundBytes };
}

/** Undefined of `max`, which is no bound. */
function bytesOf(text: string | undefined): number | undefined {
  return text !== undefined && /^\d+\s*$/.test(text) ? Number(text) : undefined;
}

function textOf(file: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch {
    return "";
  }
}
