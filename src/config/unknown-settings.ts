import { z } from "zod";
import { isFields, type Fields } from "./overlay.ts";
import { hasPlaceholder } from "./placeholders.ts";
import { valueAt } from "./schema-walk.ts";
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

/**
 * Settings whose value a schema refuses, where its default may serve instead. Only of a text with which an earlier version
 * ran: of any other it may be a slip in what has just been changed.
 */
export function refusedValues(schema: z.ZodType, value: unknown): readonly ConfigPath[] {
  const parsed = schema.safeParse(value);
  if (parsed.success) return [];
  const paths = parsed.error.issues
    .filter(({ code }) => code !== "unrecognized_keys")
    .map(({ path }) => settingOf(path.map((step) => (typeof step === "number" ? step : String(step)))))
    .filter((path) => mayBeDefault(path, valueAt(value, path)));
  return [...new Map(paths.map((path) => [path.join("."), path])).values()];
}

/** A list is one setting, but those of cameras and targets. */
function settingOf(path: ConfigPath): ConfigPath {
  const list = path.findIndex((step, index) => typeof step === "number" && index > 1);
  return list === -1 ? path : path.slice(0, list);
}

/** What bounds or shapes the sending. All else of a target says where pictures go, or which. */
const targetTuning: readonly unknown[] = ["reduce", "batch", "backlog", "newestShare"];
/** Which camera it is, and what of it is seen: another one would come under its name. */
const cameraSource = /driver|device|camera|input|url|path|program|args|user|pass|roi|crop|rotat|flip/i;

function mayBeDefault(path: ConfigPath, value: unknown): boolean {
  const [section, , setting] = path;
  if (value === undefined || typeof path.at(-1) !== "string") return false;
  if (section === "version" || section === "dataDir" || section === "device") return false;
  if (section === "cameras" && (setting === undefined || path.slice(2).some((step) => cameraSource.test(String(step)))))
    return false;
  if (section === "targets" && !targetTuning.includes(setting)) return false;
  return leaves(value, path).every((leaf) => !isProtective(leaf) && !isPlaceholder(leaf.value));
}

/** What it stands for may be right. */
function isPlaceholder(value: unknown): boolean {
  return typeof value === "string" && hasPlaceholder(value);
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
