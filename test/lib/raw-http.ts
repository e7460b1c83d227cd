import { connect, type Socket } from "node:net";

/** HTTP as bytes: what no client library would send. */

export interface RawAnswer {
  /** 0 where the connection ended without one. */
  readonly status: number;
  readonly text: string;
}

/** Sends the bytes, and takes what comes until the server ends the connection, or for so long. */
export async function rawExchange(
  port: number,
  bytes: Buffer | string,
  { from, withinMs = 3_000 }: { readonly from?: string; readonly withinMs?: number } = {},
): Promise<RawAnswer> {
  const socket = connect({ port, host: "127.0.0.1", ...(from === undefined ? {} : { localAddress: from }) });
  const chunks: Buffer[] = [];
  socket.on("data", (chunk: Buffer) => chunks.push(chunk));
  socket.on("error", () => undefined);
  socket.write(bytes);
  await closed(socket, withinMs);
  const text = Buffer.concat(chunks).toString("latin1");
  return { status: Number(/^HTTP\/1\.1 (\d{3})/.exec(text)?.[1] ?? 0), text };
}

export async function closed(socket: Socket, withinMs: number): Promise<boolean> {
  if (socket.destroyed) return true;
  return await new Promise((resolve) => {
    const timer = setTimeout(() => {
      resolve(false);
      socket.destroy();
    }, withinMs);
    socket.once("close", () => {
      clearTimeout(timer);
      resolve(true);
    });
  });
}

/** A whole request whose answer ends the connection. */
export function request(line: string, headers: Readonly<Record<string, string>>, body = ""): string {
  const all = Object.entries({ connection: "close", ...headers }).map(([name, value]) => `${name}: ${value}\r\n`);
  return `${line}\r\n${all.join("")}\r\n${body}`;
}
