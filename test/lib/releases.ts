import { createHash } from "node:crypto";
import { once } from "node:events";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { TestSigner } from "./minisign.ts";

/** Where a test publishes releases: a real HTTP server on loopback, which can do with every request what the test says. */

export type Answer = Buffer | ((request: IncomingMessage, response: ServerResponse) => void);

export interface ReleaseDraft {
  readonly name?: string;
  readonly version?: string;
  readonly sequence?: number;
  readonly expires?: string;
  readonly maxRunMs?: number;
  /** By path; what lies on the server. */
  readonly files: Readonly<Record<string, Buffer>>;
  /** What the release says in place of the truth. */
  readonly claims?: Readonly<Record<string, Readonly<Record<string, unknown>>>>;
  readonly further?: Readonly<Record<string, unknown>>;
}

const releasePath = "/models/release.json";

export class ReleaseServer {
  readonly signer: TestSigner;
  readonly answers = new Map<string, Answer>();
  readonly requests: string[] = [];
  readonly #server: Server;

  private constructor(server: Server, signer: TestSigner) {
    this.#server = server;
    this.signer = signer;
    server.on("request", (request: IncomingMessage, response: ServerResponse) => this.#serve(request, response));
  }

  /** Gone with `await using`. */
  static async open(): Promise<ReleaseServer & AsyncDisposable> {
    const server = createServer();
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    const opened = new ReleaseServer(server, new TestSigner(3));
    return Object.assign(opened, {
      async [Symbol.asyncDispose]() {
        server.closeAllConnections();
        server.close();
        await once(server, "close");
      },
    });
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}${releasePath}`;
  }

  /** The release file, its signature, and its files. */
  publish(draft: ReleaseDraft, signer = this.signer): Buffer {
    const { name = "wasps", version = "1" } = draft;
    const release = Buffer.from(releaseText(draft));
    this.answers.set(releasePath, release);
    this.answers.set(`${releasePath}.minisig`, signer.sign(release));
    for (const [path, bytes] of Object.entries(draft.files)) {
      this.answers.set(`/models/${name}/${version}/${path}`, bytes);
    }
    return release;
  }

  #serve(request: IncomingMessage, response: ServerResponse): void {
    const path = request.url ?? "";
    this.requests.push(path);
    const answer = this.answers.get(path);
    if (typeof answer === "function") answer(request, response);
    else if (answer === undefined) response.writeHead(404).end("no such file");
    else sendFile(answer, request, response);
  }
}

/** Whole, or from the byte that was asked for while the file is still the same. */
function sendFile(answer: Buffer, request: IncomingMessage, response: ServerResponse): void {
  const from = Number(/^bytes=(\d+)-$/.exec(request.headers.range ?? "")?.[1] ?? NaN);
  const etag = `"${createHash("sha256").update(answer).digest("hex").slice(0, 16)}"`;
  const isPart = from < answer.length && [undefined, etag].includes(request.headers["if-range"] as string | undefined);
  const body = isPart ? answer.subarray(from) : answer;
  const range = isPart ? { "content-range": `bytes ${from}-${answer.length - 1}/${answer.length}` } : {};
  response.writeHead(isPart ? 206 : 200, { "content-length": body.length, etag, ...range }).end(body);
}

export function releaseText(draft: ReleaseDraft): string {
  const { name = "wasps", version = "1", sequence = 1, expires = "2099-01-01T00:00:00Z", files, maxRunMs } = draft;
  const listed = Object.entries(files).map(([path, bytes]) => ({
    path,
    url: `${name}/${version}/${path}`,
    bytes: bytes.length,
    sha256: createHash("sha256").update(bytes).digest("hex"),
    ...draft.claims?.[path],
  }));
  const release = { format: 1, name, version, sequence, expires, files: listed, ...draft.further };
  return JSON.stringify(maxRunMs === undefined ? release : { ...release, maxRunMs });
}
