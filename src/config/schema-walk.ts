/**
 * Walks a value together with the zod schema that describes it. Works on what the operator wrote as well as on the
 * typed config, also when the value is wrong: where a union does not say which branch is meant, all of them count, so
 * that a field which is secret in any of them is treated as secret.
 */
import { z } from "zod";
import type { ConfigPath } from "./yaml.ts";

type Schema = z.core.$ZodType;

export interface Place {
  readonly path: ConfigPath;
  /** The schema of this value, or of anything around it, is marked `.meta({ secret: true })`. */
  readonly secret: boolean;
  /** The schema of a value whose form in the file differs from the one in the program. */
  readonly codec: z.core.$ZodPipe | undefined;
}

/** Config is never deeper; a schema or value that refers to itself must still end. */
const depthMax = 32;

/** A copy of `value` in which `change` has replaced every scalar, and every secret whatever it is. */
export function mapConfig(schema: Schema, value: unknown, change: (value: unknown, place: Place) => unknown): unknown {
  return mapped([schema], value, [], change);
}

function mapped(
  schemas: readonly Schema[],
  value: unknown,
  path: ConfigPath,
  change: (value: unknown, place: Place) => unknown,
): unknown {
  const { secret, codec, inner } = unwrapped(schemas, value);
  const isContainer = typeof value === "object" && value !== null && path.length < depthMax;
  if (!isContainer || secret) return change(value, { path, secret, codec });
  if (Array.isArray(value)) {
    return value.map((item: unknown, index) => mapped(childrenOf(inner, index), item, [...path, index], change));
  }
  return Object.fromEntries(
    Object.entries(value).map(([key, item]) => [key, mapped(childrenOf(inner, key), item, [...path, key], change)]),
  );
}

/** The keys that the schema knows at `path`. */
export function keysAt(schema: Schema, value: unknown, path: ConfigPath): readonly string[] {
  let schemas: readonly Schema[] = [schema];
  let here = value;
  for (const step of path) {
    schemas = childrenOf(unwrapped(schemas, here).inner, step);
    here = valueAt(here, [step]);
  }
  const keys = unwrapped(schemas, here).inner.flatMap((candidate) => {
    const definition = definitionOf(candidate);
    return definition.type === "object" ? Object.keys(definition.shape) : [];
  });
  return [...new Set(keys)];
}

export function valueAt(value: unknown, path: ConfigPath): unknown {
  let here = value;
  for (const step of path) {
    if (typeof here !== "object" || here === null || !Object.hasOwn(here, step)) return undefined;
    here = (here as Readonly<Record<string | number, unknown>>)[step];
  }
  return here;
}

interface Unwrapped {
  readonly secret: boolean;
  readonly codec: z.core.$ZodPipe | undefined;
  /** The schemas below every wrapper and union that may describe the value. */
  readonly inner: readonly Schema[];
}

function unwrapped(schemas: readonly Schema[], value: unknown): Unwrapped {
  let secret = false;
  let codec: z.core.$ZodPipe | undefined;
  const inner: Schema[] = [];
  const waiting = [...schemas];
  // A lazy schema may lead back to itself.
  for (let steps = 0; waiting.length > 0 && steps < 1_000; steps += 1) {
    const schema = waiting.pop();
    if (schema === undefined) break;
    secret ||= z.globalRegistry.get(schema)?.["secret"] === true;
    if (definitionOf(schema).type === "pipe") codec = schema as z.core.$ZodPipe;
    const below = belowOf(schema, value);
    if (below === undefined) inner.push(schema);
    else waiting.push(...below);
  }
  return { secret, codec, inner };
}

/** What a wrapper or union wraps; undefined for a schema that describes a value itself. */
function belowOf(schema: Schema, value: unknown): readonly Schema[] | undefined {
  const definition = definitionOf(schema);
  switch (definition.type) {
    case "optional":
    case "nullable":
    case "default":
    case "prefault":
    case "nonoptional":
    case "readonly":
    case "catch":
      return [definition.innerType];
    case "lazy":
      return [definition.getter()];
    case "pipe":
      return [definition.in, definition.out];
    case "intersection":
      return [definition.left, definition.right];
    case "union":
      return optionsFor(definition, value);
    default:
      return undefined;
  }
}

function optionsFor(definition: z.core.$ZodUnionDef, value: unknown): readonly Schema[] {
  const { options } = definition;
  if (!("discriminator" in definition) || typeof definition.discriminator !== "string") return options;
  const discriminator = definition.discriminator;
  const kind = valueAt(value, [discriminator]);
  const chosen = options.filter((option) => {
    const [tag] = childrenOf(unwrapped([option], value).inner, discriminator);
    return tag !== undefined && z.core.safeParse(tag, kind).success;
  });
  return chosen.length > 0 ? chosen : options;
}

function childrenOf(schemas: readonly Schema[], step: string | number): readonly Schema[] {
  return schemas.flatMap((schema) => {
    const definition = definitionOf(schema);
    switch (definition.type) {
      case "object": {
        const known = Object.hasOwn(definition.shape, step) ? definition.shape[step] : definition.catchall;
        return known === undefined ? [] : [known];
      }
      case "array":
        return [definition.element];
      case "record":
        return [definition.valueType];
      case "tuple": {
        const item = definition.items[Number(step)] ?? definition.rest;
        return item === null ? [] : [item];
      }
      default:
        return [];
    }
  });
}

function definitionOf(schema: Schema): z.core.$ZodTypes["_zod"]["def"] {
  return (schema as z.core.$ZodTypes)._zod.def;
}
