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
    if (errand.to.kind !== "device" && replies.missing().length === 0) {
      context.terminal.note("nobody who is meant is known at this broker; waiting for whoever answers");
    }
    await send(errand.to);
    await replies.complete(errand.timeoutMs, context.signal);
    return showOutcome(context, replies, { command: errand.command, id: errand.request.id, unreached });
  });
}

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
