import { randomUUID } from "node:crypto";
import { AgentError } from "../../../src/core/errors.ts";
import type { CommandContext } from "../../context.ts";
import type { ExitCode } from "../../exit-codes.ts";
import { fleetBrokerOf } from "../../fleet/broker.ts";
import { type DeviceFacts, KnownDevices } from "../../fleet/known-devices.ts";
import { Operator } from "../../fleet/operator.ts";
import { showOutcome, showReply } from "../../fleet/outcome.ts";
import { Replies } from "../../fleet/replies.ts";
import { errandOf, type RequestOptions } from "../../fleet/request.ts";
import { isChosen, rolloutRequestId } from "../../fleet/rollout.ts";
import { shellSeams } from "../../fleet/seams.ts";
import { counted } from "../../terminal.ts";

export interface FleetSendOptions extends Omit<RequestOptions, "spread"> {
  readonly group?: string;
  readonly percent: number;
  readonly rollout?: string;
  /** Devices a second. */
  readonly rate: number;
  /** No further device is asked when so many have not done it. */
  readonly maxFailures?: number;
  readonly sign?: string;
  readonly key?: string;
}

/** One device after the other, each with a request of its own. With `--json` a line a reply, then a summary. */
export async function fleetSend(
  context: CommandContext,
  words: readonly string[],
  options: FleetSendOptions,
): Promise<ExitCode> {
  const { clock, signal, terminal } = context;
  const rollout = rolloutOf(options);
  const { command, request: draft, timeoutMs } = errandOf(words, { ...options, all: true }, randomUUID());
  const request = rollout === undefined ? draft : { ...draft, id: rolloutRequestId(rollout, command, draft) };
  const broker = await fleetBrokerOf(context);
  const replies = new Replies(request.id, clock, (reply, afterMs) => showReply(context, reply, afterMs));
  const known = new KnownDevices(clock);
  const ears = {
    onReply: {
      command,
      from: { kind: "all" } as const,
      take: (message: Parameters<Replies["take"]>[0]) => replies.take(message),
    },
    onKept: (message: Parameters<Replies["take"]>[0]) => known.take(message),
  };
  const operator = new Operator(broker, ears, shellSeams(context, broker));
  try {
    await operator.start(signal);
    await known.collected(signal);
    const all = options.group === undefined ? known.list() : known.inGroup(options.group);
    const chosen = all.filter(({ device }) => rollout === undefined || isChosen(device, rollout, options.percent));
    terminal.note(`${counted(chosen.length, "device")} of ${all.length}`);
    const unreached = await sendToEach(chosen);
    await replies.complete(timeoutMs, signal);
    const extra = { devices: all.length, chosen: chosen.length, ...(rollout === undefined ? {} : { rollout }) };
    return showOutcome(context, replies, { command, id: request.id, unreached, extra });
  } finally {
    await operator.stop();
  }

  async function sendToEach(devices: readonly DeviceFacts[]): Promise<ReadonlyMap<string, string>> {
    const unreached = new Map<string, string>();
    for (const { device, online } of devices) {
      const reason =
        online !== true ? "offline" : replies.failures() >= (options.maxFailures ?? Infinity) ? "not asked" : undefined;
      replies.expect(device);
      if (reason !== undefined) {
        unreached.set(device, reason);
        replies.giveUpOn(device);
        continue;
      }
      await operator.send({ kind: "device", device }, command, request, signal).catch((error: unknown) => {
        if (!(error instanceof AgentError) || error.code !== "MQTT_NO_SUBSCRIBER") throw error;
        unreached.set(device, "offline");
        replies.giveUpOn(device);
      });
      await clock.sleep(1_000 / options.rate, signal);
    }
    return unreached;
  }
}

/** A share of the devices needs a name, so that the next run chooses the same ones. */
function rolloutOf({ rollout, percent }: FleetSendOptions): string | undefined {
  if (rollout === undefined && percent < 100) {
    throw new AgentError("USAGE_COMMAND", "--percent needs --rollout ID: the same id chooses the same devices", {
      disposition: "fatal",
    });
  }
  if (rollout !== undefined && !/^[A-Za-z0-9._-]{1,48}$/.test(rollout)) {
    throw new AgentError("USAGE_COMMAND", "--rollout: expected up to 48 letters, digits, ., _ or -", {
      disposition: "fatal",
    });
  }
  return rollout;
}
