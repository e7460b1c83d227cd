import type { Random } from "../../src/core/ports.ts";
import { webLimits } from "../../src/core/web-limits.ts";

/** Requests of a stranger who does not know the token: each is a right one that was spoilt, or was never one. */
export class WebFuzz {
  readonly #host: string;
  readonly #random: Random;

  constructor(port: number, random: Random) {
    this.#host = `127.0.0.1:${port}`;
    this.#random = random;
  }

  next(): Buffer {
    const shape = this.#of([
      () => this.#spoilt(),
      () => this.#spoilt(),
      () => this.#flipped(),
      () => Buffer.from(this.#plain()).subarray(0, this.#below(200)),
      () => this.#bytes(this.#below(2_000)),
      () => Buffer.from(`${this.#plain()}${this.#plain()}`),
    ]);
    return shape();
  }

  #plain(): string {
    return this.#text({ method: "GET", path: this.#path(), headers: { host: this.#host }, body: "" });
  }

  #spoilt(): Buffer {
    const path = this.#of([this.#path(), this.#oddPath()]);
    const method = this.#of([
      "GET",
      "GET",
      "HEAD",
      "POST",
      "POST",
      "PUT",
      "OPTIONS",
      "TRACE",
      "CONNECT",
      "get",
      this.#word(),
    ]);
    const body = this.#of([
      "",
      "{}",
      '{"a":',
      "token=wrong",
      "[".repeat(5_000),
      "a".repeat(this.#below(100_000)),
      this.#word(),
    ]);
    const headers: Record<string, string> = {
      host: this.#of([this.#host, this.#host, "localhost", "evil.example", this.#word()]),
    };
    for (let count = this.#below(5); count > 0; count -= 1) {
      const [name, value] = this.#header(body);
      headers[name] = value;
    }
    return Buffer.from(this.#text({ method, path, headers, body }), this.#of(["utf8", "latin1"] as const));
  }

  #flipped(): Buffer {
    const bytes = Buffer.from(this.#plain());
    for (let count = 1 + this.#below(8); count > 0; count -= 1) bytes[this.#below(bytes.length)] = this.#below(256);
    return bytes;
  }

  #path(): string {
    const commands = ["queue.drop", "restart", "config.set", "snapshot", "mark"].map((name) => `/api/commands/${name}`);
    return this.#of([
      "/",
      "/livez",
      "/readyz",
      "/healthz",
      "/metrics",
      "/login",
      "/logout",
      "/api/events",
      ...commands,
    ]);
  }

  #oddPath(): string {
    const up = this.#of([
      "../",
      "..%2f",
      "%2e%2e/",
      "%252e%252e%252f",
      "..\\",
      "..%5c",
      "....//",
      "%c0%ae%c0%ae/",
      "..;/",
    ]);
    const file = this.#of(["etc/passwd", "framepost.yaml", "state/device.json", "package.json", "proc/self/environ"]);
    return this.#of([
      `/static/${up.repeat(1 + this.#below(8))}${file}`,
      `/${file}%00.js`,
      `//evil.example/${file}`,
      `http://evil.example/${file}`,
      `/login?${this.#word()}=${"%00".repeat(this.#below(50))}`,
      `/${"a/".repeat(this.#below(2_000))}`,
      `/__proto__/constructor`,
      `/${this.#word()}`,
    ]);
  }

  #header(body: string): readonly [string, string] {
    const length = String(Buffer.byteLength(body));
    return this.#of<readonly [string, string]>([
      ["origin", this.#of(["http://evil.example", "null", `http://${this.#host}`])],
      [
        "authorization",
        this.#of(["Bearer wrong", "Basic YTpi", `Bearer ${"a".repeat(5_000)}`, "Bearer", this.#word()]),
      ],
      ["cookie", this.#of(["framepost=wrong", "framepost=", `a=${"b".repeat(4_000)}`, "framepost=x; framepost=y"])],
      ["content-type", this.#of(["application/json", "text/plain", "application/x-www-form-urlencoded", this.#word()])],
      ["content-length", this.#of([length, length, "-1", "1e9", "0x10", "99999999999999999999", this.#word()])],
      ["transfer-encoding", this.#of(["chunked", "identity", "chunked, chunked", "xchunked", this.#word()])],
      ["connection", this.#of(["keep-alive", "close", "upgrade", "host"])],
      ["upgrade", this.#of(["websocket", "h2c"])],
      ["expect", this.#of(["100-continue", "200-ok"])],
      ["range", "bytes=0-1,2-3,-1"],
      ["if-none-match", this.#word()],
      ["x-forwarded-host", "evil.example"],
      ["x-http-method-override", "DELETE"],
      ["accept", this.#of(["text/html", "text/event-stream", "*/*"])],
      ["x-long", "a".repeat(this.#below(2 * webLimits.headerBytesMax))],
      [`x-${this.#word()}`, this.#word()],
    ]);
  }

  #text(parts: {
    readonly method: string;
    readonly path: string;
    readonly headers: Readonly<Record<string, string>>;
    readonly body: string;
  }): string {
    const lines = Object.entries(parts.headers).map(([name, value]) => `${name}: ${value}\r\n`);
    const version = this.#below(20) === 0 ? this.#of(["HTTP/1.0", "HTTP/2.0", "HTTP/9", ""]) : "HTTP/1.1";
    return `${parts.method} ${parts.path} ${version}\r\n${lines.join("")}\r\n${parts.body}`;
  }

  /** Printable or not, with line ends among it. */
  #word(): string {
    const characters = "abcXYZ019-_.~%/\\:;,=\"'<>{}[]()\u0000\u0007\r\n\t \u00e4\u2028\ud83d";
    return Array.from({ length: this.#below(24) }, () => characters[this.#below(characters.length)] ?? "").join("");
  }

  #bytes(length: number): Buffer {
    return Buffer.from(Array.from({ length }, () => this.#below(256)));
  }

  #of<T>(choices: readonly T[]): T {
    const chosen = choices[this.#below(choices.length)];
    if (chosen === undefined) throw new Error("nothing to choose from");
    return chosen;
  }

  #below(bound: number): number {
    return Math.floor(this.#random() * bound);
  }
}
