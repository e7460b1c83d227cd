import { AgentError } from "../../src/core/errors.ts";
import { runChecks, type CheckResult } from "../checks.ts";
import type { CommandContext } from "../context.ts";
import { exitCodes, type ExitCode } from "../exit-codes.ts";
import { loadSettings } from "../settings.ts";

/** Checks everything that can be wrong; each failure comes with what mends it. Exit 1 on any failure. */
export async function doctor(context: CommandContext, options: { readonly live?: true }): Promise<ExitCode> {
  const { terminal } = context;
  const results: CheckResult[] = [];
  const settings = await loadSettings(context).catch((error: unknown) => {
    if (!(error instanceof AgentError)) throw error;
    results.push({ check: "config", result: "failed", found: error.message, mend: "framepost config check" });
    return undefined;
  });
  for await (const result of runChecks(context, settings, options.live === true)) {
    results.push(result);
    if (!context.json) terminal.status(`checked ${result.check}`);
  }
  const failed = results.filter(({ result }) => result === "failed").length;
  if (context.json) {
    terminal.data(JSON.stringify({ healthy: failed === 0, checks: results }));
  } else {
    for (const result of results) for (const line of lines(result)) terminal.data(line);
    terminal.data(failed === 0 ? "all is well" : `${failed} of ${results.length} checks failed`);
  }
  return failed === 0 ? exitCodes.ok : exitCodes.failed;
}

function lines({ check, result, found, mend }: CheckResult): string[] {
  const mark = { ok: "ok     ", warning: "warning", failed: "FAILED " }[result];
  return [`${mark}  ${check}: ${found}`, ...(mend === undefined || result === "ok" ? [] : [`         mend: ${mend}`])];
}
