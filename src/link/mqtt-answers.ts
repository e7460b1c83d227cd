const pubackType = 4;
/** Of a PUBACK: the message's id and the reason. What follows is not read. */
const wantedBytes = 3;

/**
 * Reads PUBACKs out of what an MQTT 5 broker sends, beside MQTT.js and before it: Mosquitto refuses a message over its
 * `message_size_limit` with reason 149, which the specification has in other packets only, and MQTT.js ends the connection
 * over it without saying which message was meant. Holds a few bytes, whatever comes.
 */
export class AnswerReader {
  readonly #onPuback: (id: number, reason: number) => void;
  /** The beginning of a packet, as far as it came. */
  #begun: Buffer = Buffer.alloc(0);
  /** Of a packet that was read as far as it is wanted. */
  #bytesToSkip = 0;

  constructor(onPuback: (id: number, reason: number) => void) {
    this.#onPuback = onPuback;
  }

  /** To be given everything from the first byte of a packet on. */
  read(chunk: Buffer): void {
    let rest = chunk;
    while (rest.length > 0) {
      const skipped = Math.min(this.#bytesToSkip, rest.length);
      this.#bytesToSkip -= skipped;
      const bytes = Buffer.concat([this.#begun, rest.subarray(skipped)]);
      const head = headOf(bytes);
      if (head === undefined) {
        this.#begun = bytes;
        return;
      }
      const { bodyAt, bodyBytes } = head;
      if (head.type === pubackType && bodyBytes >= wantedBytes) {
        this.#onPuback(bytes.readUInt16BE(bodyAt), bytes.readUInt8(bodyAt + 2));
      }
      this.#begun = Buffer.alloc(0);
      this.#bytesToSkip = bodyAt + bodyBytes;
      rest = bytes;
    }
  }
}

interface PacketHead {
  readonly type: number;
  readonly bodyAt: number;
  readonly bodyBytes: number;
}

/** Undefined while not all of it is there that is wanted. A length of more than four bytes is none; it counts as four. */
function headOf(bytes: Buffer): PacketHead | undefined {
  let bodyBytes = 0;
  for (let at = 1; at < bytes.length; at += 1) {
    const digit = bytes.readUInt8(at);
    bodyBytes += (digit & 0x7f) << (7 * (at - 1));
    if (digit >= 0x80 && at < 4) continue;
    const type = bytes.readUInt8(0) >>> 4;
    const wanted = type === pubackType ? Math.min(bodyBytes, wantedBytes) : 0;
    return bytes.length < at + 1 + wanted ? undefined : { type, bodyAt: at + 1, bodyBytes };
  }
  return undefined;
}
