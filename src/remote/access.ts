import type { Command, Scope } from "./command.ts";
import { scopes } from "./command.ts";
import type { RemoteConfig } from "./config.ts";
import type { Gate } from "./inbox.ts";
import { refused, type Answer } from "./reply.ts";
import type { Request } from "./request.ts";
import type { Channel } from "./topics.ts";

/** Who may do what: scopes of keys and of unsigned requests, and what many devices may be asked at once. */
export class Access implements Gate {
  readonly #unsigned: readonly Scope[];
  readonly #groupEffects: boolean;

  constructor({ unsigned, keys, groupEffects }: Pick<RemoteConfig, "unsigned" | "keys" | "groupEffects">) {
    this.#unsigned = unsigned ?? (keys.length === 0 ? scopes : ["read"]);
    this.#groupEffects = groupEffects;
  }

  async refuse(request: Request, { spec }: Command, channel: Channel): Promise<Answer | undefined> {
    if (channel.kind !== "device" && spec.effect && !this.#groupEffects) {
      return refused("forbidden", `${spec.name} has an effect, and requests to many may only ask here`);
    }
    if (this.may(request, spec.scope)) return undefined;
    return refused("unauthorized", `${spec.name} needs a signature by a key with the scope ${spec.scope}`);
  }

  may(_request: Request, scope: Scope): boolean {
    return this.#unsigned.includes(scope);
  }
}
