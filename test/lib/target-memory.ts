import type { TargetMemory } from "../../src/core/ports.ts";

/** A target's memory without a disk; what is written goes through JSON, as on one. */
export class MemoryForTarget implements TargetMemory {
  #text: string | undefined;

  constructor(value?: unknown) {
    this.#text = value === undefined ? undefined : JSON.stringify(value);
  }

  /** What is there now. */
  get value(): unknown {
    return this.#text === undefined ? undefined : (JSON.parse(this.#text) as unknown);
  }

  read(): Promise<unknown> {
    return Promise.resolve(this.value);
  }

  write(value: object): Promise<void> {
    this.#text = JSON.stringify(value);
    return Promise.resolve();
  }
}
