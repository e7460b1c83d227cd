import { randomUUID } from "node:crypto";
import { AgentError } from "../../../src/core/errors.ts";
import type { CommandContext } from "../../context.ts";
import type { ExitCode } from "../../exit-codes.ts";
import { fleetBrokerOf } from "../../fleet/broker.ts";
import { type Conversation, converse } from "../../fleet/conversation.ts";
import type { DeviceFacts } from "../../fleet/known-devices.ts";
import { showOutcome } from "../../fleet/outcome.ts";
import { errandOf, type RequestOptions } from "../../fleet/request.ts";
import { isChosen, rolloutRequestId } from "../../fleet/rollout.ts";
import type { SignOptions } from "../../fleet/signer.ts";
import { counted } from "../../terminal.ts";

export interface FleetSendOptions extends Omit<RequestOptions, "spread">, SignOptions {
  readonly group?: string;
  readonly percent: number;
  readonly rollout?: string;
  /** Devices a second. */
  readonly rate: number;
  /** No further device is asked when so many have not done it. */
  readonly maxFailures?: number;
}

/** One device after the other, each with a request of its own. With `--json` a line a reply, then a summary. */
export async function fleetSend(
  context: CommandContext,
  words: readonly string[],
  options: FleetSendOptions,
): Promise<ExitCode> {
  const rollout = rolloutOf(options);
  const draft = errandOf(words, { ...options, all: true }, randomUUID());
  const { command, timeoutMs } = draft;
  const id = rollout === undefined ? draft.request.id : rolloutRequestId(rollout, command, draft.request);
  const errand = { ...draft, request: { ...draft.request, id } };
  const broker = await fleetBrokerOf(context);
  return converse(context, broker, { errand, sign: options }, async (conversation) => {
    const { known, replies } = conversation;
    const all = options.group === undefined ? known.list() : known.inGroup(options.group);
    const chosen = all.filter(({ device }) => rollout === undefined || isChosen(device, rollout, options.percent));
    context.terminal.note(`${counted(chosen.length, "device")} of ${all.length}`);
    const unreached = await sendToEach(chosen, conversation, options, context);
    await replies.complete(timeoutMs, context.signal);
    const extra = { devices: all.length, chosen: chosen.length, ...(rollout === undefined ? {} : { rollout }) };
    return showOutcome(context, replies, { command, id, unreached, extra });
  });
}

/** Resolves with those that were not asked, and why. */
async function sendToEach(
  devices: readonly DeviceFacts[],
  { replies, send }: Conversation,
  { rate, maxFailures = Infinity }: FleetSendOptions,
  { clock, signal }: CommandContext,
): Promise<ReadonlyMap<string, string>> {
  const unreached = new Map<string, string>();
  const leaveOut = (device: string, why: string): void => {
    unreached.set(device, why);
    replies.giveUpOn(device);
  };
  for (const { device, online } of devices) {
    replies.expect(device);
    if (online !== true) leaveOut(device, "offline");
    else if (replies.failures() >= maxFailures) leaveOut(device, "not asked");
    else {
      await send({ kind: "device", device }).catch((error: unknown) => {
        // Gone since the list was made.
        if (!(error instanceof AgentError) || error.code !== "MQTT_NO_SUBSCRIBER") throw error;
        leaveOut(device, "offline");
      });
      await clock.sleep(1_000 / rate, signal);
    }
  }
  return unreached;
}

/** A share of the devices needs a name, so that the next run chooses the same ones. */
function rolloutOf({ rollout, percent }: FleetSendOptions): string | undefined {
  if (rollout === undefined && percent < 100) {
    throw usage("--percent needs --rollout ID: the same id chooses the same devices");
  }
  if (rollout !== undefined && !/^[A-Za-z0-9._-]{1,48}$/.test(rollout)) {
    throw usage("--rollout: expected up to 48 letters, digits, ., _ or -");
  }
  return rollout;
}

function usage(message: string): AgentError {
  return new AgentError("USAGE_COMMAND", message, { disposition: "fatal" });
}
