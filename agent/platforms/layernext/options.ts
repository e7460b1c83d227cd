import { InvalidArgumentError } from "commander";
import { modelNameProblem } from "../../../src/targets/layernext/operation-id.ts";
import { isObject, type JsonObject } from "../../../src/targets/json.ts";
import { usageError } from "../run-operation.ts";

export function jsonObject(text: string): JsonObject {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw new InvalidArgumentError("expected a JSON object");
  }
  if (!isObject(value)) throw new InvalidArgumentError("expected a JSON object");
  return value;
}

/** It becomes a part of an address. */
export function modelName(text: unknown): string {
  const name = String(text);
  const problem = modelNameProblem(name);
  if (problem !== undefined) throw usageError(`the model id "${name}": ${problem}`);
  return name;
}

export function textOption(options: Readonly<Record<string, unknown>>, name: string): string | undefined {
  const value = options[name];
  return typeof value === "string" ? value : undefined;
}
