import type { Random } from "../../core/ports.ts";
import { parseChallenges, type Challenge } from "./challenge.ts";
import {
  basicAuthorization,
  digestAuthorization,
  strongestDigest,
  type Credentials,
  type DigestChallenge,
} from "./digest.ts";

/** How a server wants a user to log in, once it has asked. */
type Asked =
  | { readonly kind: "basic"; readonly origin: string }
  | {
      readonly kind: "digest";
      readonly origin: string;
      readonly challenge: DigestChallenge;
      readonly cnonce: string;
      count: number;
    };

/** What to do after a 401. `why` is a phrase for an error text. */
export type LoginVerdict = { readonly kind: "again" } | LoginRefusal;

export interface LoginRefusal {
  readonly kind: "refused";
  readonly why: string;
}

/**
 * One user's logins at one camera. Nothing is sent before the server has asked for it, and then to that origin alone.
 * What it asked for is remembered, so that later requests log in without being asked; a nonce is counted on. A password
 * that was refused is not tried again: cameras lock accounts.
 */
export class Login {
  readonly #credentials: Credentials | undefined;
  readonly #random: Random;
  #asked: Asked | undefined;
  /** Some cameras take each nonce once, and may count every further use of it as a wrong password. */
  #noncesLast = true;

  constructor(credentials: Credentials | undefined, random: Random) {
    this.#credentials = credentials;
    this.#random = random;
  }

  /** True when a request to this address carries a login. */
  isAsked(url: URL): boolean {
    return this.#credentials !== undefined && this.#asked?.origin === url.origin;
  }

  /** For one request, never to be sent twice; undefined to send it without. */
  authorization(method: string, url: URL): string | undefined {
    const asked = this.#asked;
    if (this.#credentials === undefined || asked?.origin !== url.origin) return undefined;
    if (asked.kind === "basic") return basicAuthorization(this.#credentials);
    asked.count += 1;
    const { challenge, cnonce, count } = asked;
    const uri = url.pathname + url.search;
    return digestAuthorization(challenge, this.#credentials, { method, uri, count, cnonce });
  }

  /** After a 401 with this `WWW-Authenticate`. `sent`: the refused request carried a login. */
  challenged(header: string, sent: boolean, url: URL): LoginVerdict {
    const before = this.#asked;
    this.#asked = undefined;
    if (this.#credentials === undefined) return refused("it wants a user name and password, and none is configured");
    const challenges = parseChallenges(header);
    const digest = strongestDigest(challenges);
    if (digest === undefined && !challenges.some(({ scheme }) => scheme === "basic")) {
      return refused(`it wants a login of a kind that is not supported (${kindsOf(challenges)})`);
    }
    if (sent && !isRenewed(before, digest)) return refused(wrongPassword);
    if (sent && digest?.stale === false) this.#noncesLast = false;
    const { origin } = url;
    this.#asked =
      digest === undefined
        ? { kind: "basic", origin }
        : { kind: "digest", origin, challenge: digest, cnonce: this.#nonce(), count: 0 };
    return { kind: "again" };
  }

  /** The answer to a challenge came back with a 401. */
  refusedAgain(): LoginRefusal {
    this.#asked = undefined;
    return refused(wrongPassword);
  }

  /** A request has passed. */
  passed(): void {
    if (this.#asked?.kind === "digest" && !this.#noncesLast) this.#asked = undefined;
  }

  #nonce(): string {
    const word = () => Math.floor(this.#random() * 2 ** 32);
    return [word(), word()].map((part) => part.toString(16).padStart(8, "0")).join("");
  }
}

/** True where an old nonce was refused and a new one offered, which says nothing of the password. */
function isRenewed(before: Asked | undefined, digest: DigestChallenge | undefined): boolean {
  if (before?.kind !== "digest" || digest === undefined) return false;
  return digest.stale || digest.nonce !== before.challenge.nonce;
}

const wrongPassword = "the user name or the password is wrong";

function refused(why: string): LoginRefusal {
  return { kind: "refused", why };
}

/** For a person: the schemes that a server offered. */
function kindsOf(challenges: readonly Challenge[]): string {
  const kinds = challenges.map(({ scheme, parameters }) => `${scheme} ${parameters.get("algorithm") ?? ""}`.trim());
  const text = kinds.join(", ").replaceAll(/[^\x20-\x7e]/g, "");
  return text === "" ? "it does not say which" : text.slice(0, 80);
}
