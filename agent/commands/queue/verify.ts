import type { QueueFinding } from "../../../src/core/queue.ts";
import type { CommandContext } from "../../context.ts";
import { exitCodes, type ExitCode } from "../../exit-codes.ts";
import { progressBar } from "../../progress.ts";
import { withQueue } from "../../queue-access.ts";
import { loadSettings } from "../../settings.ts";
import { counted } from "../../terminal.ts";

/** Checks the spool's invariants, every byte of every record. One line a finding; the exit code says whether there was one. */
export async function queueVerify(context: CommandContext, options: { readonly repair?: true }): Promise<ExitCode> {
  const { terminal, json, signal } = context;
  const repair = options.repair === true;
  const settings = await loadSettings(context);
  return await withQueue(context, settings, async (queue) => {
    const { records } = await queue.stats();
    let checked = 0;
    let found = 0;
    for (let afterSequence = 0, done = false; !done;) {
      signal.throwIfAborted();
      const step = await queue.verify(afterSequence, repair);
      checked += step.recordsChecked;
      found += step.findings.length;
      for (const finding of step.findings) terminal.data(json ? JSON.stringify(finding) : textLine(finding));
      ({ lastSequence: afterSequence, done } = step);
      if (!done) terminal.status(`${progressBar(checked, records)}  ${counted(checked, "record")} checked`);
    }
    if (json) terminal.data(JSON.stringify({ recordsChecked: checked, findings: found, repair }));
    else
      terminal.data(
        `${counted(checked, "record")} checked, ${found === 0 ? "all is well" : counted(found, "finding")}`,
      );
    if (found > 0 && !repair && !json) terminal.note("mend what can be mended with: framepost queue verify --repair");
    return found === 0 ? exitCodes.ok : exitCodes.failed;
  });
}

function textLine({ code, message }: QueueFinding): string {
  return `${code}  ${message}`;
}
