import { z } from "zod";
import type { CommandSpec } from "../command.ts";
import { isObject } from "../reply.ts";

/** The arguments of a command in words, for people who type them. */

export interface Argument {
  readonly name: string;
  /** `text`, `number`, `yes or no`, the words it may be, … */
  readonly type: string;
  readonly required: boolean;
  readonly description?: string;
}

export function argumentsOf({ args }: CommandSpec): readonly Argument[] {
  const schema: unknown = z.toJSONSchema(args, { io: "input", unrepresentable: "any" });
  if (!isObject(schema) || !isObject(schema["properties"])) return [];
  const required = Array.isArray(schema["required"]) ? schema["required"] : [];
  return Object.entries(schema["properties"]).map(([name, property]) => ({
    name,
    type: typeOf(property),
    required: required.includes(name),
    ...(isObject(property) && typeof property["description"] === "string"
      ? { description: property["description"] }
      : {}),
  }));
}

const words: Readonly<Record<string, string>> = {
  string: "text",
  integer: "whole number",
  boolean: "true or false",
};

function typeOf(property: unknown): string {
  if (!isObject(property)) return "any";
  const { type, enum: values, const: value, anyOf, oneOf, items } = property;
  if (value !== undefined) return JSON.stringify(value);
  if (Array.isArray(values)) return values.map(String).join(" | ");
  const either = anyOf ?? oneOf;
  if (Array.isArray(either)) return either.map(typeOf).join(" | ");
  if (type === "array") return `list of ${typeOf(items)}`;
  return typeof type === "string" ? (words[type] ?? type) : "any";
}
