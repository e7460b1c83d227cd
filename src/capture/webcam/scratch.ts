import { mkdtemp, readdir, rm, statfs } from "node:fs/promises";
import { join } from "node:path";
import { AgentError } from "../../core/errors.ts";
import { isAlive } from "../stream/process-group.ts";

const prefix = "framepost-shots-";
/** In a container every agent has the same process id; no two have begun at the same moment. */
const ownPrefix = `${prefix}${process.pid}-${Math.round(performance.timeOrigin)}-`;

/** No dot, blank or shell sign: node-webcam splits paths at blanks and mistakes a dot in a folder for an extension. */
const safePath = /^\/[A-Za-z0-9/_-]+$/;

/** Memory-backed places first: a picture a second would wear out an SD card. */
export function scratchPlaces(environment: NodeJS.ProcessEnv, temporary: string): readonly string[] {
  const runtime = (environment["RUNTIME_DIRECTORY"] ?? "").split(":");
  return [...runtime, "/dev/shm", temporary, "/tmp"].filter((place) => safePath.test(place));
}

/** tmpfs and ramfs, as statfs(2) has them. */
const memoryKinds: ReadonlySet<number> = new Set([0x01021994, 0x858458f6]);

/** Those that lie in memory for certain. Fails with `CAMERA_NO_SCRATCH` when none does. */
export async function memoryPlaces(places: readonly string[]): Promise<readonly string[]> {
  const inMemory: string[] = [];
  for (const place of places) {
    const kind = await statfs(place).then(
      ({ type }) => type,
      () => undefined,
    );
    if (kind !== undefined && memoryKinds.has(kind)) inMemory.push(place);
  }
  if (inMemory.length > 0) return inMemory;
  const message = `pictures of a camera with privacy settings may lie in memory only, and none of these is a tmpfs: ${places.join(", ")}`;
  throw new AgentError("CAMERA_NO_SCRATCH", message, { disposition: "retry" });
}

/** A fresh private folder (mode 0700) in the first place that takes one; what dead processes left there is removed. */
export async function makeScratchFolder(places: readonly string[]): Promise<string> {
  let cause: unknown;
  for (const place of places) {
    try {
      const folder = await mkdtemp(join(place, ownPrefix));
      await sweep(place);
      return folder;
    } catch (error) {
      cause = error;
    }
  }
  const message = `no folder for pictures could be made in ${places.join(", ")}`;
  throw new AgentError("CAMERA_NO_SCRATCH", message, { disposition: "retry", cause });
}

/** Folders carry their maker's process id: one that a killed agent left behind is nobody's. */
async function sweep(place: string): Promise<void> {
  for (const name of await readdir(place)) {
    const maker = name.startsWith(prefix) ? Number.parseInt(name.slice(prefix.length), 10) : Number.NaN;
    if (Number.isNaN(maker)) continue;
    if (maker === process.pid ? name.startsWith(ownPrefix) : isAlive(maker)) continue;
    // Another user's folder cannot be removed, and is not ours to remove.
    await rm(join(place, name), { recursive: true, force: true }).catch(() => undefined);
  }
}
