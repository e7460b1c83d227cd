import { createHash } from "node:crypto";
import type { IncomingMessage, ServerResponse } from "node:http";

export interface DigestGateOptions {
  readonly username: string;
  readonly password: string;
  /** As it stands in the challenge; left out of it when absent, which means MD5. */
  readonly algorithm?: "MD5" | "MD5-sess" | "SHA-256" | "SHA-256-sess";
  /** False for the form of RFC 2069. */
  readonly qop?: boolean;
  /** Answers that one nonce is good for. */
  readonly usesMax?: number;
  /** False where an outworn nonce is refused like a wrong password. */
  readonly saysStale?: boolean;
}

interface Nonce {
  uses: number;
  lastCount: number;
}

/**
 * Asks for a Digest login as RFC 7616 has it, and computes what must come from the texts of the header alone: nothing
 * here is shared with the client. Counts what a camera would count before it locks the account.
 */
export class DigestGate {
  challenges = 0;
  wrongPasswords = 0;
  /** May change, as an operator changes it on the camera. */
  password: string;
  readonly #options: DigestGateOptions;
  readonly #nonces = new Map<string, Nonce>();
  readonly #realm = 'yard, "camera" \\ 1';

  constructor(options: DigestGateOptions) {
    this.#options = options;
    this.password = options.password;
  }

  readonly pass = (request: IncomingMessage, response: ServerResponse): boolean => {
    const header = request.headers.authorization;
    const verdict = header === undefined ? "none" : this.#judge(header, request.method ?? "", request.url ?? "");
    if (verdict === "good") return true;
    if (verdict === "wrong") this.wrongPasswords += 1;
    this.#ask(response, verdict === "stale" && this.#options.saysStale !== false);
    return false;
  };

  #ask(response: ServerResponse, stale: boolean): void {
    const { algorithm, qop = true } = this.#options;
    this.challenges += 1;
    const nonce = `n/${this.challenges}=+${Math.random().toString(36).slice(2)}`;
    this.#nonces.set(nonce, { uses: 0, lastCount: 0 });
    const fields = [
      `realm="${this.#realm.replaceAll("\\", "\\\\").replaceAll('"', '\\"')}"`,
      `nonce="${nonce}"`,
      'opaque="op,aque"',
      ...(qop ? ['qop="auth-int, auth"'] : []),
      ...(algorithm === undefined ? [] : [`algorithm=${algorithm}`]),
      ...(stale ? ["stale=true"] : []),
    ];
    response.writeHead(401, { "WWW-Authenticate": `Digest ${fields.join(", ")}`, "Content-Type": "text/html" });
    response.end("<html><title>Log in</title></html>");
  }

  #judge(header: string, method: string, target: string): "good" | "wrong" | "stale" {
    const { algorithm = "MD5", username, qop = true, usesMax = Infinity } = this.#options;
    const field = (name: string) => new RegExp(`[ ,]${name}="((?:[^"\\\\]|\\\\.)*)"`).exec(header)?.[1];
    const plain = (name: string) => new RegExp(`[ ,]${name}=([^",\\s]+)`).exec(header)?.[1];
    const unescaped = (text = "") => text.replaceAll(/\\(.)/g, "$1");
    const nonce = field("nonce") ?? "";
    const known = this.#nonces.get(nonce);
    if (known === undefined) return "stale";
    const hash = algorithm.startsWith("MD5") ? "md5" : "sha256";
    const h = (...parts: readonly string[]) => createHash(hash).update(parts.join(":")).digest("hex");
    let user = h(username, this.#realm, this.password);
    const cnonce = field("cnonce") ?? "";
    if (algorithm.endsWith("-sess")) user = h(user, nonce, cnonce);
    const tail = qop ? [plain("nc") ?? "", cnonce, plain("qop") ?? ""] : [];
    const expected = h(user, nonce, ...tail, h(method, target));
    const matches =
      field("response") === expected &&
      unescaped(field("username")) === username &&
      unescaped(field("realm")) === this.#realm &&
      field("uri") === target &&
      field("opaque") === "op,aque" &&
      (!qop || plain("qop") === "auth");
    if (!matches) return "wrong";
    const count = Number.parseInt(plain("nc") ?? "0", 16);
    if (qop && count <= known.lastCount) return "wrong";
    known.lastCount = count;
    known.uses += 1;
    return known.uses > usesMax ? "stale" : "good";
  }
}

/** A gate for Basic. */
export function basicGate(username: string, password: string) {
  const expected = `Basic ${Buffer.from(`${username}:${password}`).toString("base64")}`;
  return (request: IncomingMessage, response: ServerResponse): boolean => {
    if (request.headers.authorization === expected) return true;
    response.writeHead(401, { "WWW-Authenticate": 'Basic realm="camera"' }).end();
    return false;
  };
}
