import type { Random } from "./ports.ts";

/**
 * Full jitter: uniform between 0 and the doubled ceiling, so that a thousand gateways never come back in step.
 * `failures` counts from 1.
 */
export function backoffMs(failures: number, firstMs: number, maxMs: number, random: Random): number {
  const ceiling = Math.min(maxMs, firstMs * 2 ** Math.min(failures - 1, 30));
  return Math.round(random() * ceiling);
}
