import { diskBudgetLimits } from "./spool-limits.ts";

/** What one user of the disk needs of the budget: it says what it takes, and asks before it takes more. */
export interface DiskShare {
  /** What it takes now, in bytes: replaces what it said before. */
  uses(bytes: number): void;
  /** True when so many more bytes leave the records the share that is theirs. */
  mayGrow(bytes: number): boolean;
}

/**
 * One bound for everything that this agent puts on the disk of its data folder. Records get what the others leave, but
 * never less than their share; the others stop growing there.
 */
export class DiskBudget {
  readonly #bytesMax: number;
  readonly #uses = new Map<string, number>();

  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax;
  }

  share(name: string): DiskShare {
    return {
      uses: (bytes) => void this.#uses.set(name, bytes),
      mayGrow: (bytes) => this.#others() + bytes <= othersBytesMax(this.#bytesMax),
    };
  }

  /** Most that records may take at this moment. */
  recordsBytesMax(): number {
    return this.#bytesMax - Math.min(this.#others(), othersBytesMax(this.#bytesMax));
  }

  #others(): number {
    return [...this.#uses.values()].reduce((sum, bytes) => sum + bytes, 0);
  }
}

/** Most that everything but records may take together. */
export function othersBytesMax(bytesMax: number): number {
  return bytesMax === Infinity ? Infinity : bytesMax * (1 - diskBudgetLimits.recordsShareMin);
}
