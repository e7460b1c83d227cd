import { closeSync, fsyncSync, openSync, readFileSync, renameSync, rmSync, writeSync } from "node:fs";
import { errnoOf } from "../../core/errors.ts";
import { spoolLimits } from "../../core/spool-limits.ts";
import { checkValueOf, keyMissing, keyWrong, RecordCipher } from "../cipher.ts";
import { diskError } from "../files.ts";
import type { Layout } from "../layout.ts";
import { flushFolder, tryEncrypted } from "./disk.ts";

/**
 * Whether the configured key is the one of the folder's encrypted records, settled before any record is looked at: with
 * a wrong key, or none, each of them would pass for damaged. A refusal changes nothing in the folder.
 *
 * The file `key` holds a value that only the right key yields. It is written before the first record is encrypted, and
 * counts for nothing once no encrypted record is left. Where it does not agree, the records themselves are tried, for it
 * may be the file that is wrong: damaged, or lost.
 */
export interface KeyQuestion {
  readonly layout: Layout;
  readonly key: Uint8Array | undefined;
  /** Encrypted records that the index knows. */
  readonly encryptedRecords: number;
  /** Files after this sequence are not in the index. */
  readonly highWater: number;
  /** Makes the index durable. */
  readonly flush: () => void;
}

/**
 * The cipher for this folder, if a key is configured. Fails with `SPOOL_KEY_MISSING` or `SPOOL_KEY_WRONG`. The index is
 * made durable before an old check value goes: in a power cut it must not fall back to records of the old key.
 */
export function admitKey(question: KeyQuestion): RecordCipher | undefined {
  const { layout, key, encryptedRecords, flush } = question;
  const written = readCheckValue(layout);
  if (key === undefined) {
    // Nothing was encrypted without that file. Should somebody have removed it, the recovery stops at the first record.
    const encrypted = encryptedRecords > 0 || (written !== undefined && holdsUnknownEncrypted(question));
    if (encrypted) throw keyMissing(layout.folder);
    if (written === undefined) return undefined;
    flush();
    removeCheckValue(layout);
    return undefined;
  }
  const checkValue = checkValueOf(key);
  const cipher = new RecordCipher(key);
  if (written === checkValue) return cipher;
  const encrypted = encryptedRecords > 0 || holdsUnknownEncrypted(question);
  if (encrypted && !fits(layout, cipher)) throw keyWrong(layout.folder);
  flush();
  writeCheckValue(layout, checkValue);
  return cipher;
}

/** The value differs, or is gone, and may be damaged itself: a key that decrypts a record is the right one. */
function fits(layout: Layout, cipher: RecordCipher): boolean {
  return tryEncrypted(layout, 0, spoolLimits.keyProbesMax, cipher) !== "refused";
}

/** After a lost index, or a power cut that it fell back in, the files know more than the index. */
function holdsUnknownEncrypted({ layout, highWater }: KeyQuestion): boolean {
  return tryEncrypted(layout, highWater + 1, 1) !== "none";
}

/** Undefined when there is no such file; what was cut or overwritten is no check value. */
function readCheckValue({ key }: Layout): string | undefined {
  try {
    return readFileSync(key, "utf8").trim();
  } catch (error) {
    if (errnoOf(error) === "ENOENT") return undefined;
    throw diskError("read", key, error);
  }
}

/** Durable before the first record that needs it. */
function writeCheckValue({ folder, key }: Layout, checkValue: string): void {
  const path = `${key}.tmp`;
  try {
    const file = openSync(path, "w", 0o640);
    try {
      writeSync(file, `${checkValue}\n`);
      fsyncSync(file);
    } finally {
      closeSync(file);
    }
    renameSync(path, key);
  } catch (error) {
    throw diskError("write", key, error);
  }
  flushFolder(folder);
}

function removeCheckValue({ folder, key }: Layout): void {
  try {
    rmSync(key, { force: true });
  } catch (error) {
    throw diskError("remove", key, error);
  }
  flushFolder(folder);
}
