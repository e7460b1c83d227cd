import type { KeyObject } from "node:crypto";
import { readFile, stat } from "node:fs/promises";
import { AgentError, messageOf } from "../../src/core/errors.ts";
import type { Clock } from "../../src/core/clock.ts";
import { isObject } from "../../src/remote/reply.ts";
import { nextSeq, privateKeyOf, sign } from "../../src/remote/signature.ts";
import { type Addressee, addresseeText } from "../../src/remote/topics.ts";
import { StateFile } from "../../src/state/state-file.ts";
import type { OutgoingRequest } from "./request.ts";

export interface SignOptions {
  /** File of the private key. */
  readonly sign?: string;
  /** Its id in the devices' configs. */
  readonly key?: string;
}

/** Signs what is sent, each time with a higher counter, which is kept beside the key. */
export class Signer {
  readonly #key: KeyObject;
  readonly #keyId: string;
  readonly #counter: StateFile<{ readonly seq: number }>;
  readonly #clock: Clock;

  private constructor(key: KeyObject, keyId: string, counter: StateFile<{ readonly seq: number }>, clock: Clock) {
    this.#key = key;
    this.#keyId = keyId;
    this.#counter = counter;
    this.#clock = clock;
  }

  /** Undefined where nothing is to be signed. Fails with `USAGE_COMMAND`, `SIGNING_KEY` or `STATE_…`. */
  static async open({ sign: file, key: keyId }: SignOptions, clock: Clock): Promise<Signer | undefined> {
    if (file === undefined && keyId === undefined) return undefined;
    if (file === undefined || keyId === undefined) {
      throw new AgentError("USAGE_COMMAND", "--sign KEYFILE and --key ID belong together", { disposition: "fatal" });
    }
    const key = privateKeyOf(await readPrivate(file));
    const counter = await StateFile.open({
      ...{ path: `${file}.counter`, version: 1, bytesMax: 1_024 },
      parse: parseCounter,
      initial: () => ({ seq: 0 }),
    });
    return new Signer(key, keyId, counter, clock);
  }

  /** The counter is on disk before the request can go. */
  async sign(request: OutgoingRequest, to: Addressee, { root, command }: { root: string; command: string }) {
    await this.#counter.update(({ seq }) => ({ seq: nextSeq(seq, this.#clock.nowMs()) }));
    const signable = { ...request, key: this.#keyId, seq: this.#counter.read().seq };
    return sign(signable, { root, to: addresseeText(to), command }, this.#key);
  }
}

/** As ssh has it: a key that others can read is none. */
async function readPrivate(file: string): Promise<string> {
  const unusable = (why: string) =>
    new AgentError("SIGNING_KEY", `reading the key ${file}: ${why}`, { disposition: "fatal" });
  try {
    const { mode } = await stat(file);
    if ((mode & 0o077) !== 0) throw unusable("other users may read it; chmod 600");
    return await readFile(file, "utf8");
  } catch (error) {
    throw error instanceof AgentError ? error : unusable(messageOf(error));
  }
}

function parseCounter(value: unknown): { readonly seq: number } {
  if (!isObject(value) || typeof value["seq"] !== "number") throw new Error("it is no counter");
  return { seq: value["seq"] };
}
