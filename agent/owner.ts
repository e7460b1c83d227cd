import { readdir, stat } from "node:fs/promises";
import { errnoOf } from "../src/core/errors.ts";

/**
 * Root who works on a data folder of somebody else's becomes that user, for good: the daemon could not read what root
 * leaves there (`sudo framepost send`), and would stand still before it. This holds for every command that opens the
 * spool, `run` included, because the mistake is the same. The config and its secrets have been read by then.
 *
 * Of root's groups none is kept; those of the cameras' devices are added, as the daemon's unit does.
 */
export async function actAsOwnerOf(dataFolder: string): Promise<void> {
  if (process.getuid?.() !== 0) return;
  const owner = await ownerOf(dataFolder);
  if (owner === undefined || owner.uid === 0) return;
  const groups = new Set([owner.gid, ...(await cameraGroups())]);
  // The user last: whoever is not root any more may change no group.
  process.setgroups?.([...groups].filter((gid) => gid !== 0));
  process.setgid?.(owner.gid);
  process.setuid?.(owner.uid);
}

async function ownerOf(folder: string): Promise<{ readonly uid: number; readonly gid: number } | undefined> {
  try {
    return await stat(folder);
  } catch (error) {
    if (errnoOf(error) === "ENOENT") return undefined;
    throw error;
  }
}

async function cameraGroups(): Promise<readonly number[]> {
  const devices = (await readdir("/dev").catch(() => [])).filter((name) => /^video\d+$/.test(name));
  return await Promise.all(devices.map(async (name) => (await stat(`/dev/${name}`)).gid));
}
