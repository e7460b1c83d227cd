import { remoLimits } from "../../core/platform-limits.ts";
import type { Delivery } from "../../core/ports.ts";

/** Deliveries in requests of at most 8 MiB of pictures each, as the vendor's client sends them; one larger goes alone. */
export function groupsOf(
  deliveries: readonly Delivery[],
  bytesMax: number = remoLimits.groupBytesMax,
): readonly (readonly Delivery[])[] {
  const groups: Delivery[][] = [];
  let bytes = Infinity;
  for (const delivery of deliveries) {
    const { imageBytes } = delivery.record;
    if (bytes + imageBytes > bytesMax) {
      groups.push([]);
      bytes = 0;
    }
    groups.at(-1)?.push(delivery);
    bytes += imageBytes;
  }
  return groups;
}

export function halvesOf(group: readonly Delivery[]): readonly (readonly Delivery[])[] {
  const middle = Math.ceil(group.length / 2);
  return [group.slice(0, middle), group.slice(middle)].filter(({ length }) => length > 0);
}

export function imageBytesOf(deliveries: readonly Delivery[]): number {
  return deliveries.reduce((sum, { record }) => sum + record.imageBytes, 0);
}
