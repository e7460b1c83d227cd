import { z } from "zod";

/** Schemas as tables of a document. */

interface JsonSchema {
  readonly type?: string;
  readonly const?: unknown;
  readonly enum?: readonly unknown[];
  readonly anyOf?: readonly JsonSchema[];
  readonly oneOf?: readonly JsonSchema[];
  readonly items?: JsonSchema;
  readonly properties?: Readonly<Record<string, JsonSchema>>;
  readonly additionalProperties?: JsonSchema | boolean;
  readonly required?: readonly string[];
  readonly default?: unknown;
  readonly description?: string;
  readonly minimum?: number;
  readonly maximum?: number;
}

/** Of what is sent to the device (`input`), or comes from it (`output`). */
export function jsonSchema(schema: z.ZodType, io: "input" | "output"): Readonly<Record<string, unknown>> {
  const made = Object.entries(z.toJSONSchema(schema, { io, target: "draft-7" }));
  return Object.fromEntries(made.filter(([key]) => key !== "$schema"));
}

/** A table of an object's fields; those of objects in it have dotted names. Empty for an object without any. */
export function fieldTable(schema: z.ZodType, io: "input" | "output"): readonly string[] {
  const rows = fieldRows(jsonSchema(schema, io), "");
  return rows.length === 0 ? [] : ["| field | type | meaning |", "| --- | --- | --- |", ...rows];
}

function fieldRows({ properties = {}, required = [] }: JsonSchema, prefix: string): readonly string[] {
  return Object.entries(properties).flatMap(([name, field]) => {
    const path = `${prefix}${name}`;
    const needed = required.includes(name) && field.default === undefined ? "" : ", optional";
    const preset = field.default === undefined ? "" : `, \`${JSON.stringify(field.default)}\` when left out`;
    const kind = `${typeText(field)}${preset === "" ? needed : preset}`;
    const row = `| \`${path}\` | ${kind} | ${cell(field.description ?? "")} |`;
    return [row, ...innerRows(field, path)];
  });
}

function innerRows(field: JsonSchema, path: string): readonly string[] {
  if (field.properties !== undefined) return fieldRows(field, `${path}.`);
  const { items, additionalProperties: values } = field;
  if (items?.properties !== undefined) return fieldRows(items, `${path}[].`);
  if (typeof values === "object" && values.properties !== undefined) return fieldRows(values, `${path}.*.`);
  return [];
}

/** Of a word that is explained in a table of its own, not all are named. */
const namedMax = 12;

function typeText(schema: JsonSchema): string {
  if (schema.const !== undefined) return `\`${JSON.stringify(schema.const)}\``;
  if (schema.enum !== undefined && schema.enum.length > namedMax) return "one of the words below";
  if (schema.enum !== undefined) return schema.enum.map((value) => `\`${JSON.stringify(value)}\``).join(", ");
  const choices = schema.anyOf ?? schema.oneOf;
  if (choices !== undefined) return choices.map(typeText).join(" or ");
  if (schema.items !== undefined) return `list of ${typeText(schema.items)}`;
  return `${schema.type ?? "anything"}${rangeText(schema)}`;
}

/** The largest whole number of JSON is no bound that anybody chose. */
function rangeText({ minimum, maximum }: JsonSchema): string {
  const top = maximum === undefined || maximum >= Number.MAX_SAFE_INTEGER ? undefined : maximum;
  const bottom = minimum === undefined || minimum <= Number.MIN_SAFE_INTEGER ? undefined : minimum;
  if (top !== undefined) return ` ${bottom ?? ""} to ${top}`;
  return bottom === undefined || bottom === 0 ? "" : ` from ${bottom}`;
}

/** Of a table. */
export function cell(text: string): string {
  return text.replaceAll("|", "\\|").replaceAll(/\s+/g, " ");
}
