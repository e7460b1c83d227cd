import { z } from "zod";
import { isFields, type Fields } from "./overlay.ts";
import type { ConfigPath } from "./yaml.ts";

/**
 * What a last good config may do without. A section that this version does not know belongs to something that it does not
 * do, and a setting of a camera or of the buffer makes a picture other or a bound wider. What protects people is never
 * left out, under whatever name it may come: neither is anything of a target, where the filters stand, nor of what lets
 * others in.
 */
const protectiveWord =
  /priva|mask|blur|redact|anonym|local|hide|consent|keep|encrypt|filter|label|deny|allow|retain|picture/i;
const protectiveSections: readonly string[] = ["targets", "remote", "web"];

export function isProtectiveText(text: string): boolean {
  return protectiveWord.test(text);
}

/** Settings that a schema does not know, as far as they can be told from what is wrong. */
export function unknownSettings(schema: z.ZodType, value: unknown): readonly ConfigPath[] {
  const parsed = schema.safeParse(value);
  if (parsed.success) return [];
  return parsed.error.issues.flatMap((issue) => {
    if (issue.code !== "unrecognized_keys") return [];
    const path = issue.path.map((step) => (typeof step === "number" ? step : String(step)));
    return issue.keys.map((key) => [...path, key]);
  });
}

/** Whether a config that worked may be used without it. */
export function mayBeLeftOut(path: ConfigPath): boolean {
  const [section] = path;
  if (path.some((step) => typeof step === "string" && isProtectiveText(step))) return false;
  return path.length === 1 || !protectiveSections.includes(String(section));
}

/** The same value without what lies at `path`. */
export function without(value: unknown, path: ConfigPath): unknown {
  const [step, ...rest] = path;
  if (Array.isArray(value)) {
    return value.map((item: unknown, index) => (index === step ? without(item, rest) : item));
  }
  if (!isFields(value) || step === undefined) return value;
  const entries = Object.entries(value);
  if (rest.length === 0) return Object.fromEntries(entries.filter(([key]) => key !== step));
  return Object.fromEntries(entries.map(([key, item]) => [key, key === step ? without(item, rest) : item]));
}

/**
 * What a config says for the protection of people, where pictures come from and go, and whom it lets in: as lines that can
 * be compared.
 */
export function protections(document: unknown): readonly string[] {
  return isFields(document) ? leaves(document, []).filter(isProtective).map(lineOf).sort() : [];
}

interface Leaf {
  readonly path: ConfigPath;
  readonly value: unknown;
}

function leaves(value: unknown, path: ConfigPath): readonly Leaf[] {
  if (Array.isArray(value) && value.length > 0) {
    return value.flatMap((item: unknown, index) => leaves(item, [...path, nameOf(item) ?? index]));
  }
  if (!isFields(value) || Object.keys(value).length === 0) return [{ path, value }];
  return Object.entries(value).flatMap(([key, item]) => leaves(item, [...path, key]));
}

/** That another camera came before it changes nothing. */
function nameOf(item: unknown): string | undefined {
  const id: unknown = (isFields(item) ? item : ({} satisfies Fields))["id"];
  return typeof id === "string" ? id : undefined;
}

function isProtective({ path }: Leaf): boolean {
  const [section, , setting] = path;
  if (section === "remote" || section === "web") return true;
  const isItem = section === "cameras" || section === "targets";
  if (isItem && (setting === "id" || setting === "enabled" || setting === "schedule")) return true;
  if (section === "targets" && /score|include/i.test(String(setting))) return true;
  return path.some((step) => typeof step === "string" && isProtectiveText(step));
}

function lineOf({ path, value }: Leaf): string {
  return `${path.join(".")}: ${JSON.stringify(value)}`;
}
