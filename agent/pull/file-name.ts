import { createHash } from "node:crypto";

/**
 * The file's name for a picture of a platform. An id comes from a server and is never trusted as a part of a path; one
 * that is not plainly harmless, also where a disk knows no capitals, is replaced by its hash.
 */
export function pulledName(kind: string, id: string): string {
  if (/^[a-z0-9][a-z0-9_-]{0,63}$/.test(id)) return `${kind}-${id}.jpg`;
  return `${kind}-sha256.${createHash("sha256").update(id).digest("hex").slice(0, 40)}.jpg`;
}

/** True for what `pulledName` gives, and for what a download that was broken off leaves of it. */
export function isPulledName(kind: string, name: string): boolean {
  return name.startsWith(`${kind}-`) && /^[a-z]+-[a-z0-9][a-z0-9_.-]{0,80}\.jpg(\.part)?$/.test(name);
}
