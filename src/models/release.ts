import { createHash } from "node:crypto";
import { AgentError, messageOf } from "../core/errors.ts";
import { captureLimits } from "../core/capture-limits.ts";
import { modelLimits } from "../core/model-limits.ts";
import type { ClockQuality } from "../core/types.ts";
import { type ReleasePath, releaseSchema } from "./config.ts";
import { type MinisignKey, verifyMinisign } from "./minisign.ts";

/**
 * A release as its publisher signed it. Nothing of the file is looked at before its signature is right, and nothing of it
 * is believed that the device can know better: what it has taken before, and what time it is.
 */
export interface Release {
  readonly name: string;
  readonly version: string;
  readonly sequence: number;
  readonly expiresAtMs: number;
  /** Milliseconds; a device on which a run takes longer refuses it. */
  readonly runMsMax?: number;
  readonly files: readonly ReleaseFile[];
  /** Of all files together: the same content has the same, whatever its number. */
  readonly contentId: string;
}

export interface ReleaseFile {
  readonly path: ReleasePath;
  /** Absolute. It may hold a user and a password, and is shown nowhere. */
  readonly url: string;
  readonly bytes: number;
  readonly sha256: string;
}

/** What this device knows already. */
export interface ReleaseBooks {
  /** The last release that was taken, whatever became of it. */
  readonly last?: { readonly sequence: number; readonly contentId: string; readonly isSettled: boolean };
  /** Contents that have failed here. */
  readonly refused: readonly { readonly contentId: string; readonly why: string }[];
  readonly nowMs: number;
  readonly clockQuality: ClockQuality;
  /** The latest time that this device has seen while its clock was synchronised; 0 where it never was. */
  readonly clockSeenMs: number;
}

export type ReleaseVerdict =
  | { readonly kind: "new" }
  | { readonly kind: "nothing-new" }
  /** Its content has failed here before: it is not tried again. */
  | { readonly kind: "refused-before"; readonly why: string }
  /** Whether it has expired cannot be told yet. */
  | { readonly kind: "clock-unknown" };

/** Fails with `RELEASE_TOO_LARGE`, `RELEASE_SIGNATURE` or `RELEASE_SCHEMA`. `address` is the release file's. */
export function readRelease(
  file: Buffer,
  signature: Buffer,
  { key, address }: { readonly key: MinisignKey; readonly address: string },
): Release {
  if (file.length > modelLimits.textBytesMax) {
    throw refused("RELEASE_TOO_LARGE", `it has ${file.length} bytes, at most ${modelLimits.textBytesMax} are read`);
  }
  verifyMinisign(file, signature, key);
  const { name, version, sequence, expires, maxRunMs, files } = parsed(file);
  return {
    name,
    version,
    sequence,
    expiresAtMs: Date.parse(expires),
    ...(maxRunMs === undefined ? {} : { runMsMax: maxRunMs }),
    files: files.map((entry) => ({ ...entry, url: absoluteUrl(entry.url, address) })),
    contentId: contentIdOf(files),
  };
}

/** Fails with `RELEASE_REPLAYED` or `RELEASE_EXPIRED`. */
export function judgeRelease(release: Release, books: ReleaseBooks): ReleaseVerdict {
  const { last, refused: failed, nowMs } = books;
  const { sequence, contentId, expiresAtMs } = release;
  if (last !== undefined && sequence < last.sequence) {
    throw refused("RELEASE_REPLAYED", `its number is ${sequence}, and number ${last.sequence} was taken before`);
  }
  if (last?.sequence === sequence) {
    if (contentId !== last.contentId) {
      throw refused("RELEASE_REPLAYED", `its number ${sequence} was taken before, with other files`);
    }
    if (last.isSettled) return { kind: "nothing-new" };
  }
  const before = failed.find((other) => other.contentId === contentId);
  if (before !== undefined) return { kind: "refused-before", why: before.why };
  if (!isClockUsable(books)) return { kind: "clock-unknown" };
  if (nowMs >= expiresAtMs) {
    throw refused("RELEASE_EXPIRED", `it expired at ${new Date(expiresAtMs).toISOString()}`);
  }
  return { kind: "new" };
}

/** A gateway without a battery clock begins at some time of the past, at which nothing has expired yet. */
function isClockUsable({ nowMs, clockQuality, clockSeenMs }: ReleaseBooks): boolean {
  if (nowMs < captureLimits.clockPlausibleFromMs) return false;
  return clockQuality === "synchronised" || nowMs >= clockSeenMs;
}

function parsed(file: Buffer) {
  let value: unknown;
  try {
    value = JSON.parse(file.toString("utf8"));
  } catch (error) {
    throw refused("RELEASE_SCHEMA", messageOf(error), error);
  }
  const checked = releaseSchema.safeParse(value);
  if (checked.success) return checked.data;
  const issue = checked.error.issues[0];
  const where = issue === undefined || issue.path.length === 0 ? "" : `${issue.path.join(".")}: `;
  throw refused("RELEASE_SCHEMA", `${where}${issue?.message ?? "it is no release"}`);
}

/**
 * The files are known by their checksums; https is for those who look on. Only the server that the config names a user
 * for hears of that user.
 */
function absoluteUrl(url: string, address: string): string {
  const base = new URL(address);
  const { username: ownUser, password: ownPassword } = base;
  [base.username, base.password] = ["", ""];
  let resolved: URL;
  try {
    resolved = new URL(url, base);
  } catch (error) {
    throw refused("RELEASE_SCHEMA", "files: a url is no address", error);
  }
  const { protocol, origin, username, password } = resolved;
  const isAllowed = origin === base.origin || protocol === "https:";
  if (isAllowed && username === "" && password === "") {
    if (origin === base.origin) [resolved.username, resolved.password] = [ownUser, ownPassword];
    return resolved.href;
  }
  throw refused("RELEASE_SCHEMA", "files: a url is neither relative nor https, or holds a user");
}

function contentIdOf(files: readonly { readonly path: string; readonly sha256: string }[]): string {
  const lines = files.map(({ path, sha256 }) => `${path} ${sha256}\n`).sort();
  return createHash("sha256").update(lines.join("")).digest("hex");
}

function refused(code: string, why: string, cause?: unknown): AgentError {
  return new AgentError(code, `checking a release: ${why}`, { disposition: "reject", cause });
}
