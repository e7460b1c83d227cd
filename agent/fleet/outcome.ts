import type { CommandContext } from "../context.ts";
import { type ExitCode, exitCodes } from "../exit-codes.ts";
import { counted, textTable } from "../terminal.ts";
import type { Replies } from "./replies.ts";
import { replyText, type ShownReply } from "./reply-message.ts";

/** How the replies to a command are shown. */

/** As it comes. With `--json` a line as the device sent it. */
export function showReply({ terminal, json }: CommandContext, reply: ShownReply, afterMs: number): void {
  if (json) terminal.data(JSON.stringify({ ...reply, afterMs: Math.round(afterMs) }));
  else
    terminal.data([reply.device, stateText(reply), `${Math.round(afterMs)} ms`, replyText(reply)].join("  ").trimEnd());
}

export interface OutcomeFacts {
  readonly command: string;
  readonly id: string;
  /** Why somebody was never asked, by device. */
  readonly unreached: ReadonlyMap<string, string>;
  readonly extra?: object;
}

/** The table at the end, or the summary as the last line; 0 only where every device that was meant has done it. */
export function showOutcome(
  { terminal, json }: CommandContext,
  replies: Replies,
  { command, id, unreached, extra = {} }: OutcomeFacts,
): ExitCode {
  const finals = replies.finals();
  const missing = replies.missing();
  const done = finals.filter(({ reply }) => reply.state === "done").length;
  const failed = finals.length - done;
  if (json) {
    const devices = finals
      .filter(({ reply }) => reply.state !== "done")
      .map(({ reply: { device, state, code } }) => ({ device, state, code }));
    terminal.data(JSON.stringify({ command, id, done, failed, missing, failures: devices, ...extra }));
  } else {
    const rows = [
      ...finals.map(({ reply, afterMs }) => [reply.device, stateText(reply), Math.round(afterMs), reply.message ?? ""]),
      ...missing.map((device) => [device, unreached.get(device) ?? "no answer", "", ""]),
    ];
    if (rows.length > 1) textTable(["device", "answer", "ms", ""], rows).forEach((line) => terminal.data(line));
    const parts = [`${done} done`, ...(failed === 0 ? [] : [`${failed} not done`])];
    terminal.note(
      [...parts, ...(missing.length === 0 ? [] : [`${counted(missing.length, "answer")} missing`])].join(", "),
    );
  }
  if (failed > 0) return exitCodes.failed;
  return missing.length > 0 || finals.length === 0 ? exitCodes.unavailable : exitCodes.ok;
}

function stateText({ state, code }: ShownReply): string {
  return state === "done" || state === "accepted" || state === "progress" || state === "expired"
    ? state
    : `${state} (${code})`;
}
