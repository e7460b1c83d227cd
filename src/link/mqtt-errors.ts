import { AgentError, errnoOf, messageOf } from "../core/errors.ts";
import { linkLimits } from "../core/deliver-limits.ts";
import { networkMeaning, type Meaning } from "./network-errors.ts";

/**
 * What brokers, sockets and MQTT.js report, as AgentErrors. `broker` is a name such as `mqtt://host:1883`; no text here
 * ever holds the user name or the password.
 */

/** Packet too large: of a DISCONNECT, and of Mosquitto's PUBACK. */
export const tooLargeReason = 149;

/** CONNACK codes of 3.1.1 (1–5) and of MQTT 5 (128 and up). Others count as the broker being unavailable. */
const connackMeanings: Readonly<Record<number, Meaning>> = {
  1: { code: "MQTT_PROTOCOL_VERSION", disposition: "fatal", text: "it does not speak this version of MQTT" },
  2: { code: "MQTT_CREDENTIALS", disposition: "fatal", text: "it does not accept this client id" },
  4: { code: "MQTT_CREDENTIALS", disposition: "fatal", text: "bad user name or password" },
  5: { code: "MQTT_CREDENTIALS", disposition: "fatal", text: "this client may not connect" },
  132: { code: "MQTT_PROTOCOL_VERSION", disposition: "fatal", text: "it does not speak this version of MQTT" },
  133: { code: "MQTT_CREDENTIALS", disposition: "fatal", text: "it does not accept this client id" },
  134: { code: "MQTT_CREDENTIALS", disposition: "fatal", text: "bad user name or password" },
  135: { code: "MQTT_CREDENTIALS", disposition: "fatal", text: "this client may not connect" },
  138: { code: "MQTT_CREDENTIALS", disposition: "fatal", text: "this client is banned" },
  140: { code: "MQTT_CREDENTIALS", disposition: "fatal", text: "it wants another way to authenticate" },
};

/** Why a connection could not be opened. `thrown` is what MQTT.js emitted. */
export function connectError(broker: string, thrown: unknown): AgentError {
  const { code, disposition, text } = connectMeaning(thrown);
  return new AgentError(code, `connect to ${broker}: ${text}`, { disposition, cause: thrown });
}

/** True when a broker that refused MQTT 5 may still speak 3.1.1: some close the connection without a word. */
export function mayBeOlder(error: AgentError): boolean {
  return error.code === "MQTT_PROTOCOL_VERSION" || error.code === "MQTT_PROTOCOL" || error.code === "NET_RESET";
}

function connectMeaning(thrown: unknown): Meaning {
  if (thrown === undefined) return { code: "NET_RESET", disposition: "retry", text: "it closed the connection" };
  const reason = reasonOf(thrown);
  if (reason !== undefined) {
    return (
      connackMeanings[reason] ?? { code: "MQTT_UNAVAILABLE", disposition: "retry", text: `refused with code ${reason}` }
    );
  }
  const errno = errnoOf(thrown);
  if (errno !== undefined) {
    const known = networkMeaning(errno, messageOf(thrown, linkLimits.snippetChars));
    if (known !== undefined) return { ...known, text: `${known.text} (${errno})` };
    return { code: "NET_UNREACHABLE", disposition: "retry", text: errno };
  }
  // MQTT.js gives its own timeout no code.
  const text = messageOf(thrown, 100);
  if (text === "connack timeout")
    return { code: "NET_CONNECT_TIMEOUT", disposition: "retry", text: "no answer in time" };
  return { code: "MQTT_PROTOCOL", disposition: "retry", text };
}

/** Why an open connection ended. `reason` is that of the broker's DISCONNECT, where it sent one. */
export function lostError(broker: string, reason: number | undefined, thrown: unknown): AgentError {
  const { code, text } = lostMeaning(reason, thrown);
  return new AgentError(code, `connection to ${broker}: ${text}`, {
    disposition: "retry",
    cause: thrown,
    ...(reason === undefined ? {} : { facts: { reason } }),
  });
}

function lostMeaning(reason: number | undefined, thrown: unknown): { readonly code: string; readonly text: string } {
  if (reason === 142) return { code: "MQTT_TAKEN_OVER", text: "another client came with the same client id" };
  if (reason === tooLargeReason) return { code: "MQTT_CLOSED", text: "the broker found a packet too large" };
  if (reason !== undefined) return { code: "MQTT_CLOSED", text: `the broker ended it with reason ${reason}` };
  if (thrown === undefined) return { code: "MQTT_CLOSED", text: "the broker closed it" };
  const errno = errnoOf(thrown);
  if (errno !== undefined) return { code: "MQTT_CLOSED", text: networkMeaning(errno, "")?.text ?? errno };
  const text = messageOf(thrown, 100);
  if (text === "Keepalive timeout") return { code: "MQTT_CLOSED", text: "no answer to a ping" };
  return { code: "MQTT_PROTOCOL", text: `what the broker sent makes no sense: ${text}` };
}

/** A PUBACK with an MQTT 5 reason code of 128 or more. */
export function publishRefused(topic: string, broker: string, reason: number): AgentError {
  const attempted = `publish to ${topic} at ${broker}`;
  if (reason === 135) {
    return new AgentError("MQTT_NOT_AUTHORISED", `${attempted}: this client may not write there`, {
      disposition: "fatal",
    });
  }
  if (reason === tooLargeReason) return tooLarge(attempted, "the broker found the packet too large");
  if (reason === 151) {
    return new AgentError("MQTT_QUOTA", `${attempted}: the broker's quota is used up`, { disposition: "retry" });
  }
  return new AgentError("MQTT_REFUSED", `${attempted}: refused with reason ${reason}`, {
    disposition: "retry",
    facts: { reason },
  });
}

/** The broker does not let this client read some of what it asked for. */
export class SubscribeRefused extends AgentError {
  /** Those that were refused. */
  readonly filters: readonly string[];

  constructor(message: string, reason: number, filters: readonly string[]) {
    // Of MQTT 5's reasons a quota and one without a name may pass; 3.1.1 gives none.
    const passes = [131, 151].includes(reason);
    super(passes ? "MQTT_REFUSED" : "MQTT_NOT_AUTHORISED", message, {
      disposition: passes ? "retry" : "fatal",
      facts: { reason },
    });
    this.filters = filters;
  }
}

export function subscribeRefused(attempted: string, filters: readonly string[], thrown: unknown): AgentError {
  const grants = grantsOf(thrown);
  const reason = grants.find((code) => code >= 128);
  if (reason === undefined) {
    const message = `${attempted}: ${messageOf(thrown, 100)}`;
    return new AgentError("MQTT_CLOSED", message, { disposition: "retry", cause: thrown });
  }
  const refused = filters.filter((_, at) => (grants[at] ?? 0) >= 128);
  return new SubscribeRefused(`${attempted}: this client may not read there (${reason})`, reason, refused);
}

/** Of the SUBACK that MQTT.js puts into its error. */
function grantsOf(thrown: unknown): readonly number[] {
  if (!(thrown instanceof Error) || !("packet" in thrown)) return [];
  const { packet } = thrown;
  if (typeof packet !== "object" || packet === null || !("granted" in packet)) return [];
  return Array.isArray(packet.granted) ? packet.granted.filter((code) => typeof code === "number") : [];
}

export function tooLarge(attempted: string, why: string): AgentError {
  return new AgentError("MQTT_TOO_LARGE", `${attempted}: ${why}`, { disposition: "reject" });
}

/** MQTT.js puts a CONNACK's code into `code` as a number, where Node has a string. */
function reasonOf(thrown: unknown): number | undefined {
  if (thrown instanceof Error && "code" in thrown && typeof thrown.code === "number") return thrown.code;
  return undefined;
}
