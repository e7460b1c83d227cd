import { AgentError } from "../../src/core/errors.ts";
import { argumentsOf } from "../../src/remote/commands/arguments.ts";
import type { CommandSpec } from "../../src/remote/command.ts";
import { commandSpecs } from "../../src/remote/commands/specs.ts";
import { isObject } from "../../src/remote/reply.ts";
import { parseArgs } from "../../src/remote/request.ts";
import { type Addressee, reservedNames } from "../../src/remote/topics.ts";

/** What a person typed, as a request: checked here already, so that a slip costs no round trip. */

export interface Addressing {
  readonly group?: string;
  readonly all?: true;
}

export interface AddressedWords {
  readonly to: Addressee;
  readonly name: string;
  readonly argumentWords: readonly string[];
}

/** `DEVICE NAME ARGUMENTS…`, or without the device where many are meant. Fails with `USAGE_…`. */
export function addressed(words: readonly string[], { group, all }: Addressing): AddressedWords {
  if (group !== undefined && all !== undefined) throw usage("--group and --all: one of them");
  if (group === undefined && all === undefined) {
    const [device = "", name, ...argumentWords] = words;
    if (name === undefined)
      throw usage("which command? framepost commands send DEVICE NAME; framepost commands ls has the names");
    if (reservedNames.includes(device)) throw usage(`${device} is no device: use --all or --group NAME`);
    return { to: { kind: "device", device: level("device", device) }, name, argumentWords };
  }
  const [name = "", ...argumentWords] = words;
  const to: Addressee = group === undefined ? { kind: "all" } : { kind: "group", group: level("group", group) };
  return { to, name, argumentWords };
}

/** One word between two slashes of a topic. */
function level(what: string, word: string): string {
  if (!/^[A-Za-z0-9_.-]{1,64}$/.test(word)) throw usage(`${what} ${word}: expected letters, digits, _, . or -`);
  return word;
}

/** Undefined, where `unchecked`, for a command that only another version knows. */
export function specOf(name: string, unchecked: boolean): CommandSpec | undefined {
  const spec = commandSpecs.find((each) => each.name === name);
  if (spec !== undefined || (unchecked && /^[a-z][a-z0-9.]{0,63}$/.test(name))) return spec;
  throw usage(
    `there is no command ${name}; framepost commands ls has those of this version, --unchecked sends it all the same`,
  );
}

/** `{"camera":"front"}` or `camera=front interval=5s`. Without a spec, or with `unchecked`, only the device checks it. */
export function argumentsFrom(
  words: readonly string[],
  spec: CommandSpec | undefined,
  unchecked: boolean,
): Readonly<Record<string, unknown>> {
  const given = words.length === 1 && words[0]?.startsWith("{") === true ? jsonObject(words[0]) : pairs(words, spec);
  if (spec === undefined || unchecked) return given;
  const checked = parseArgs(spec.args, given);
  if ("answer" in checked) throw usage(`${spec.name}: ${checked.answer.message ?? "the arguments do not fit"}`);
  return given;
}

function jsonObject(word: string): Readonly<Record<string, unknown>> {
  let value: unknown;
  try {
    value = JSON.parse(word);
  } catch {
    throw usage("the arguments are no JSON; expected an object, or name=value");
  }
  if (!isObject(value)) throw usage("the arguments are no JSON object");
  return value;
}

function pairs(words: readonly string[], spec: CommandSpec | undefined): Readonly<Record<string, unknown>> {
  const texts = new Set(
    (spec === undefined ? [] : argumentsOf(spec)).filter(({ type }) => type === "text").map(({ name }) => name),
  );
  const given = new Map<string, unknown>();
  for (const word of words) {
    const [, name = "", value = ""] = /^([A-Za-z0-9_.-]+)=(.*)$/s.exec(word) ?? [];
    if (name === "") throw usage(`${word}: expected name=value, or all arguments as one JSON object`);
    if (given.has(name)) throw usage(`${name} is given twice`);
    given.set(name, texts.has(name) ? value : valueOf(value));
  }
  return Object.fromEntries(given);
}

/** `5`, `true` and `["a"]` are what they look like, where the command does not want a text. */
function valueOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

function usage(message: string): AgentError {
  return new AgentError("USAGE_COMMAND", message, { disposition: "fatal" });
}
