import { AgentError } from "../../src/core/errors.ts";
import type { Seams } from "../../src/core/ports.ts";
import { HttpLink } from "../../src/link/http.ts";
import { createLogger } from "../../src/log/logger.ts";
import { connection } from "../../src/targets/config.ts";
import type { CommandContext } from "../context.ts";
import { exitCodes, type ExitCode } from "../exit-codes.ts";
import { readPicture, writeOutput } from "../files.ts";
import { progressBar } from "../progress.ts";
import { accessOf } from "./access.ts";
import { DryRunLink, type ShownRequest } from "./dry-run.ts";
import type { Operation, OperationCall, Platform } from "./platform.ts";

export interface OperationInput {
  readonly args: OperationCall<unknown>["args"];
  /** Of the operation, and `target` and `dryRun`. */
  readonly options: Readonly<Record<string, unknown>>;
}

/** One operation of a platform, its result on stdout. With `--dry-run` the requests are the result. */
export async function runOperation<Client>(
  context: CommandContext,
  platform: Platform<Client>,
  operation: Operation<Client>,
  { args, options }: OperationInput,
): Promise<ExitCode> {
  const { terminal, signal } = context;
  const target = typeof options["target"] === "string" ? options["target"] : undefined;
  const access = await accessOf(context, platform, target);
  const link = new HttpLink(connection.parse(access.fields));
  const shown: ShownRequest[] = [];
  const show = (request: ShownRequest): void => {
    shown.push(request);
    if (!context.json) terminal.data(requestLines(request));
  };
  const dryRun = options["dryRun"] === true;
  const dryLink = new DryRunLink(access.secrets, (request) => platform.dryAnswer(request), show);
  const client = platform.connect(access.fields, dryRun ? dryLink : link);
  try {
    let exitCode: ExitCode = exitCodes.ok;
    const incomplete = (): void => {
      exitCode = exitCodes.failed;
    };
    const line = (value: unknown): void => {
      if (!dryRun) terminal.data(JSON.stringify(value));
    };
    const seams = seamsOf(context, access.secrets);
    const call = { client, args, options, signal, dryRun, line, seams, incomplete, ...tools(context, dryRun) };
    const result = await operation.run(call);
    if (dryRun) {
      if (context.json) terminal.data(JSON.stringify({ requests: shown }));
    } else if (result !== undefined || operation.streams !== true) terminal.data(resultText(result, context.json));
    return exitCode;
  } finally {
    link.close();
  }
}

function tools(
  { terminal }: CommandContext,
  dryRun: boolean,
): Pick<OperationCall<unknown>, "read" | "save" | "progress" | "note"> {
  return {
    read: readPicture,
    async save(file, bytes) {
      if (!dryRun) await writeOutput(file, bytes);
      return { file, sizeBytes: bytes.length };
    },
    progress(done, total, what) {
      if (!dryRun) terminal.status(`${progressBar(done, total)} ${done}/${total} ${what}`, done === total);
    },
    note: (line) => terminal.note(line),
  };
}

function seamsOf({ clock, random, logLevel = "warn" }: CommandContext, secrets: readonly string[]): Seams {
  return { clock, random, log: createLogger({ level: logLevel, secrets, journald: false }) };
}

function resultText(result: unknown, json: boolean): string {
  if (json) return JSON.stringify(result ?? null);
  if (result === undefined) return "done";
  return typeof result === "string" ? result : JSON.stringify(result, undefined, 2);
}

export function requestLines({ method, url, headers, body }: ShownRequest): string {
  const lines = [`${method} ${url}`, ...Object.entries(headers).map(([name, value]) => `${name}: ${value}`)];
  if (body !== undefined) lines.push(typeof body === "string" ? body : JSON.stringify(body, undefined, 2));
  return `${lines.join("\n")}\n`;
}

/** What a person got wrong in an operation's arguments. */
export function usageError(message: string): AgentError {
  return new AgentError("USAGE_PLATFORM", message, { disposition: "fatal" });
}
