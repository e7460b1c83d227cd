import { join } from "node:path";
import { clockLimits, stateLimits } from "../core/limits.ts";
import { StateFile } from "./state-file.ts";

/** How far the wall clock was ahead of the monotonic one in a boot, at a moment at which it was right. */
export interface ClockAnchor {
  readonly bootId: string;
  readonly monotonicMs: number;
  readonly offsetMs: number;
  /** A time source said so. Otherwise somebody has set a clock that was off by decades, to a time that may be. */
  readonly confirmed: boolean;
}

export interface ClockAnchors {
  /** In the order in which they were found. */
  readonly anchors: readonly ClockAnchor[];
}

/** `clock.json` in the state folder. Fails with `STATE_…`. */
export async function openAnchors(stateFolder: string): Promise<StateFile<ClockAnchors>> {
  return StateFile.open<ClockAnchors>({
    path: join(stateFolder, "clock.json"),
    version: 1,
    bytesMax: stateLimits.clockBytesMax,
    parse: parseAnchors,
    initial: () => ({ anchors: [] }),
  });
}

export function withAnchor(anchors: readonly ClockAnchor[], added: ClockAnchor): readonly ClockAnchor[] {
  return [...anchors, added].slice(-clockLimits.anchorsMax);
}

/**
 * The one by which a moment of a boot is told: the first that a time source confirmed after it, because the clocks drift
 * apart while a machine sleeps; else the last before it.
 */
export function anchorFor(
  anchors: readonly ClockAnchor[],
  { bootId, monotonicMs }: Pick<ClockAnchor, "bootId" | "monotonicMs">,
): ClockAnchor | undefined {
  const ofBoot = anchors.filter((anchor) => anchor.bootId === bootId);
  const confirmed = ofBoot.filter((anchor) => anchor.confirmed);
  return confirmed.find((anchor) => anchor.monotonicMs >= monotonicMs) ?? confirmed.at(-1) ?? ofBoot.at(-1);
}

function parseAnchors(value: unknown): ClockAnchors {
  if (typeof value !== "object" || value === null || !("anchors" in value) || !Array.isArray(value.anchors)) {
    throw new Error("it is no list of anchors");
  }
  return { anchors: value.anchors.map(parseAnchor) };
}

function parseAnchor(value: unknown): ClockAnchor {
  if (typeof value !== "object" || value === null) throw new Error("an anchor is no object");
  const { bootId, monotonicMs, offsetMs, confirmed } = value as Readonly<Record<string, unknown>>;
  if (typeof bootId !== "string" || typeof confirmed !== "boolean") throw new Error("an anchor names no boot");
  if (typeof monotonicMs !== "number" || typeof offsetMs !== "number") throw new Error("an anchor has no times");
  return { bootId, monotonicMs, offsetMs, confirmed };
}
