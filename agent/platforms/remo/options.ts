import { InvalidArgumentError } from "commander";
import { remoTasks, type RemoTask } from "../../../src/targets/remo/uploads.ts";
import { positiveInteger } from "../../option-values.ts";
import type { OperationCall, OperationOption } from "../platform.ts";
import { usageError } from "../run-operation.ts";

/** Options and arguments that several operations of remo have. */

export const datasetArgument = { name: "dataset", description: "id of the dataset" };
export const setArgument = { name: "set", description: "id of the annotation set" };
export const imageArgument = { name: "image", description: "id of the image" };

export const limitOption: OperationOption = {
  flags: "--limit <n>",
  description: "most results of one page",
  parse: positiveInteger,
  document: "limit",
};

export const taskOption: OperationOption = {
  flags: "--annotation-task <task>",
  description: "what the annotations are",
  choices: remoTasks,
  document: "annotation_task",
};

export const uploadOptions: readonly OperationOption[] = [
  {
    flags: "--annotation-set-id <id>",
    description: "annotation set that annotation files belong to",
    parse: positiveInteger,
    document: "annotation_set_id",
  },
  taskOption,
  {
    flags: "--folder-id <id>",
    description: "folder of the dataset to put them into",
    parse: positiveInteger,
    document: "folder_id",
  },
  { flags: "--no-session", description: "without an upload session, as the document shows it" },
];

export function booleanValue(text: string): boolean {
  if (text !== "true" && text !== "false") throw new InvalidArgumentError("expected true or false");
  return text === "true";
}

export function wholeNumber(text: string): number {
  if (!/^\d{1,9}$/.test(text)) throw new InvalidArgumentError("expected a whole number");
  return Number(text);
}

export function factor(text: string): number {
  const value = Number(text);
  if (!(value > 0 && value <= 1)) throw new InvalidArgumentError("expected a factor above 0 and up to 1");
  return value;
}

/** The argument at this place, which must be an id. */
export function idAt({ args }: Pick<OperationCall<unknown>, "args">, at: number, what: string): number {
  const text = args[at];
  if (typeof text !== "string" || !/^[1-9]\d{0,9}$/.test(text)) throw usageError(`${what} is no id: ${String(text)}`);
  return Number(text);
}

export function textAt({ args }: Pick<OperationCall<unknown>, "args">, at: number): string {
  return String(args[at]);
}

export function numberOption(options: OperationCall<unknown>["options"], name: string): number | undefined {
  const value = options[name];
  return typeof value === "number" ? value : undefined;
}

export function booleanOption(options: OperationCall<unknown>["options"], name: string): boolean | undefined {
  const value = options[name];
  return typeof value === "boolean" ? value : undefined;
}

export function textsOption(options: OperationCall<unknown>["options"], name: string): readonly string[] {
  const value = options[name];
  return Array.isArray(value) ? value.map(String) : [];
}

export function taskOf(options: OperationCall<unknown>["options"]): RemoTask | undefined {
  return remoTasks.find((task) => task === options["annotationTask"]);
}
