import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";

/**
 * Stands between the agent and a broker and notes which records the broker has acknowledged: a subscriber would miss those
 * that a killed broker took with it. Understands as much of MQTT 3.1.1 as that takes.
 */
export class MqttTap {
  readonly #brokerPort: number;
  readonly #onRecord: (payload: Buffer) => void;
  readonly #sockets = new Set<Socket>();
  readonly #server = createServer((socket) => this.#join(socket));

  constructor(brokerPort: number, onRecord: (payload: Buffer) => void) {
    this.#brokerPort = brokerPort;
    this.#onRecord = onRecord;
  }

  async start(): Promise<this> {
    this.#server.listen(0, "127.0.0.1");
    await once(this.#server, "listening");
    return this;
  }

  get url(): string {
    return `mqtt://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  cut(): void {
    for (const socket of this.#sockets) socket.resetAndDestroy();
  }

  async stop(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    this.#server.close();
    await once(this.#server, "close");
  }

  #join(client: Socket): void {
    const broker = connect(this.#brokerPort, "127.0.0.1");
    const published = new Map<number, Buffer>();
    const fromClient = new Packets((type, body) => {
      if (type >> 4 !== publish || (type & qosBits) === 0) return;
      const topicEnd = 2 + body.readUInt16BE(0);
      published.set(body.readUInt16BE(topicEnd), body.subarray(topicEnd + 2));
    });
    const fromBroker = new Packets((type, body) => {
      if (type >> 4 !== puback) return;
      const id = body.readUInt16BE(0);
      const payload = published.get(id);
      published.delete(id);
      if (payload !== undefined) this.#onRecord(payload);
    });
    for (const [from, to, packets] of [
      [client, broker, fromClient],
      [broker, client, fromBroker],
    ] as const) {
      this.#sockets.add(from);
      from.on("data", (chunk: Buffer) => {
        packets.take(chunk);
        to.write(chunk);
      });
      from.on("error", () => undefined);
      from.once("close", () => {
        this.#sockets.delete(from);
        to.destroy();
      });
    }
  }
}

const publish = 3;
const puback = 4;
const qosBits = 0b0110;

/** The packets of one direction: a type, a length of up to four bytes, a body. */
class Packets {
  readonly #onPacket: (type: number, body: Buffer) => void;
  #rest = Buffer.alloc(0);

  constructor(onPacket: (type: number, body: Buffer) => void) {
    this.#onPacket = onPacket;
  }

  take(chunk: Buffer): void {
    this.#rest = Buffer.concat([this.#rest, chunk]);
    for (;;) {
      let length = 0;
      let head = 1;
      for (; head < 5; head += 1) {
        const byte = this.#rest[head];
        if (byte === undefined) return;
        length += (byte & 0x7f) << (7 * (head - 1));
        if (byte < 0x80) break;
      }
      const end = head + 1 + length;
      if (this.#rest.length < end) return;
      this.#onPacket(this.#rest[0] ?? 0, this.#rest.subarray(head + 1, end));
      this.#rest = this.#rest.subarray(end);
    }
  }
}
