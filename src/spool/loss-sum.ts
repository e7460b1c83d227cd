import type { Loss } from "../core/ports.ts";

/** One loss for each target, priority and reason; what names no number of deliveries is one. */
export function summed(losses: readonly (Omit<Loss, "deliveries"> & { readonly deliveries?: number })[]): Loss[] {
  const sums = new Map<string, Loss>();
  for (const { targetId, priority, reason, deliveries = 1 } of losses) {
    const key = `${targetId} ${priority} ${reason}`;
    sums.set(key, { targetId, priority, reason, deliveries: (sums.get(key)?.deliveries ?? 0) + deliveries });
  }
  return [...sums.values()];
}
