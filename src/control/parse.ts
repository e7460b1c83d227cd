import { AgentError } from "../core/errors.ts";
import type { SpoolListing } from "../core/ports.ts";
import type { DeliverySelection, HoldRequest, ListPage, MovedDelivery, MovedRecord, SentPage } from "../core/queue.ts";

/** What arrives over the socket, there and back, is foreign until it went through here. */

type Foreign = Readonly<Record<string, unknown>>;

export function malformed(expected: string, cause?: unknown): AgentError {
  const message = `talk over the control socket: ${expected} was expected, and something else came`;
  return new AgentError("CONTROL_MALFORMED", message, { disposition: "reject", cause });
}

export function objectOf(value: unknown, what: string): Foreign {
  if (typeof value !== "object" || value === null || Array.isArray(value)) throw malformed(what);
  return value as Foreign;
}

export function arrayOf<T>(value: unknown, what: string, parse: (item: unknown) => T): readonly T[] {
  if (!Array.isArray(value)) throw malformed(what);
  return value.map(parse);
}

export function textOf(value: unknown, what: string): string {
  if (typeof value !== "string") throw malformed(what);
  return value;
}

export function numberOf(value: unknown, what: string): number {
  if (typeof value !== "number" || !Number.isFinite(value)) throw malformed(what);
  return value;
}

/** Whole and not negative: a sequence, a count. */
export function countOf(value: unknown, what: string): number {
  if (typeof value !== "number" || !Number.isSafeInteger(value) || value < 0) throw malformed(what);
  return value;
}

export function truthOf(value: unknown, what: string): boolean {
  if (typeof value !== "boolean") throw malformed(what);
  return value;
}

/** `{ [key]: parsed }`, or nothing where there is none: absent stays absent. */
export function optional<K extends string, T>(
  from: Foreign,
  key: K,
  parse: (value: unknown, what: string) => T,
): { readonly [P in K]?: T } {
  const value = from[key];
  return value === undefined ? {} : ({ [key]: parse(value, key) } as { readonly [P in K]: T });
}

export function stateOf(value: unknown): NonNullable<DeliverySelection["state"]> {
  if (value === "pending" || value === "quarantined" || value === "held") return value;
  throw malformed("a state of deliveries");
}

export function selectionOf(value: unknown): DeliverySelection {
  const from = objectOf(value, "a selection");
  return {
    ...optional(from, "targetId", textOf),
    ...optional(from, "state", stateOf),
    ...optional(from, "sequence", countOf),
    ...optional(from, "upToSequence", countOf),
    ...optional(from, "cameraId", textOf),
    ...optional(from, "label", textOf),
  };
}

export function listPageOf(value: unknown, recordsMax: number): ListPage {
  const from = objectOf(value, "a page");
  return {
    afterSequence: countOf(from["afterSequence"], "a sequence"),
    recordsMax: Math.min(countOf(from["recordsMax"], "a number of records"), recordsMax),
    ...optional(from, "targetId", textOf),
    ...optional(from, "state", stateOf),
  };
}

export function sentPageOf(value: unknown): SentPage {
  const from = objectOf(value, "a page");
  return {
    entriesMax: countOf(from["entriesMax"], "a number of entries"),
    ...optional(from, "before", countOf),
    ...optional(from, "targetId", textOf),
    ...optional(from, "record", textOf),
  };
}

export function deliveriesOf(value: unknown): SpoolListing["deliveries"] {
  return arrayOf(value, "deliveries", (item) => {
    const from = objectOf(item, "a delivery");
    return {
      targetId: textOf(from["targetId"], "a target"),
      state: stateOf(from["state"]),
      attempts: countOf(from["attempts"], "a number of attempts"),
      ...optional(from, "cursor", textOf),
      ...optional(from, "error", textOf),
    };
  });
}

export function holdRequestOf(value: unknown): HoldRequest {
  const from = objectOf(value, "what to hold");
  return {
    exportId: textOf(from["exportId"], "an id"),
    folder: textOf(from["folder"], "a folder"),
    recordsMax: countOf(from["recordsMax"], "a number of records"),
    ...optional(from, "targetId", textOf),
  };
}

export function movedRecordOf(value: unknown, envelope: Buffer): MovedRecord {
  const from = objectOf(value, "a moved record");
  return {
    envelope,
    from: textOf(from["from"], "a place"),
    deliveries: deliveriesOf(from["deliveries"]).map(movedDeliveryOf),
    ...optional(from, "keyCheck", textOf),
  };
}

function movedDeliveryOf({ state, ...delivery }: SpoolListing["deliveries"][number]): MovedDelivery {
  if (state === "held") throw malformed("a state before a move");
  return { ...delivery, state };
}
