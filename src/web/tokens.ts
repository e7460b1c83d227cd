import { createHash, createHmac, timingSafeEqual } from "node:crypto";
import type { IncomingMessage } from "node:http";
import type { Clock } from "../core/clock.ts";
import { webLimits } from "../core/web-limits.ts";
import { refusal } from "./refusal.ts";
import { WrongTokens } from "./wrong-tokens.ts";

export type TokenVerdict = "right" | "wrong" | "limited";

const cookieName = "framepost";

/** Knows the token, as a header of programs and as what a browser keeps after a login. Compares in constant time. */
export class Tokens {
  readonly #token: string;
  /** Follows from the token, so that a login outlives a restart, and ends when the token is changed. */
  readonly #cookie: string;
  readonly #isSecure: boolean;
  readonly #wrong: WrongTokens;

  constructor(token: string, { secure, clock }: { readonly secure: boolean; readonly clock: Clock }) {
    this.#token = token;
    this.#cookie = createHmac("sha256", token).update("framepost page").digest("base64url");
    this.#isSecure = secure;
    this.#wrong = new WrongTokens(clock);
  }

  readonly later = refusal(429, "WEB_LATER", { "retry-after": String(webLimits.wrongTokenEveryMs / 1_000) });

  of(request: IncomingMessage): TokenVerdict {
    const kept = cookieOf(request);
    if (kept !== undefined && isSame(kept, this.#cookie)) return "right";
    const [, bearer] = /^Bearer +(\S+) *$/i.exec(request.headers.authorization ?? "") ?? [];
    return bearer === undefined ? "wrong" : this.check(bearer, request);
  }

  /**
   * What somebody has typed. The right one counts even while its address has to wait: behind a proxy all have the same
   * address, and one who guesses would shut out everybody.
   */
  check(presented: string, { socket }: IncomingMessage): TokenVerdict {
    if (isSame(presented, this.#token)) return "right";
    const address = socket.remoteAddress ?? "";
    if (!this.#wrong.mayTry(address)) return "limited";
    this.#wrong.note(address);
    return "wrong";
  }

  /** For the browser of somebody who knew the token. */
  setCookie(): string {
    return this.#written(this.#cookie, webLimits.cookieMaxAgeS);
  }

  clearCookie(): string {
    return this.#written("", 0);
  }

  #written(value: string, maxAgeS: number): string {
    const secure = this.#isSecure ? "; Secure" : "";
    return `${cookieName}=${value}; HttpOnly; SameSite=Strict; Path=/; Max-Age=${maxAgeS}${secure}`;
  }
}

function cookieOf({ headers }: IncomingMessage): string | undefined {
  const pairs = (headers.cookie ?? "").split(";").map((pair) => pair.trim());
  return pairs.find((pair) => pair.startsWith(`${cookieName}=`))?.slice(cookieName.length + 1);
}

/** Hashed first: texts of different lengths could not be compared otherwise without telling that they differ. */
function isSame(one: string, other: string): boolean {
  const [a, b] = [one, other].map((text) => createHash("sha256").update(text).digest());
  return a !== undefined && b !== undefined && timingSafeEqual(a, b);
}
