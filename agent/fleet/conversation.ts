import type { MqttMessage } from "../../src/link/mqtt-subscription.ts";
import { createLogger } from "../../src/log/logger.ts";
import type { Addressee } from "../../src/remote/topics.ts";
import type { CommandContext } from "../context.ts";
import type { FleetBroker } from "./broker.ts";
import { KnownDevices } from "./known-devices.ts";
import { Operator, type Sent } from "./operator.ts";
import { showReply } from "./outcome.ts";
import { Replies } from "./replies.ts";
import type { Errand } from "./request.ts";
import { Signer, type SignOptions } from "./signer.ts";

/** A request with one id, to one device or to many, and all that comes back while `talk` runs. */
export interface Conversation {
  /** Empty where only one device was meant, unless more is known. */
  readonly known: KnownDevices;
  readonly replies: Replies;
  /** Signed where that was asked for. Fails with `MQTT_…`. */
  readonly send: (to: Addressee) => Promise<void>;
}

export async function converse<T>(
  context: CommandContext,
  broker: FleetBroker,
  { errand, sign }: { readonly errand: Errand; readonly sign: SignOptions },
  talk: (conversation: Conversation) => Promise<T>,
): Promise<T> {
  const { clock, signal } = context;
  const { to: from, command, request } = errand;
  const signer = await Signer.open(sign, clock);
  const replies = new Replies(request.id, clock, (reply, afterMs) => showReply(context, reply, afterMs));
  const known = new KnownDevices(clock);
  const onReply = { command, from, take: (message: MqttMessage) => replies.take(message) };
  const onKept = (message: MqttMessage) => known.take(message);
  const operator = new Operator(
    broker,
    { onReply, ...(from.kind === "device" ? {} : { onKept }) },
    operatorSeams(context, broker),
  );
  const send = async (to: Addressee): Promise<void> => {
    const sent: Sent = (await signer?.sign(request, to, { root: broker.root, command })) ?? request;
    await operator.send(to, command, sent, signal);
  };
  try {
    await operator.start(signal);
    if (from.kind !== "device") await known.collected(signal);
    return await talk({ known, replies, send });
  } finally {
    await operator.stop();
  }
}

/** What devices keep at the broker. */
export async function knownDevices(context: CommandContext, broker: FleetBroker): Promise<KnownDevices> {
  const { clock, signal } = context;
  const known = new KnownDevices(clock);
  const operator = new Operator(broker, { onKept: (message) => known.take(message) }, operatorSeams(context, broker));
  try {
    await operator.start(signal);
    await known.collected(signal);
  } finally {
    await operator.stop();
  }
  return known;
}

/** A person wants the replies, and of the connection nothing but trouble. */
function operatorSeams({ clock, random, logLevel = "error" }: CommandContext, { password }: FleetBroker) {
  const secrets = password === undefined ? [] : [password];
  return { clock, random, log: createLogger({ level: logLevel, secrets, journald: false }) };
}
