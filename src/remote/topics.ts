import type { Recipient } from "./signature.ts";

/**
 * The topic tree of remote control. A device reads `{root}/{device}/cmd/+`, and its groups' and everybody's; it writes
 * below `{root}/{device}/` alone, and to response topics of callers, so that a broker's access list can be one line.
 */

/** To whom a request was sent. */
export type Channel =
  { readonly kind: "device" } | { readonly kind: "group"; readonly group: string } | { readonly kind: "all" };

/** To whom a request is to be sent. */
export type Addressee =
  | { readonly kind: "device"; readonly device: string }
  | { readonly kind: "group"; readonly group: string }
  | { readonly kind: "all" };

/** The part of a request's topic between the root and `/cmd/`, which a signature covers too. */
export function addresseeText(to: Addressee): string {
  switch (to.kind) {
    case "device":
      return to.device;
    case "group":
      return `group/${to.group}`;
    case "all":
      return "all";
  }
}

/** Where a caller publishes a request. */
export function requestTopic(root: string, to: Addressee, name: string): string {
  return `${root}/${addresseeText(to)}/cmd/${name}`;
}

/** Under the root in place of a device: no device may have such a name. */
export const reservedNames: readonly string[] = ["all", "group", "reply"];

export class Topics {
  readonly #root: string;
  readonly #device: string;

  constructor(root: string, device: string) {
    this.#root = root;
    this.#device = device;
  }

  get availability(): string {
    return this.#own("availability");
  }

  get info(): string {
    return this.#own("info");
  }

  get status(): string {
    return this.#own("status");
  }

  reply(command: string): string {
    return this.#own(`res/${command}`);
  }

  event(kind: string): string {
    return this.#own(`event/${kind}`);
  }

  /** Kept: what Home Assistant shows of the device, a camera or a target, as one JSON object. */
  state(group: string): string {
    return this.#own(`state/${group}`);
  }

  /** Kept: the last kept frame of a camera, as a JPEG. */
  picture(camera: string): string {
    return this.#own(`picture/${camera}`);
  }

  /** Home Assistant's plain payloads for one entity; `+` for all. */
  set(entity: string): string {
    return this.#own(`set/${entity}`);
  }

  /** Undefined for a topic that is no entity's. */
  entity(topic: string): string | undefined {
    const before = this.#own("set/");
    return topic.startsWith(before) ? topic.slice(before.length) : undefined;
  }

  /** Where requests for a command of this device arrive. */
  command(name: string): string {
    return this.#own(`cmd/${name}`);
  }

  /** What to subscribe to. */
  requests(groups: readonly string[]): readonly string[] {
    return [
      this.command("+"),
      ...groups.map((group) => `${this.#root}/group/${group}/cmd/+`),
      `${this.#root}/all/cmd/+`,
    ];
  }

  /** To whom a request was sent, as signatures name it. */
  recipient(channel: Channel, command: string): Recipient {
    const to = { device: this.#device, group: `group/${channel.kind === "group" ? channel.group : ""}`, all: "all" };
    return { root: this.#root, to: to[channel.kind], command };
  }

  /** Undefined for a topic that is no request's. */
  request(topic: string): { readonly channel: Channel; readonly name: string } | undefined {
    if (!topic.startsWith(`${this.#root}/`)) return undefined;
    const words = topic.slice(this.#root.length + 1).split("/");
    const name = words.at(-1) ?? "";
    if (words.at(-2) !== "cmd") return undefined;
    const [first, second] = words;
    if (words.length === 3 && first === this.#device) return { channel: { kind: "device" }, name };
    if (words.length === 3 && first === "all") return { channel: { kind: "all" }, name };
    if (words.length === 4 && first === "group" && second !== undefined) {
      return { channel: { kind: "group", group: second }, name };
    }
    return undefined;
  }

  #own(rest: string): string {
    return `${this.#root}/${this.#device}/${rest}`;
  }
}
