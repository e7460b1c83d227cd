import { randomUUID } from "node:crypto";
import type { CommandContext } from "../../context.ts";
import type { ExitCode } from "../../exit-codes.ts";
import { fleetBrokerOf } from "../../fleet/broker.ts";
import { KnownDevices } from "../../fleet/known-devices.ts";
import { Operator } from "../../fleet/operator.ts";
import { showOutcome, showReply } from "../../fleet/outcome.ts";
import { Replies } from "../../fleet/replies.ts";
import { type Errand, errandOf, type RequestOptions } from "../../fleet/request.ts";
import type { Addressing } from "../../fleet/request-words.ts";
import { shellSeams } from "../../fleet/seams.ts";

export interface CommandsSendOptions extends RequestOptions, Addressing {
  readonly sign?: string;
  readonly key?: string;
}

/** One request to a device, a group or all, and what comes back. With `--json` a line a reply, then a summary. */
export async function commandsSend(
  context: CommandContext,
  words: readonly string[],
  options: CommandsSendOptions,
): Promise<ExitCode> {
  const { clock, signal } = context;
  const errand = errandOf(words, options, randomUUID());
  const { to, command, request, timeoutMs } = errand;
  const broker = await fleetBrokerOf(context);
  const replies = new Replies(request.id, clock, (reply, afterMs) => showReply(context, reply, afterMs));
  const known = new KnownDevices(clock);
  const onReply = { command, from: to, take: (message: Parameters<Replies["take"]>[0]) => replies.take(message) };
  const onKept =
    to.kind === "device" ? {} : { onKept: (message: Parameters<Replies["take"]>[0]) => known.take(message) };
  const operator = new Operator(broker, { onReply, ...onKept }, shellSeams(context, broker));
  try {
    await operator.start(signal);
    if (to.kind !== "device") await known.collected(signal);
    const unreached = expectFrom(errand, known, replies);
    await operator.send(to, command, request, signal);
    await replies.complete(timeoutMs, signal);
    return showOutcome(context, replies, { command, id: request.id, unreached });
  } finally {
    await operator.stop();
  }
}

/** Who has to answer. Those that are away get the request too, where their session lives; nobody waits for them. */
function expectFrom({ to }: Errand, known: KnownDevices, replies: Replies): ReadonlyMap<string, string> {
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
