import { stateLimits } from "../core/limits.ts";
import { modelLimits } from "../core/model-limits.ts";
import type { ModelRef } from "../models/store.ts";
import { StateFile } from "../state/state-file.ts";

/** What has to be known of models after a crash. */
export interface ModelBooks {
  /** The latest time seen while the clock was synchronised; 0 where it never was. */
  readonly clockSeenMs: number;
  /** The last release that was taken. Settled: in use, or refused. */
  readonly last?: {
    readonly sequence: number;
    readonly contentId: string;
    readonly isSettled: boolean;
    /** Proofs begun and not ended. */
    readonly proofs: number;
  };
  readonly refused: readonly Refusal[];
  /** From before the change of links until the model is trusted, or gone back. */
  readonly probation?: ProbationBooks;
  /** What updates have installed: removed once neither in use nor the one before. */
  readonly fetched: readonly ModelRef[];
}

export interface Refusal {
  readonly contentId: string;
  /** `NAME@VERSION`. */
  readonly model: string;
  readonly sequence: number;
  readonly why: string;
  readonly atMs: number;
}

export interface ProbationBooks {
  readonly model: ModelRef;
  /** The last one that is trusted; absent for the one that ships. */
  readonly before?: ModelRef;
  /** One that was in use and on probation itself when this came: for an operator who goes back, not for failures. */
  readonly instead?: ModelRef;
  /** Of the release that it came with. */
  readonly contentId?: string;
  readonly sequence?: number;
  /** Absent: it may be as slow as it is. */
  readonly runMsMax?: number;
  /** Agents that ran it and did not end as they should. */
  readonly badEnds: number;
  /** Until the agent ends as it should. */
  readonly isRunning: boolean;
  /** Why it has to go back: the decision holds though a crash comes between. */
  readonly failed?: string;
}

/** `state/models.json`. Fails as `StateFile.open` does. */
export async function openModelBooks(path: string): Promise<StateFile<ModelBooks>> {
  return StateFile.open<ModelBooks>({
    path,
    version: 1,
    bytesMax: stateLimits.modelsBytesMax,
    parse: booksOf,
    initial: () => ({ clockSeenMs: 0, refused: [], fetched: [] }),
  });
}

/** A refusal is the answer to a release; what came without one is an operator's own. */
export function refusing(books: ModelBooks, refusal: Refusal): ModelBooks {
  const others = books.refused.filter(({ contentId }) => contentId !== refusal.contentId);
  return settled({ ...books, refused: [...others, refusal].slice(-modelLimits.refusalsMax) }, refusal.contentId);
}

export function settled(books: ModelBooks, contentId: string): ModelBooks {
  if (books.last?.contentId !== contentId) return books;
  return { ...books, last: { ...books.last, isSettled: true, proofs: 0 } };
}

export function withoutProbation({ clockSeenMs, last, refused, fetched }: ModelBooks): ModelBooks {
  return { clockSeenMs, ...(last === undefined ? {} : { last }), refused, fetched };
}

export function nameOf(ref: ModelRef): string {
  return `${ref.name}@${ref.version}`;
}

export function isSame(a: ModelRef | undefined, b: ModelRef | undefined): boolean {
  return a?.name === b?.name && a?.version === b?.version;
}

// --------------------------------------------------------------------------------------------------------- parsing

type Foreign = Readonly<Record<string, unknown>>;

function booksOf(value: unknown): ModelBooks {
  const { clockSeenMs, last, refused, probation, fetched } = objectOf(value);
  return {
    clockSeenMs: numberOf(clockSeenMs),
    ...(last === undefined ? {} : { last: lastOf(last) }),
    refused: listOf(refused).map(refusalOf),
    ...(probation === undefined ? {} : { probation: probationOf(probation) }),
    fetched: listOf(fetched).map(refOf),
  };
}

function lastOf(value: unknown): NonNullable<ModelBooks["last"]> {
  const from = objectOf(value);
  return {
    sequence: numberOf(from["sequence"]),
    contentId: textOf(from["contentId"]),
    isSettled: from["isSettled"] === true,
    proofs: numberOf(from["proofs"]),
  };
}

function refusalOf(value: unknown): Refusal {
  const from = objectOf(value);
  return {
    contentId: textOf(from["contentId"]),
    model: textOf(from["model"]),
    sequence: numberOf(from["sequence"]),
    why: textOf(from["why"]),
    atMs: numberOf(from["atMs"]),
  };
}

function probationOf(value: unknown): ProbationBooks {
  const { model, before, instead, contentId, sequence, runMsMax, badEnds, isRunning, failed } = objectOf(value);
  return {
    model: refOf(model),
    ...(before === undefined ? {} : { before: refOf(before) }),
    ...(instead === undefined ? {} : { instead: refOf(instead) }),
    ...(contentId === undefined ? {} : { contentId: textOf(contentId) }),
    ...(sequence === undefined ? {} : { sequence: numberOf(sequence) }),
    ...(runMsMax === undefined ? {} : { runMsMax: numberOf(runMsMax) }),
    badEnds: numberOf(badEnds),
    isRunning: isRunning === true,
    ...(failed === undefined ? {} : { failed: textOf(failed) }),
  };
}

function refOf(value: unknown): ModelRef {
  const { name, version } = objectOf(value);
  return { name: textOf(name), version: textOf(version) };
}

function objectOf(value: unknown): Foreign {
  if (typeof value === "object" && value !== null && !Array.isArray(value)) return value as Foreign;
  throw new Error("they are no books of models");
}

function listOf(value: unknown): readonly unknown[] {
  if (Array.isArray(value)) return value;
  throw new Error("a list is missing");
}

function textOf(value: unknown): string {
  if (typeof value === "string") return value;
  throw new Error("a text is missing");
}

function numberOf(value: unknown): number {
  if (typeof value === "number" && Number.isFinite(value)) return value;
  throw new Error("a number is missing");
}
