import { once } from "node:events";
import { connect, createServer, type AddressInfo, type Socket } from "node:net";

/** A network between a client and a server on the loopback address, which a test can cut or let fall silent. */
export class Wire {
  readonly #port: number;
  readonly #server = createServer((socket) => this.#join(socket));
  readonly #sockets = new Set<Socket>();
  #isSilent = false;
  #isDown = false;

  /** Of the server. */
  constructor(port: number) {
    this.#port = port;
  }

  async start(): Promise<this> {
    this.#server.listen(0, "127.0.0.1");
    await once(this.#server, "listening");
    return this;
  }

  get url(): string {
    return `mqtt://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  /** Ends what is open; a new connection is let through. */
  cut(): void {
    for (const socket of this.#sockets) socket.destroy();
  }

  /** Ends what is open, and lets nothing through until it is up again. */
  down(isDown: boolean): void {
    this.#isDown = isDown;
    if (isDown) this.cut();
  }

  /** What the server says is lost from now on, although every connection stays open. */
  silence(isSilent: boolean): void {
    this.#isSilent = isSilent;
  }

  async stop(): Promise<void> {
    this.cut();
    this.#server.close();
    await once(this.#server, "close");
  }

  #join(client: Socket): void {
    if (this.#isDown) {
      client.destroy();
      return;
    }
    const server = connect(this.#port, "127.0.0.1");
    for (const [from, to] of [
      [client, server],
      [server, client],
    ] as const) {
      this.#sockets.add(from);
      from.on("data", (chunk) => {
        if (from === client || !this.#isSilent) to.write(chunk);
      });
      from.on("error", () => {});
      from.once("close", () => {
        this.#sockets.delete(from);
        to.destroy();
      });
    }
  }
}
