import { once } from "node:events";
import { readFileSync } from "node:fs";
import http, { type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

import type { AnswerBody, Exchange, RecordedAnswer, RecordedRequest } from "./fixture.ts";
import { normaliseRequest } from "./normalise.ts";

/** Says what the platform would answer. `nth` counts the requests of the run, from 0. */
export type Answers = (request: RecordedRequest, nth: number) => RecordedAnswer;

export interface Recorder extends AsyncDisposable {
  readonly url: string;
  readonly exchanges: readonly Exchange[];
}

/** A server on loopback that answers as it is told and writes down each request in the form of the fixtures. */
export async function startRecorder(answers: Answers, photosFolder: string): Promise<Recorder> {
  const exchanges: Exchange[] = [];
  let url = "";
  const server = http.createServer((request, response) => {
    void wholeBody(request).then((body) => {
      const seen = { method: request.method ?? "", url: request.url ?? "", headers: flat(request), body };
      const recorded = normaliseRequest(seen, url);
      const answer = answers(recorded, exchanges.length);
      exchanges.push({ request: recorded, answer });
      send(response, answer, url, photosFolder);
    });
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return {
    url,
    exchanges,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      server.close();
      await once(server, "close");
    },
  };
}

async function wholeBody(request: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}

function flat(request: IncomingMessage): Record<string, string> {
  return Object.fromEntries(
    Object.entries(request.headers).map(([name, value]) => [
      name,
      Array.isArray(value) ? value.join(", ") : (value ?? ""),
    ]),
  );
}

function send(response: ServerResponse, answer: RecordedAnswer, url: string, photosFolder: string): void {
  const [contentType, bytes] = answerBytes(answer.body, url, photosFolder);
  for (const [name, value] of Object.entries(answer.headers ?? {})) response.setHeader(name, value);
  if (contentType !== undefined && !response.hasHeader("content-type")) response.setHeader("content-type", contentType);
  response.writeHead(answer.status).end(bytes);
}

function answerBytes(body: AnswerBody, url: string, photosFolder: string): [string | undefined, Buffer] {
  switch (body.kind) {
    case "none":
      return [undefined, Buffer.alloc(0)];
    case "json":
      return ["application/json", Buffer.from(JSON.stringify(body.value).replaceAll("<server>", url))];
    case "text":
      return ["text/plain", Buffer.from(body.value.replaceAll("<server>", url))];
    case "photo":
      return ["image/jpeg", readFileSync(`${photosFolder}/${body.name}`)];
  }
}
