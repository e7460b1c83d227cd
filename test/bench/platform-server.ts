import http, { type IncomingMessage } from "node:http";
import type { AddressInfo } from "node:net";
import { answerTo } from "./platform-answers.ts";

/** Gives the fixed answers of a platform and throws every body away, unless `onRequest` wants it. */
export function platformServer(
  kind: string,
  onRequest?: (request: IncomingMessage, body: Buffer) => void,
): http.Server {
  let count = 0;
  const server = http.createServer((request, response) => {
    const path = (request.url ?? "").split("?", 1)[0] ?? "";
    const { status = 200, headers, body } = answerTo(kind, `${request.method ?? ""} ${path}`) ?? { status: 404 };
    const chunks: Buffer[] = [];
    const isWanted = onRequest !== undefined || typeof body === "function";
    if (isWanted) request.on("data", (chunk: Buffer) => chunks.push(chunk));
    else request.resume();
    count += 1;
    const number = count;
    request.on("end", () => {
      const sent = Buffer.concat(chunks);
      onRequest?.(request, sent);
      const said: unknown = typeof body === "function" ? (body as (request: Buffer) => unknown)(sent) : body;
      const isText = typeof said === "string";
      const text = said === undefined ? "" : isText ? said : JSON.stringify(said);
      const filled = text.replaceAll("{origin}", `http://${request.headers.host ?? ""}`);
      const bytes = Buffer.from(filled.replaceAll("{count}", String(number)));
      const type = said === undefined ? {} : { "Content-Type": isText ? "text/plain" : "application/json" };
      response.writeHead(status, { ...type, "Content-Length": bytes.length, ...headers }).end(bytes);
    });
  });
  // Idle connections are the client's to close.
  server.keepAliveTimeout = 60_000;
  return server;
}

// As a program of its own: the kind is its argument, its port what it prints; it ends with its stdin.
if (process.argv[1]?.endsWith("platform-server.js") === true) {
  const server = platformServer(process.argv[2] ?? "");
  server.listen(0, "127.0.0.1", () => process.stdout.write(`${(server.address() as AddressInfo).port}\n`));
  process.stdin.resume().on("end", () => process.exit(0));
}
