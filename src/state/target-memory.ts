import { join } from "node:path";
import { AgentError } from "../core/errors.ts";
import { stateLimits } from "../core/limits.ts";
import type { TargetMemory } from "../core/ports.ts";
import { StateFile } from "./state-file.ts";

interface Kept {
  readonly content: unknown;
}

/** `targets/<id>.json` in the state folder. The file is opened at the first use, so that most targets have none. */
export class TargetMemoryFile implements TargetMemory {
  readonly #path: string;
  #file: Promise<StateFile<Kept>> | undefined;

  constructor(stateFolder: string, targetId: string) {
    this.#path = join(stateFolder, "targets", `${targetId}.json`);
  }

  async read(): Promise<unknown> {
    return (await this.#opened()).read().content;
  }

  async write(value: object): Promise<void> {
    const sizeBytes = Buffer.byteLength(JSON.stringify(value));
    if (sizeBytes > stateLimits.targetBytesMax) {
      throw new AgentError("STATE_TOO_LARGE", `write ${this.#path}: ${sizeBytes} bytes of state`, {
        disposition: "retry",
      });
    }
    const file = await this.#opened();
    await file.update(() => ({ content: value }));
  }

  /** Once; a failure is tried again at the next use. */
  async #opened(): Promise<StateFile<Kept>> {
    this.#file ??= StateFile.open<Kept>({
      path: this.#path,
      version: 1,
      // What lies around the content, and its indentation.
      bytesMax: 4 * stateLimits.targetBytesMax,
      parse: parseKept,
      initial: () => ({ content: undefined }),
    });
    try {
      return await this.#file;
    } catch (error) {
      this.#file = undefined;
      throw error;
    }
  }
}

function parseKept(value: unknown): Kept {
  if (typeof value !== "object" || value === null) throw new Error("it is no state of a target");
  return { content: "content" in value ? value.content : undefined };
}
