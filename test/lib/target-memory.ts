import type { TargetMemory } from "../../src/core/ports.ts";

/** A target's memory that outlives the target: the same one for a new target is a process that was killed. */
export function memoryOf(content?: unknown): TargetMemory & { content: unknown; writes: number } {
  return {
    content,
    writes: 0,
    async read() {
      return structuredClone(this.content);
    },
    async write(value) {
      this.writes += 1;
      this.content = JSON.parse(JSON.stringify(value)) as unknown;
    },
  };
}
