import { newKeyTexts, privateKeyOf, sign } from "../../src/remote/signature.ts";
import type { MqttMessage } from "../../src/link/mqtt-subscription.ts";
import type { Random } from "../../src/core/ports.ts";

/** Requests that are wrong in one way or another, and replays of one that is right. */

const ops = newKeyTexts();
const stranger = newKeyTexts();

/** For `remote.keys`: it may do everything, and the fuzz signs with it only what is then broken or stale. */
export const fuzzKey = {
  id: "ops",
  publicKey: ops.publicKey,
  scopes: ["read", "capture", "queue", "config", "admin"] as const,
};

export type Fuzzed = Pick<MqttMessage, "topic" | "payload" | "retain" | "responseTopic" | "correlationData">;

export interface FuzzTarget {
  /** A command with an effect, and its arguments. */
  readonly effect: string;
  readonly args: object;
  /** Names of other commands. */
  readonly commands: readonly string[];
}

const firstSeq = 1_000;

export class RequestFuzz {
  readonly #random: Random;
  readonly #target: FuzzTarget;
  /** What is right: it is to be sent first, once; whatever comes later is a replay. */
  readonly first: object;

  constructor(target: FuzzTarget, random: Random) {
    this.#random = random;
    this.#target = target;
    this.first = this.#signed({ id: "the-one", args: target.args, seq: firstSeq });
  }

  next(): Fuzzed {
    const payload = this.#payload();
    const roll = this.#random();
    return {
      topic: this.#topic(),
      payload,
      // An empty one would clear a topic, and is no request.
      retain: roll < 0.03 && payload.length > 0,
      ...(roll > 0.7
        ? { responseTopic: this.#pick(["framepost/reply/me", "framepost/gw/cmd/restart", "x", "é/ü", "$SYS/x"]) }
        : {}),
      ...(roll > 0.8 ? { correlationData: this.#bytes(this.#int(600)) } : {}),
    };
  }

  #topic(): string {
    const { effect, commands } = this.#target;
    const name =
      this.#random() < 0.6
        ? effect
        : this.#pick([...commands, "", "x".repeat(200), "SNAPSHOT", "../x", "ünknown", "__proto__"]);
    const to = this.#random() < 0.9 ? "gw" : this.#pick(["all", "group/yard", "group/none", "gw2"]);
    return `framepost/${to}/cmd/${name.replaceAll("/", "")}`;
  }

  #payload(): Buffer {
    const makers: readonly (() => Buffer | string)[] = [
      () => this.#bytes(this.#int(300)),
      () => JSON.stringify(this.#value(0)),
      () => JSON.stringify({ [this.#word()]: this.#value(0), id: this.#word() }),
      () => this.#cut(JSON.stringify(this.first)),
      () => this.#flipped(Buffer.from(JSON.stringify(this.first))),
      () => JSON.stringify(this.#wrongField()),
      () => JSON.stringify(this.#forged()),
      () => JSON.stringify(this.first),
      // Well signed, and its counter is used up.
      () => JSON.stringify(this.#signed({ id: this.#word(), args: this.#target.args, seq: this.#int(firstSeq + 1) })),
      () =>
        `{"id":"n","args":${this.#pick(["1e999", "-0", "9".repeat(400), "1e-400", '"\\ud800"', "{}", "[".repeat(60_000)])}}`,
      () => `${'{"args":'.repeat(this.#int(3_000))}1`,
      () => `{"__proto__":{"args":{}},"constructor":1,"id":"p"}`,
      () => `{"id":"unsigned","args":${JSON.stringify(this.#target.args)}}`,
      () => JSON.stringify({ id: this.#word(), args: { [this.#word()]: this.#value(0) } }),
    ];
    if (this.#random() < 0.003) return Buffer.alloc(65_000 + this.#int(60_000), "x");
    return Buffer.from(this.#pick(makers)());
  }

  #signed(envelope: { readonly seq: number; readonly [field: string]: unknown }): object {
    const recipient = { root: "framepost", to: "gw", command: this.#target.effect };
    return sign({ key: "ops", ...envelope }, recipient, privateKeyOf(ops.privateKey));
  }

  #forged(): object {
    const envelope = { key: "ops", id: this.#word(), args: this.#target.args, seq: firstSeq + 1 + this.#int(1e9) };
    const recipient = {
      root: "framepost",
      to: this.#pick(["gw2", "all", "gw"]),
      command: this.#pick(["other", "ping"]),
    };
    const whose = this.#random() < 0.5 ? ops : stranger;
    const signed = sign(envelope, recipient, privateKeyOf(whose.privateKey));
    return this.#pick([
      signed,
      { ...signed, key: "nobody" },
      { ...signed, sig: undefined },
      { ...signed, seq: undefined },
    ]);
  }

  #wrongField(): object {
    const field = this.#pick(["v", "id", "args", "dry", "ttlMs", "ifRevision", "spreadMs", "key", "seq", "sig"]);
    return { ...this.first, [field]: this.#value(0) };
  }

  #value(depth: number): unknown {
    const plain = [null, true, -1, 0, 1.5, 2 ** 53, 1e308, "", "x".repeat(this.#int(2_000)), "\u0000", "💥", "ops"];
    if (depth > 3 || this.#random() < 0.6) return this.#pick(plain);
    const list = Array.from({ length: this.#int(5) }, () => this.#value(depth + 1));
    return this.#random() < 0.5 ? list : Object.fromEntries(list.map((each) => [this.#word(), each]));
  }

  #word(): string {
    return this.#pick([
      "a",
      "id",
      "camera",
      "n",
      "the-one",
      "__proto__",
      "toString",
      "é",
      "x".repeat(70),
      `w${this.#int(1e6)}`,
    ]);
  }

  #cut(text: string): string {
    return text.slice(0, this.#int(text.length));
  }

  #flipped(bytes: Buffer): Buffer {
    // Of the base64 of a signature the last character has bits that mean nothing.
    const at = this.#int(bytes.length - 8);
    bytes.writeUInt8(bytes.readUInt8(at) ^ (1 << this.#int(8)), at);
    return bytes;
  }

  #bytes(length: number): Buffer {
    return Buffer.from(Array.from({ length }, () => this.#int(256)));
  }

  #int(below: number): number {
    return Math.floor(this.#random() * below);
  }

  #pick<T>(list: readonly T[]): T {
    const found = list[this.#int(list.length)];
    if (found === undefined) throw new Error("picked from nothing");
    return found;
  }
}
