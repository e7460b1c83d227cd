import type { KeyObject } from "node:crypto";
import { scopes, type Command, type Scope } from "./command.ts";
import type { RemoteConfig } from "./config.ts";
import { refused, type Answer } from "./reply.ts";
import type { Request } from "./request.ts";
import { isSigned, publicKeyOf, type Recipient } from "./signature.ts";
import type { Channel } from "./topics.ts";

/** A request whose form is good, for a command that there is. */
export interface Asked {
  readonly request: Request;
  /** What a signature is made over. */
  readonly unsigned: string;
  readonly command: Command;
  readonly channel: Channel;
  readonly recipient: Recipient;
}

/** Whether a request may be run: who signed it, and what that key may do. */
export interface Gate {
  /** Undefined: it may. */
  refuse(asked: Asked): Promise<Answer | undefined>;
  /** Whether this caller has a scope; of one that was not refused. */
  may(request: Pick<Request, "key">, scope: Scope): boolean;
}

interface Key {
  readonly publicKey: KeyObject;
  readonly scopes: readonly Scope[];
}

/** Who may do what: scopes of keys and of unsigned requests, and what many devices may be asked at once. */
export class Access implements Gate {
  readonly #unsigned: readonly Scope[];
  readonly #keys: ReadonlyMap<string, Key>;
  readonly #groupEffects: boolean;

  /** Fails with `SIGNING_KEY` where a public key is none. */
  constructor({ unsigned, keys, groupEffects }: Pick<RemoteConfig, "unsigned" | "keys" | "groupEffects">) {
    this.#unsigned = unsigned ?? (keys.length === 0 ? scopes : ["read"]);
    this.#keys = new Map(keys.map(({ id, publicKey, ...key }) => [id, { ...key, publicKey: publicKeyOf(publicKey) }]));
    this.#groupEffects = groupEffects;
  }

  /** A signature is checked wherever there is one: a wrong one never passes for none. */
  async refuse(asked: Asked): Promise<Answer | undefined> {
    const { request, channel } = asked;
    const { name, scope, effect } = asked.command.spec;
    const signature = this.#signatureOf(asked);
    // One text for an unknown key and for a wrong signature. Their times may differ: ids of keys are no secrets.
    if (signature === "bad") {
      return refused("unauthorized", "no such key here, or not its signature of this request to this device");
    }
    if (channel.kind !== "device" && effect && !this.#groupEffects) {
      return refused("forbidden", `${name} has an effect, and requests to many may only ask here`);
    }
    if (this.may(request, scope)) return undefined;
    if (signature === "none") {
      return refused("unauthorized", `${name} needs a signature by a key with the scope ${scope}`);
    }
    return refused("forbidden", `${name} needs a key with the scope ${scope}`);
  }

  may({ key }: Pick<Request, "key">, scope: Scope): boolean {
    if (this.#unsigned.includes(scope)) return true;
    return key !== undefined && (this.#keys.get(key)?.scopes.includes(scope) ?? false);
  }

  #signatureOf({ request, unsigned, recipient }: Asked): "none" | "good" | "bad" {
    const { key, seq, sig } = request;
    if (key === undefined && seq === undefined && sig === undefined) return "none";
    if (key === undefined || seq === undefined || sig === undefined) return "bad";
    const known = this.#keys.get(key);
    return known !== undefined && isSigned({ unsigned, sig }, recipient, known.publicKey) ? "good" : "bad";
  }
}
