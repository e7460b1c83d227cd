import { it, type Func, type AsyncFunc } from "mocha";

/** What a line, a server or a broker does to deliveries. docs/reliability.md shows each with what comes of it. */
export const transportFaults = [
  "connection refused",
  "name that DNS does not know",
  "TLS by a wrong authority",
  "TLS certificate that is over",
  "TLS without the client certificate that is asked for",
  "reset in the middle of the body",
  "answer that drips",
  "413 too large",
  "429 with Retry-After",
  "401",
  "burst of 5xx",
  "redirect to another host",
  "answer lost after the record was stored",
  "half-open connection, packets dropped",
  "line of 2 Mbit/s with 2 % loss",
  "broker frozen",
  "broker's max_packet_size, MQTT 3.1.1",
  "broker's max_packet_size, MQTT 5",
  "broker's message_size_limit, MQTT 3.1.1",
  "broker's message_size_limit, MQTT 5",
  "topic refused by ACL, MQTT 3.1.1",
  "topic refused by ACL, MQTT 5",
  "second client with the same id",
  "broker restarted 100 times",
  "agent killed",
  "wall clock jumps",
  "spool full",
] as const;

export type TransportFault = (typeof transportFaults)[number];

/** A test whose title is a fault of the list, which another test holds against docs/reliability.md. */
export function survives(fault: TransportFault, test: Func | AsyncFunc): void {
  it(fault, test);
}
