import http from "node:http";
import type { AddressInfo } from "node:net";

/** A server in a process of its own: throws every body away and answers 200. Prints its port; ends with its stdin. */
const answer = '{"errorCode":200,"errorMsg":"OK"}';
const server = http.createServer((request, response) => {
  request.resume();
  request.on("end", () => {
    response.writeHead(200, { "Content-Type": "application/json", "Content-Length": answer.length }).end(answer);
  });
});
server.listen(0, "127.0.0.1", () => process.stdout.write(`${(server.address() as AddressInfo).port}\n`));
process.stdin.resume().on("end", () => process.exit(0));
