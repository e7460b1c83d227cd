import { AgentError } from "../core/errors.ts";
import { mask } from "../core/mask.ts";
import { difference, isFields, leafPaths, unnamedList, type Fields } from "./overlay.ts";
import { valueAt } from "./schema-walk.ts";

/** What a remote command may change. */

export type ChangeClass =
  /** Whoever may change the config. */
  | "config"
  /** Only with the scope admin: what can stop collecting, lose records, or change who commands this device. */
  | "admin"
  /** The same, and only to an address in a network. */
  | "address"
  /** By nobody from afar: what runs programs or names files and devices, keys, and what is hidden. */
  | "never";

/** By class the paths of all settings; `*` stands for an id, a place in a list, or a key that the operator chose. */
export type ChangeRules = Readonly<Record<ChangeClass, readonly string[]>>;

export interface ChangeAttempt {
  /** Both as they are written, cameras and targets as objects by their id. */
  readonly before: Fields;
  readonly after: Fields;
  readonly patch: Fields;
  readonly isAdmin: boolean;
}

/** No setting lies deeper. */
const depthMax = 12;

const networkAddress = /^(https?|rtsps?|mqtts?):\/\/[^\s]+$/;

/**
 * Every path that differs, and every one that the patch names. Fails with `CONFIG_PATCH_…` or `COMMAND_FORBIDDEN`; the
 * fact `path` is a JSON pointer.
 */
export function checkAccess(rules: ChangeRules, { before, after, patch, isAdmin }: ChangeAttempt): void {
  const tree = treeOf(rules);
  for (const path of [...changedPaths(before, after), ...namedPaths(patch)]) {
    const kind = classOf(tree, path);
    const pointer = pointerOf(path);
    // What the schema does not know either has been refused by it.
    if (kind === undefined || kind === "never") {
      const message = `${pointer}: is not changed by a command: it names a file, device or program, or is a key or about privacy`;
      throw refusal("CONFIG_PATCH_NEVER", message, pointer);
    }
    if (kind !== "config" && !isAdmin) throw refusal("COMMAND_FORBIDDEN", `${pointer}: needs the scope admin`, pointer);
    const value = valueAt(after, path);
    if (kind === "address" && value !== undefined && !(typeof value === "string" && networkAddress.test(value))) {
      throw refusal("CONFIG_PATCH_ADDRESS", `${pointer}: expected an address in a network`, pointer);
    }
  }
}

/**
 * Before anything else is done with a patch: a placeholder would read files, and a mask was copied from an answer. Fails
 * with `CONFIG_PATCH_…`.
 */
export function checkPatch(patch: Fields): void {
  const list = unnamedList(patch);
  if (list !== undefined) {
    throw refusal("CONFIG_PATCH_LIST", `/${list}: expected an object with an id for each of them`, `/${list}`);
  }
  checkTexts(patch, []);
}

function checkTexts(value: unknown, path: readonly string[]): void {
  if (path.length > depthMax) throw refusal("CONFIG_PATCH_DEPTH", "it is nested too deeply", "");
  if (typeof value === "object" && value !== null) {
    for (const [key, item] of Object.entries(value)) checkTexts(item, [...path, key]);
    return;
  }
  if (typeof value !== "string") return;
  const pointer = pointerOf(path);
  if (value.includes("${")) {
    throw refusal("CONFIG_PATCH_PLACEHOLDER", `${pointer}: placeholders stand in the config file alone`, pointer);
  }
  if (value.includes(mask)) {
    throw refusal("CONFIG_PATCH_MASK", `${pointer}: is the mask of a secret, not the secret`, pointer);
  }
}

/** Also what is gone with something around it, and every item of a list that differs. */
export function changedPaths(before: Fields, after: Fields): readonly (readonly string[])[] {
  const changes = difference(before, after);
  if (changes === undefined) return [];
  return leafPaths(changes).flatMap((path) => {
    const both = [valueAt(before, path), valueAt(after, path)].flatMap((value) => everyPath(value, path));
    return [...new Map(both.map((below) => [pointerOf(below), below])).values()];
  });
}

/** What it takes away is what differs, down to every setting that is gone. */
function namedPaths(patch: Fields): readonly (readonly string[])[] {
  return Object.keys(patch).length === 0 ? [] : everyPath(patch, []).filter((path) => valueAt(patch, path) !== null);
}

function everyPath(value: unknown, path: readonly string[]): readonly (readonly string[])[] {
  if (value === undefined) return [];
  const items = Array.isArray(value) ? value.entries() : isFields(value) ? Object.entries(value) : [];
  const below = [...items].flatMap(([key, item]) => everyPath(item, [...path, String(key)]));
  return below.length === 0 ? [path] : below;
}

interface Tree {
  readonly kind?: ChangeClass;
  readonly below: ReadonlyMap<string, Tree>;
}

function treeOf(rules: ChangeRules): Tree {
  interface Growing {
    kind?: ChangeClass;
    readonly below: Map<string, Growing>;
  }
  const root: Growing = { below: new Map() };
  for (const kind of strictness) {
    for (const pattern of rules[kind]) {
      let here = root;
      for (const step of pattern.split(".")) {
        const next: Growing = here.below.get(step) ?? { below: new Map() };
        here.below.set(step, next);
        here = next;
      }
      here.kind = kind;
    }
  }
  return root;
}

const strictness: readonly ChangeClass[] = ["config", "admin", "address", "never"];

/** Of something that holds others, the strictest of them: it stands for all that could be in it. */
export function classOf(tree: Tree, path: readonly string[]): ChangeClass | undefined {
  let here: Tree | undefined = tree;
  for (const step of path) here = here?.below.get(step) ?? here?.below.get("*");
  return here === undefined ? undefined : strictest(here);
}

function strictest({ kind, below }: Tree): ChangeClass | undefined {
  const kinds = [kind, ...[...below.values()].map(strictest)];
  return strictness.findLast((each) => kinds.includes(each));
}

/** RFC 6901. */
export function pointerOf(path: readonly PropertyKey[]): string {
  return path.map((step) => `/${String(step).replaceAll("~", "~0").replaceAll("/", "~1")}`).join("");
}

function refusal(code: string, message: string, path: string): AgentError {
  return new AgentError(code, message, { disposition: "reject", facts: { path } });
}
