import { randomUUID } from "node:crypto";
import type { CommandContext } from "../../context.ts";
import type { ExitCode } from "../../exit-codes.ts";
import { fleetBrokerOf } from "../../fleet/broker.ts";
import { type Conversation, converse } from "../../fleet/conversation.ts";
import { showOutcome } from "../../fleet/outcome.ts";
import { type Errand, errandOf, type RequestOptions } from "../../fleet/request.ts";
import type { Addressing } from "../../fleet/request-words.ts";
import type { SignOptions } from "../../fleet/signer.ts";

export interface CommandsSendOptions extends RequestOptions, Addressing, SignOptions {}

/** One request to a device, a group or all, and what comes back. With `--json` a line a reply, then a summary. */
export async function commandsSend(
  context: CommandContext,
  words: readonly string[],
  options: CommandsSendOptions,
): Promise<ExitCode> {
  const errand = errandOf(words, options, randomUUID());
  const broker = await fleetBrokerOf(context);
  return converse(context, broker, { errand, sign: options }, async (conversation) => {
    const { replies, send } = conversation;
    const unreached = expected(errand, conversation);
    if (errand.to.kind !== "device") context.terminal.note(awaited(errand, conversation, unreached.size));
    await send(errand.to);
    await replies.complete(errand.timeoutMs, context.signal);
    return showOutcome(context, replies, { command: errand.command, id: errand.request.id, unreached });
  });
}

/** For a person who may have misspelt a group, before the time is over. */
function awaited({ to, timeoutMs }: Errand, { known, replies }: Conversation, away: number): string {
  const missing = replies.missing().length;
  const whom = to.kind === "group" ? `in the group ${to.group}` : "at this broker";
  if (missing > 0) return `waiting for ${missing} of ${missing + away} devices ${whom}`;
  const groups = [...new Set(known.list().flatMap((device) => device.groups))].sort().slice(0, groupsNamedMax);
  const others = to.kind === "group" && groups.length > 0 ? `; there are the groups ${groups.join(", ")}` : "";
  const whoever = `waiting ${Math.ceil(timeoutMs / 1_000)} s for whoever answers`;
  return `no device ${whom} is known to be online${others}; ${whoever}`;
}

const groupsNamedMax = 16;

/** Those that are away get the request too, where their session lives; nobody waits for them. */
function expected({ to }: Errand, { known, replies }: Conversation): ReadonlyMap<string, string> {
  if (to.kind === "device") {
    replies.expect(to.device);
    return new Map();
  }
  const meant = to.kind === "all" ? known.list() : known.inGroup(to.group);
  const away = meant.filter(({ online }) => online !== true).map(({ device }) => device);
  for (const { device } of meant) replies.expect(device);
  for (const device of away) replies.giveUpOn(device);
  return new Map(away.map((device) => [device, "offline"]));
}
