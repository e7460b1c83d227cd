import { once } from "node:events";
import { createServer, type AddressInfo, type Server } from "node:net";
import { Aedes, type AedesPublishPacket, type Client } from "aedes";
import { recordViolation } from "./record-contract.ts";

/**
 * An MQTT 3.1.1 broker inside this process, on the loopback address: for the demo, and for whoever has no broker yet.
 * It holds each record against what the `mqtt` target promises, and keeps counts, never messages.
 */

export interface SandboxBrokerCounts {
  /** Messages from clients, whatever they held. */
  readonly published: number;
  readonly bytes: number;
  /** Messages that are records without a fault. */
  readonly records: number;
  readonly violations: number;
}

export interface SandboxPublish {
  readonly topic: string;
  readonly payload: Buffer;
  /** What the record breaks of its contract, where it is one that does. */
  readonly violation?: string;
}

export interface SandboxBrokerOptions {
  /** 0, the default, takes any free port. */
  readonly port?: number;
  /** Only messages whose topic it matches must be records. */
  readonly recordTopics?: RegExp;
  readonly onPublish?: (message: SandboxPublish) => void;
  /** The only one who may connect; anybody when absent. */
  readonly login?: { readonly username: string; readonly password: string };
}

/** The latest of them are kept for the summary; each is one short line. */
const violationsKeptMax = 20;

export class SandboxBroker {
  readonly #port: number;
  readonly #recordTopics: RegExp;
  readonly #onPublish: (message: SandboxPublish) => void;
  readonly #login: SandboxBrokerOptions["login"];
  readonly #violations: string[] = [];
  #counts = { published: 0, bytes: 0, records: 0, violations: 0 };
  #broker: Aedes | undefined;
  #server: Server | undefined;

  constructor(options: SandboxBrokerOptions = {}) {
    this.#port = options.port ?? 0;
    this.#recordTopics = options.recordTopics ?? /^framepost\/[^/]+\/image\//;
    this.#onPublish = options.onPublish ?? (() => {});
    this.#login = options.login;
  }

  async start(): Promise<{ readonly url: string }> {
    const broker = await Aedes.createBroker();
    const login = this.#login;
    if (login !== undefined) {
      broker.authenticate = (_, username, password, answer) => {
        answer(null, username === login.username && password?.toString() === login.password);
      };
    }
    broker.on("publish", (packet, client) => this.#take(packet, client));
    const server = createServer((socket) => {
      broker.handle(socket);
    });
    this.#broker = broker;
    this.#server = server;
    server.listen(this.#port, "127.0.0.1");
    await once(server, "listening");
    return { url: `mqtt://127.0.0.1:${boundPort(server)}` };
  }

  /** Ends every connection. */
  async stop(): Promise<void> {
    const broker = this.#broker;
    const server = this.#server;
    this.#broker = undefined;
    this.#server = undefined;
    if (broker !== undefined) await new Promise<void>((resolve) => broker.close(resolve));
    if (server?.listening === true) await new Promise<void>((resolve) => server.close(() => resolve()));
  }

  /** A message of the broker's own, as a platform sends one. Retained ones also reach those who subscribe later. */
  async send(topic: string, payload: string, { retain = false } = {}): Promise<void> {
    const packet = { cmd: "publish", qos: 1, dup: false, topic, payload: Buffer.from(payload), retain } as const;
    await new Promise<void>((resolve, reject) => {
      if (this.#broker === undefined) reject(new Error("the broker is not started"));
      this.#broker?.publish(packet, (error) => (error ? reject(error) : resolve()));
    });
  }

  counts(): SandboxBrokerCounts {
    return { ...this.#counts };
  }

  /** The latest twenty, oldest first. */
  violations(): readonly string[] {
    return [...this.#violations];
  }

  #take(packet: AedesPublishPacket, client: Client | null): void {
    // The broker's own notices ($SYS) come without a client.
    if (client === null) return;
    const payload = Buffer.isBuffer(packet.payload) ? packet.payload : Buffer.from(packet.payload);
    const { topic } = packet;
    this.#counts.published += 1;
    this.#counts.bytes += payload.length;
    const violation = this.#recordTopics.test(topic) ? recordViolation(payload, packet.qos) : undefined;
    if (violation !== undefined) this.#note(`${topic}: ${violation}`);
    else if (this.#recordTopics.test(topic)) this.#counts.records += 1;
    this.#onPublish({ topic, payload, ...(violation === undefined ? {} : { violation }) });
  }

  #note(violation: string): void {
    this.#counts.violations += 1;
    this.#violations.push(violation);
    if (this.#violations.length > violationsKeptMax) this.#violations.shift();
  }
}

function boundPort(server: Server): number {
  const address: AddressInfo | string | null = server.address();
  return address !== null && typeof address === "object" ? address.port : 0;
}
