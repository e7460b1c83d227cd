const pubackType = 4;
/** A broker answers with a few bytes; whoever sends us more than this is not followed any further. */
const packetBytesMax = 64 * 1024;

/**
 * Reads PUBACKs out of what an MQTT 5 broker sends, beside MQTT.js and before it: Mosquitto refuses a message over its
 * `message_size_limit` with reason 149, which the specification has in other packets only, and MQTT.js ends the connection
 * over it without saying which message was meant.
 */
export class AnswerReader {
  readonly #onPuback: (id: number, reason: number) => void;
  #rest: Buffer = Buffer.alloc(0);

  constructor(onPuback: (id: number, reason: number) => void) {
    this.#onPuback = onPuback;
  }

  /** To be given everything from the first byte of a packet on. */
  read(chunk: Buffer): void {
    let rest = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk]);
    for (;;) {
      const packet = firstPacket(rest);
      if (packet === undefined) break;
      const { type, body } = packet;
      if (type === pubackType && body.length > 2) this.#onPuback(body.readUInt16BE(0), body[2] ?? 0);
      rest = rest.subarray(packet.bytes);
    }
    this.#rest = rest.length > packetBytesMax ? Buffer.alloc(0) : rest;
  }
}

/** Undefined while it is not there whole. */
function firstPacket(
  bytes: Buffer,
): { readonly type: number; readonly body: Buffer; readonly bytes: number } | undefined {
  let length = 0;
  for (let at = 1; at < Math.min(bytes.length, 5); at += 1) {
    const digit = bytes[at] ?? 0;
    length += (digit & 0x7f) << (7 * (at - 1));
    if (digit >= 0x80) continue;
    const end = at + 1 + length;
    if (bytes.length < end) return undefined;
    return { type: (bytes[0] ?? 0) >>> 4, body: bytes.subarray(at + 1, end), bytes: end };
  }
  return undefined;
}
