import { isDeepStrictEqual } from "node:util";

import type { Exchange, RecordedPart, RecordedRequest } from "./fixture.ts";

/** One place in which a request of ours is not the vendor's. A side that has nothing there is undefined. */
export interface Difference {
  readonly where: string;
  readonly ours?: unknown;
  readonly theirs?: unknown;
}

/**
 * A difference that is meant. `where` is `CASE METHOD PATH field.field`, or `CASE missing|extra METHOD PATH` for a whole
 * request; `*` stands for any text. `ours` and `theirs` are compared where they are given.
 */
export interface StatedDifference extends Difference {
  readonly why: string;
}

/** Our requests against the recorded ones. They are paired in order by method and path; the rest is missing or extra. */
export function differencesOf(
  name: string,
  ours: readonly RecordedRequest[],
  theirs: readonly Exchange[],
): readonly Difference[] {
  const recorded = theirs.map(({ request }) => request);
  const pairs = longestPairing(ours, recorded);
  const found: Difference[] = [];
  for (const [index, request] of recorded.entries()) {
    if (!pairs.some(([, theirIndex]) => theirIndex === index))
      found.push({ where: `${name} missing ${lineOf(request)}` });
  }
  for (const [index, request] of ours.entries()) {
    const pair = pairs.find(([ourIndex]) => ourIndex === index);
    const partner = pair === undefined ? undefined : recorded[pair[1]];
    if (partner === undefined) found.push({ where: `${name} extra ${lineOf(request)}` });
    else compare(`${name} ${lineOf(request)} `, comparable(request), comparable(partner), found);
  }
  return found;
}

/** What no statement covers, and the statements that cover nothing. */
export function judge(
  found: readonly Difference[],
  stated: readonly StatedDifference[],
): { readonly unexplained: readonly Difference[]; readonly used: readonly StatedDifference[] } {
  const used = new Set<StatedDifference>();
  const unexplained = found.filter((difference) => {
    const reason = stated.find((statement) => covers(statement, difference));
    if (reason !== undefined) used.add(reason);
    return reason === undefined;
  });
  return { unexplained, used: [...used] };
}

function covers(statement: StatedDifference, { where, ours, theirs }: Difference): boolean {
  const pattern = statement.where
    .split("*")
    .map((text) => text.replace(/[.+?^${}()|[\]\\]/g, "\\$&"))
    .join(".*");
  return (
    new RegExp(`^${pattern}$`).test(where) &&
    (!("ours" in statement) || isDeepStrictEqual(statement.ours, ours)) &&
    (!("theirs" in statement) || isDeepStrictEqual(statement.theirs, theirs))
  );
}

function lineOf({ method, path }: RecordedRequest): string {
  return `${method} ${path}`;
}

/** The order of a query and of a form says nothing; that of parts and of array elements does. */
function comparable({ headers, query, body }: RecordedRequest): object {
  const request = { headers, query: Object.fromEntries(query) };
  switch (body.kind) {
    case "form":
      return { ...request, body: { kind: "form", fields: Object.fromEntries(body.fields) } };
    case "multipart":
      return { ...request, body: { kind: "multipart", ...partsByName(body.parts) } };
    default:
      return { ...request, body };
  }
}

/** So that one part more does not make all that follow it different. Of parts of one name the second is `name#2`. */
function partsByName(parts: readonly RecordedPart[]): object {
  const byName = new Map<string, RecordedPart>();
  for (const part of parts) {
    const same = parts.slice(0, parts.indexOf(part)).filter(({ name }) => name === part.name).length;
    byName.set(same === 0 ? part.name : `${part.name}#${same + 1}`, part);
  }
  return { order: parts.map(({ name }) => name).join(", "), parts: Object.fromEntries(byName) };
}

function compare(where: string, ours: unknown, theirs: unknown, found: Difference[]): void {
  if (isDeepStrictEqual(ours, theirs)) return;
  if (!isComposite(ours) || !isComposite(theirs) || Array.isArray(ours) !== Array.isArray(theirs)) {
    found.push({ where, ours, theirs });
    return;
  }
  const separator = where.endsWith(" ") ? "" : ".";
  for (const key of new Set([...Object.keys(ours), ...Object.keys(theirs)])) {
    compare(`${where}${separator}${key}`, ours[key], theirs[key], found);
  }
}

function isComposite(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null;
}

/** The longest common subsequence by method and path. */
function longestPairing(
  ours: readonly RecordedRequest[],
  theirs: readonly RecordedRequest[],
): readonly (readonly [number, number])[] {
  const width = theirs.length + 1;
  const lengths = new Uint16Array((ours.length + 1) * width);
  const length = (a: number, b: number): number => lengths[a * width + b] ?? 0;
  const isSame = (a: number, b: number): boolean => {
    const [our, their] = [ours[a], theirs[b]];
    return our !== undefined && their !== undefined && lineOf(our) === lineOf(their);
  };
  for (let a = ours.length - 1; a >= 0; a -= 1) {
    for (let b = theirs.length - 1; b >= 0; b -= 1) {
      lengths[a * width + b] = isSame(a, b) ? length(a + 1, b + 1) + 1 : Math.max(length(a + 1, b), length(a, b + 1));
    }
  }
  const pairs: [number, number][] = [];
  for (let a = 0, b = 0; a < ours.length && b < theirs.length;) {
    if (isSame(a, b)) pairs.push([a++, b++]);
    else if (length(a + 1, b) >= length(a, b + 1)) a += 1;
    else b += 1;
  }
  return pairs;
}
