import { asAgentError } from "../core/errors.ts";
import { spoolLimits } from "../core/spool-limits.ts";
import type { QueueCheck, QueueFinding } from "../core/queue.ts";
import type { StoredRecord } from "../core/types.ts";
import { priorityOf } from "./envelope.ts";
import type { EnvelopeFiles } from "./files.ts";
import type { IndexClient } from "./index/client.ts";
import type { InspectedRow, RowFacts } from "./index/inspection.ts";
import type { Mending } from "./index/mending.ts";
import type { Leases } from "./leases.ts";
import type { Room } from "./room.ts";

export interface VerifierParts {
  readonly index: IndexClient;
  readonly files: EnvelopeFiles;
  readonly room: Room;
  readonly leases: Leases;
  readonly lastSequence: () => number;
}

interface Problem {
  readonly code: string;
  /** Without the record's number. */
  readonly what: string;
  readonly mend: Mend;
}

/** What a repair does about it; `said` follows the finding's words. */
type Mend =
  | { readonly kind: "none" }
  | { readonly kind: "give-up"; readonly why: "damaged" | "missing"; readonly said: string }
  | { readonly kind: "mend"; readonly mending: Mending; readonly said: string };

const nothing: Mend = { kind: "none" };

/**
 * Checks the spool's invariants while it works. The index thread tells what it knows at one moment; the files are read
 * here, every byte, and what was found in one is only believed when its row is still there afterwards: a record may
 * finish at any time, and its file goes after its row (invariant I4).
 */
export class Verifier {
  readonly #parts: VerifierParts;

  constructor(parts: VerifierParts) {
    this.#parts = parts;
  }

  /** One step. With `repair` each finding says what was done about it. */
  async check(afterSequence: number, repair: boolean): Promise<QueueCheck> {
    const { index, lastSequence } = this.#parts;
    const page = await index.call("inspect", afterSequence, lastSequence());
    const findings: QueueFinding[] = [];
    for (const row of page.rows) {
      const problem = await this.#problemOf(row);
      if (problem === undefined || !(await index.call("hasRow", row.sequence))) continue;
      findings.push(await this.#finding(row.sequence, problem, repair));
    }
    for (const sequence of page.withoutRecord) {
      findings.push(await this.#finding(sequence, withoutRecord(sequence), repair));
    }
    for (const sequence of page.withoutRow) {
      findings.push(await this.#finding(sequence, withoutRow(sequence), repair));
    }
    findings.push(...page.unlisted.map(unlisted));
    if (page.done) findings.push(...(await this.#totals(repair)));
    const { rows, done } = page;
    return { recordsChecked: rows.length, findings, lastSequence: page.lastSequence, done };
  }

  /** The worst that is wrong with one record. */
  async #problemOf(row: InspectedRow): Promise<Problem | undefined> {
    const { files } = this.#parts;
    const { sequence } = row;
    try {
      const metadata = await files.readMetadata(sequence);
      if (!metadata.ok) return damaged(metadata.damage);
      const image = await files.readImage(sequence);
      if (!image.ok) return damaged(image.damage);
      const bytes = await files.sizeBytes(sequence);
      if (bytes === undefined) return damaged("missing");
      const { record, owedTo } = metadata.value;
      return differing(row, factsOf(record, bytes)) ?? notOwed(row, owedTo);
    } catch (error) {
      const { code, message } = asAgentError(error, `read record ${sequence}`);
      return { code: "RECORD_UNREADABLE", what: `its file cannot be read: ${message} (${code})`, mend: nothing };
    }
  }

  async #totals(repair: boolean): Promise<readonly QueueFinding[]> {
    const { index } = this.#parts;
    const { wrong, highWater, newest } = await index.call("inspectTotals");
    const findings = wrong.map(({ name, kept, counted }) => ({
      code: "COUNTER_WRONG",
      message: `counter ${name} says ${kept}, and ${counted} are there`,
    }));
    if (highWater < newest) {
      const message = `the index speaks of record ${newest}, and says that ${highWater} was the last`;
      findings.push({ code: "HIGH_WATER_LOW", message });
    }
    if (!repair || findings.length === 0) return findings;
    await this.#mend({ kind: "totals" });
    return findings.map(({ code, message }) => ({ code, message: `${message}: corrected` }));
  }

  async #finding(sequence: number, { code, what, mend }: Problem, repair: boolean): Promise<QueueFinding> {
    const done = repair ? await this.#repaired(sequence, mend) : undefined;
    return { code, sequence, message: `record ${sequence}: ${what}${done === undefined ? "" : `: ${done}`}` };
  }

  async #repaired(sequence: number, mend: Mend): Promise<string | undefined> {
    const { index, leases, room } = this.#parts;
    switch (mend.kind) {
      case "none":
        return undefined;
      case "mend":
        return (await this.#mend(mend.mending)) ? mend.said : "could not be mended";
      case "give-up":
        return await leases.excluding(async (leased) => {
          if (leased.includes(sequence)) return "left alone, it is being sent";
          room.stored(await index.call("giveUp", sequence, mend.why));
          return mend.said;
        });
    }
  }

  async #mend(mending: Mending): Promise<boolean> {
    const { mended, onDisk } = await this.#parts.index.call("mend", mending);
    this.#parts.room.stored(onDisk);
    return mended;
  }
}

function factsOf(record: StoredRecord, bytes: number): RowFacts {
  const { sequence, id, imageBytes } = record;
  return { sequence, id, priority: priorityOf(record), imageBytes, bytes };
}

/** Lost already, so to count it as lost is no further loss. */
function damaged(damage: string): Problem {
  return damage === "missing"
    ? { code: "RECORD_MISSING", what: "its file is gone", mend: { kind: "give-up", why: "missing", said: "counted" } }
    : {
        code: "RECORD_DAMAGED",
        what: damage,
        mend: { kind: "give-up", why: "damaged", said: "set aside and counted" },
      };
}

function differing(row: InspectedRow, file: RowFacts): Problem | undefined {
  // What an operator has put first stands in the index alone.
  const putFirst = row.priority === spoolLimits.topPriority && file.priority < row.priority;
  const differences = (["id", "priority", "imageBytes", "bytes"] as const)
    .filter((key) => row[key] !== file[key] && !(key === "priority" && putFirst))
    .map((key) => `${key} is ${row[key]} in the index and ${file[key]} in its file`);
  if (row.deliveriesAstray > 0) differences.push(`${row.deliveriesAstray} of its deliveries have another priority`);
  if (differences.length === 0) return undefined;
  const mend = { kind: "mend", mending: { kind: "row", facts: file }, said: "corrected" } as const;
  return { code: "RECORD_DIFFERS", what: differences.join(", "), mend };
}

function notOwed({ sequence, deliveries }: InspectedRow, targetIds: readonly string[]): Problem | undefined {
  if (deliveries > 0) return undefined;
  const mend = { kind: "mend", mending: { kind: "owe", sequence, targetIds }, said: "owed again" } as const;
  return { code: "RECORD_NOT_OWED", what: "it is owed to nobody", mend };
}

function withoutRecord(sequence: number): Problem {
  const mend = { kind: "mend", mending: { kind: "deliveries", sequence }, said: "mended" } as const;
  return { code: "DELIVERY_WITHOUT_RECORD", what: "it is owed, and not in the index", mend };
}

function withoutRow(sequence: number): Problem {
  const mend = { kind: "mend", mending: { kind: "file", sequence }, said: "set aside" } as const;
  return { code: "FILE_WITHOUT_RECORD", what: "its file lies there, and it is not in the index", mend };
}

function unlisted(shard: number): QueueFinding {
  const message = `folder ${shard} of the spool's data cannot be listed, or could not at the start: its records wait for a later start`;
  return { code: "FOLDER_UNLISTED", message };
}
