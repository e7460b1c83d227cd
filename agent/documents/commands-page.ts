import type { CommandSpec } from "../../src/remote/command.ts";
import { eventData, eventEnvelope, type EventKind } from "../../src/remote/event.ts";
import { infoSchema } from "../../src/remote/info-report.ts";
import { replyCodes } from "../../src/remote/reply.ts";
import { replySchema } from "../../src/remote/reply-schema.ts";
import { requestSchema } from "../../src/remote/request.ts";
import { statusSchema } from "../../src/remote/status-report.ts";
import { cell, fieldTable, jsonSchema } from "./schema-text.ts";

/**
 * docs/commands.md: the template with a table or a section, made from the schemas that validate, in the place of each
 * `<!-- generate: name -->`.
 */
export function commandsPage(template: string, specs: readonly CommandSpec[]): string {
  const parts: Readonly<Record<string, () => readonly string[]>> = {
    request: () => fieldTable(requestSchema, "input"),
    reply: () => fieldTable(replySchema, "output"),
    codes: () => ["| code | meaning |", "| --- | --- |", ...Object.entries(replyCodes).map(codeRow)],
    overview: () => overview(specs),
    commands: () => specs.flatMap(section),
    events: () => eventRows(),
    status: () => fieldTable(statusSchema, "output"),
    info: () => fieldTable(infoSchema, "output"),
  };
  const text = template.replaceAll(/^<!-- generate: ([a-z]+) -->$/gm, (_, name: string) => {
    const part = parts[name];
    if (part === undefined) throw new Error(`the template of docs/commands.md asks for ${name}, which is not made`);
    return part().join("\n").trimEnd();
  });
  return `<!-- Made by npm run generate from agent/documents/commands.template.md and the code. Change those. -->\n\n${text}`;
}

function codeRow([code, meaning]: readonly [string, string]): string {
  return `| \`${code}\` | ${cell(meaning)} |`;
}

function overview(specs: readonly CommandSpec[]): readonly string[] {
  const rows = specs.map(({ name, scope, effect, slow = false, summary }) => {
    const anchor = name.replaceAll(".", "");
    const marks = [...(effect ? ["effect"] : []), ...(slow ? ["slow"] : [])].join(", ");
    return `| [\`${name}\`](#${anchor}) | ${scope} | ${marks} | ${cell(summary)} |`;
  });
  return ["| command | scope | | what it does |", "| --- | --- | --- | --- |", ...rows];
}

function section(spec: CommandSpec): readonly string[] {
  const { name, summary, scope, answer, example } = spec;
  const args = fieldTable(spec.args, "input");
  return [
    `### ${name}`,
    "",
    `${summary} ${marksOf(spec)}`.trim(),
    "",
    `Scope: \`${scope}\`. Answer: ${answer}.`,
    "",
    ...(args.length === 0 ? ["No arguments.", ""] : [...args.with(0, "| argument | type | meaning |"), ""]),
    "```sh",
    `mosquitto_pub -t framepost/gateway-1/cmd/${name} -q 1 -m '${shellText(requestOf(spec, example))}'`,
    "```",
    "",
  ];
}

/** What a person would send. Its id is that of no other example: they can be tried one after the other as they stand. */
export function requestOf({ name, effect }: CommandSpec, example: unknown): object {
  const isEmpty = Object.keys(example as object).length === 0;
  return { ...(effect ? { id: `${name}-1` } : {}), ...(isEmpty ? {} : { args: example }) };
}

function marksOf({ effect, slow = false, repeatable = false }: CommandSpec): string {
  return [
    ...(effect ? ["Has an effect: needs an `id`, and can be tried with `dry`."] : []),
    ...(slow ? ["Slow: answers `accepted` first."] : []),
    ...(repeatable ? ["Is run again after a crash."] : []),
  ].join(" ");
}

function shellText(request: object): string {
  return JSON.stringify(request).replaceAll("'", "'\\''");
}

function eventRows(): readonly string[] {
  const rows = (Object.keys(eventData) as EventKind[]).map((kind) => {
    const { description = "", properties = {} } = jsonSchema(eventData[kind], "output");
    const fields = Object.keys(properties as object).map((name) => `\`${name}\``);
    return `| \`${kind}\` | ${cell(String(description))} | ${fields.join(", ")} |`;
  });
  const around = Object.keys(eventEnvelope).map((name) => `\`${name}\``);
  return [
    `Each has ${around.join(", ")} and \`data\`:`,
    "",
    "| kind | what has happened | `data` |",
    "| --- | --- | --- |",
    ...rows,
  ];
}
