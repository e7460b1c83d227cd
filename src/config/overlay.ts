import type { z } from "zod";
import { mask } from "../core/mask.ts";
import { redact } from "./redact.ts";

/**
 * The layer above the operator's file: a merge patch (RFC 7396) in which cameras and targets are objects by their id, so
 * that it still means the same thing when the operator adds a camera before another one.
 */

export type Fields = Readonly<Record<string, unknown>>;

/** Lists whose items have an id each. */
const listsById: readonly string[] = ["cameras", "targets"];

export function isFields(value: unknown): value is Fields {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** The config with its lists as objects by id. */
export function byId(config: unknown): Fields {
  if (!isFields(config)) return {};
  return mapFields(config, (value, key) => (listsById.includes(key) ? itemsById(value) : value));
}

/** The ids of each list in their order, which an object does not keep where they are numbers. */
export type IdOrder = Readonly<Record<string, readonly string[]>>;

export function idOrderOf(config: unknown): IdOrder {
  return Object.fromEntries(
    listsById.map((list) => {
      const items = own(config, list);
      return [list, Array.isArray(items) ? items.flatMap((item: unknown) => idOf(item) ?? []) : []];
    }),
  );
}

/** The same with lists again, in this order; what it does not have comes after. */
export function asLists(config: Fields, order: IdOrder): Fields {
  return mapFields(config, (value, key) => {
    if (!listsById.includes(key) || !isFields(value)) return value;
    return idsInOrder(value, order[key]).map((id) => (isFields(value[id]) ? { id, ...value[id] } : value[id]));
  });
}

/** Of a list as `asLists` makes it. */
export function idsInOrder(items: Fields, order: readonly string[] = []): readonly string[] {
  const known = order.filter((id) => Object.hasOwn(items, id));
  return [...known, ...Object.keys(items).filter((id) => !known.includes(id))];
}

function idOf(item: unknown): string | undefined {
  const id = own(item, "id");
  return typeof id === "string" ? id : undefined;
}

/** RFC 7396: null takes away, objects are merged, everything else is replaced. */
export function patched(target: unknown, patch: unknown): unknown {
  if (!isFields(patch)) return patch;
  const result = new Map(isFields(target) ? Object.entries(target) : []);
  for (const [key, value] of Object.entries(patch)) {
    if (value === null) result.delete(key);
    else result.set(key, patched(result.get(key), value));
  }
  return Object.fromEntries(result);
}

/** The list that a patch does not address by its ids, if there is one. */
export function unnamedList(patch: Fields): string | undefined {
  return listsById.find((list) => Object.hasOwn(patch, list) && patch[list] !== null && !isFields(patch[list]));
}

/** The smallest patch that makes `to` of `from`; undefined when they are the same. Neither may hold null. */
export function difference(from: unknown, to: unknown): unknown {
  if (!isFields(from) || !isFields(to)) {
    if (isSame(from, to)) return undefined;
    return to === undefined ? null : to;
  }
  const keys = [...new Set([...Object.keys(from), ...Object.keys(to)])];
  const changes = keys.flatMap((key): readonly (readonly [string, unknown])[] => {
    const change = Object.hasOwn(to, key) ? difference(own(from, key), to[key]) : null;
    return change === undefined ? [] : [[key, change]];
  });
  return changes.length === 0 ? undefined : Object.fromEntries(changes);
}

/** Every value that holds no others, and every list: a list is changed as a whole. */
export function leafPaths(value: unknown, path: readonly string[] = []): readonly (readonly string[])[] {
  if (!isFields(value) || Object.keys(value).length === 0) return [path];
  return Object.entries(value).flatMap(([key, item]) => leafPaths(item, [...path, key]));
}

/** A patch with its secrets masked; of an unknown kind, what is a secret in any kind is one. */
export function shownPatch(schema: z.core.$ZodType, patch: Fields): Fields {
  const shown = byId(redact(schema, asLists(patch, {})));
  return mapFields(patch, (value, key) => {
    if (!listsById.includes(key) || !isFields(value)) return shown[key];
    return mapFields(value, (item, id) => (item === null ? null : (own(shown[key], id) ?? mask)));
  });
}

export function own(value: unknown, key: string): unknown {
  return isFields(value) && Object.hasOwn(value, key) ? value[key] : undefined;
}

export function isSame(one: unknown, other: unknown): boolean {
  if (one === other) return true;
  if (Array.isArray(one) && Array.isArray(other)) {
    return one.length === other.length && one.every((item, at) => isSame(item, other[at]));
  }
  if (!isFields(one) || !isFields(other)) return false;
  const keys = Object.keys(one);
  return (
    keys.length === Object.keys(other).length &&
    keys.every((key) => Object.hasOwn(other, key) && isSame(one[key], other[key]))
  );
}

function itemsById(items: unknown): unknown {
  if (!Array.isArray(items)) return items;
  return Object.fromEntries(
    items.flatMap((item: unknown) => {
      if (!isFields(item) || typeof item["id"] !== "string") return [];
      const { id, ...rest } = item;
      return [[id, rest] as const];
    }),
  );
}

function mapFields(fields: Fields, change: (value: unknown, key: string) => unknown): Fields {
  return Object.fromEntries(Object.entries(fields).map(([key, value]) => [key, change(value, key)]));
}
