import type { Delivery } from "../../core/ports.ts";
import { base64Bytes } from "../../link/payload.ts";
import { tagsOf } from "./checks.ts";
import { customVisionLimits } from "./limits.ts";
import type { NewRegion } from "./models.ts";

/** A record that is ready to be sent. */
export interface Item {
  readonly delivery: Delivery;
  readonly tagIds?: readonly string[];
  readonly regions?: readonly NewRegion[];
}

export interface BatchBounds {
  readonly imagesMax: number;
  /** Of base64. */
  readonly bytesMax: number;
}

/** In their order, by count, bytes and distinct tags. What failed before goes alone, so that its answer is its own. */
export function batchesOf(items: readonly Item[], { imagesMax, bytesMax }: BatchBounds): readonly (readonly Item[])[] {
  const batches: Item[][] = [];
  let [bytes, tags] = [0, new Set<string>()];
  for (const item of items) {
    const size = base64Bytes(item.delivery.record.imageBytes);
    const more = new Set([...tags, ...tagsOf(item)]);
    const open = batches.at(-1);
    const fits =
      open !== undefined &&
      open.length < imagesMax &&
      bytes + size <= bytesMax &&
      more.size <= customVisionLimits.tagsPerRequest &&
      !isAlone(item) &&
      !open.some(isAlone);
    if (fits) {
      open.push(item);
      [bytes, tags] = [bytes + size, more];
    } else {
      batches.push([item]);
      [bytes, tags] = [size, new Set(tagsOf(item))];
    }
  }
  return batches;
}

export function halvesOf(batch: readonly Item[]): readonly (readonly Item[])[] {
  const middle = Math.ceil(batch.length / 2);
  return [batch.slice(0, middle), batch.slice(middle)].filter(({ length }) => length > 0);
}

function isAlone({ delivery }: Item): boolean {
  return (delivery.cursor ?? "") !== "";
}
