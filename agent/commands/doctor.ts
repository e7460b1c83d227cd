import { ConfigError, formatProblem } from "../../src/config/problem.ts";
import { AgentError } from "../../src/core/errors.ts";
import { runChecks } from "../checks.ts";
import type { CheckResult } from "../checks/result.ts";
import type { CommandContext } from "../context.ts";
import { exitCodes, type ExitCode } from "../exit-codes.ts";
import { hintFor } from "../hints.ts";
import { loadSettings, type Settings } from "../settings.ts";

/** Checks everything that can be wrong; each failure comes with what mends it. Exit 1 on any failure. */
export async function doctor(context: CommandContext, options: { readonly live?: true }): Promise<ExitCode> {
  const { terminal } = context;
  const results: CheckResult[] = [];
  for await (const result of allChecks(context, options.live === true)) {
    results.push(result);
    // At once: a camera or a network may take a while, and a person wants to see that something happens.
    if (!context.json) for (const line of lines(result)) terminal.data(line);
  }
  const count = (wanted: CheckResult["result"]) => results.filter(({ result }) => result === wanted).length;
  const [failed, warnings] = [count("failed"), count("warning")];
  if (context.json) terminal.data(JSON.stringify({ healthy: failed === 0, checks: results }));
  else terminal.data(verdict(results.length, failed, warnings));
  return failed === 0 ? exitCodes.ok : exitCodes.failed;
}

async function* allChecks(context: CommandContext, live: boolean): AsyncGenerator<CheckResult> {
  let settings: Settings | undefined;
  let problems: readonly CheckResult[] = [];
  try {
    // Every trouble becomes a line of its own here; the log would say it twice.
    settings = await loadSettings(context, "silent", { lastGood: true, partsMayLack: true });
    if (settings.refused !== undefined) problems = configProblems(settings.refused, context.configFile);
  } catch (error) {
    if (!(error instanceof AgentError)) throw error;
    problems = configProblems(error, context.configFile);
  }
  yield* runChecks(context, settings, live);
  yield* problems;
}

function configProblems(error: AgentError, file: string | undefined): readonly CheckResult[] {
  const failed = (found: string, mend: string): CheckResult => ({ check: "config", result: "failed", found, mend });
  if (!(error instanceof ConfigError)) return [failed(error.message, hintFor(error.code) ?? "look at the file")];
  const again = `framepost config check${file === undefined ? "" : ` -c ${file}`}`;
  // Without a cause it could be read, and is wrong.
  const mend =
    error.cause === undefined ? `mend this line; try again with: ${again}` : "write one with: framepost init";
  return error.problems.map((problem) => failed(formatProblem(problem), mend));
}

function verdict(checks: number, failed: number, warnings: number): string {
  if (failed > 0) return `${failed} of ${checks} checks failed`;
  return warnings > 0 ? `it works; ${warnings} of ${checks} checks have a warning` : "all is well";
}

function lines({ check, result, found, mend }: CheckResult): string[] {
  const mark = { ok: "ok     ", warning: "warning", failed: "FAILED " }[result];
  return [`${mark}  ${check}: ${found}`, ...(mend === undefined || result === "ok" ? [] : [`         mend: ${mend}`])];
}
