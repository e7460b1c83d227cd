import { once } from "node:events";
import net, { type AddressInfo, type Socket } from "node:net";

/** A TCP server on a free port of loopback that does with each connection what the test says. Gone with `await using`. */
export async function tcpServer(
  onConnection: (socket: Socket) => void,
): Promise<AsyncDisposable & { readonly port: number; connections(): number }> {
  const sockets = new Set<Socket>();
  let connections = 0;
  const server = net.createServer((socket) => {
    connections += 1;
    sockets.add(socket);
    socket.on("error", () => undefined);
    socket.on("close", () => sockets.delete(socket));
    onConnection(socket);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    port: (server.address() as AddressInfo).port,
    connections: () => connections,
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, "close");
    },
  };
}

/** A port of loopback that nobody listens on. */
export async function unusedPort(): Promise<number> {
  await using server = await tcpServer(() => undefined);
  return server.port;
}
