import { iouOf } from "../core/detections.ts";
import { trackLimits } from "../core/vision-limits.ts";
import type { Box, Detection } from "../core/types.ts";

/**
 * Objects of one camera from frame to frame, so that what stands there is one record and not a thousand. Pure: tracks go
 * in and come back.
 *
 * Two errors are possible, and they weigh differently: to take one object for two is a record too many, to take two for
 * one is an event lost. So only a detection that counts begins a track, while a weaker one may carry it on; a track that
 * the model missed is forgotten in time, however still the picture; and it stays new until a frame of it was stored.
 */

export interface TrackRules {
  /** Boxes of one label that share this much are one object. */
  readonly minIou: number;
  readonly forgetAfterMs: number;
  /** A frame of what stays is kept this often; never when absent. */
  readonly repeatAfterMs?: number;
}

export interface Track {
  readonly label: string;
  readonly box: Box;
  /** Of another object that hides it, for as long as it does: it comes out from behind that one. */
  readonly hiddenAt?: Box;
  readonly seenAtMs: number;
  /** When its detection was last one for which a frame may be kept. */
  readonly countedAtMs: number;
  /** The model did not find it in the last frame that it saw. */
  readonly missed: boolean;
  /** When a frame of it was last kept; absent: it is new. */
  readonly keptAtMs?: number;
}

export interface Sighting {
  readonly monotonicMs: number;
  /** Those for which a frame may be kept, best first. */
  readonly counting: readonly Detection[];
  /** Weaker ones of any label. */
  readonly faint: readonly Detection[];
}

export interface Followed {
  readonly tracks: readonly Track[];
  /** Those whose detection counts, best first: a frame shows them. */
  readonly present: readonly Track[];
}

export function follow(rules: TrackRules, before: readonly Track[], sighting: Sighting): Followed {
  const { monotonicMs, counting, faint } = sighting;
  const known = before.filter(({ seenAtMs }) => monotonicMs - seenAtMs <= rules.forgetAfterMs);
  const matches = new Map<Track, Detection>();
  const free = new Set(counting);
  // What counts goes first: else a weak double of an object would take its track, and the object would seem new.
  match(known, free, matches, (track) => track.box, rules.minIou);
  const covers = [...matches].map(([before, { box }]) => ({ ...before, nowAt: box }));
  const lost = known.filter((track) => !matches.has(track)).map((track) => behind(track, covers, rules.minIou));
  match(lost, free, matches, (track) => track.hiddenAt, rules.minIou);
  match(lost, new Set(faint), matches, (track) => track.box, rules.minIou);

  const seen = new Map<Detection, Track>();
  const counted = new Set(counting);
  for (const [{ label, countedAtMs, keptAtMs }, detection] of matches) {
    const times = { seenAtMs: monotonicMs, countedAtMs: counted.has(detection) ? monotonicMs : countedAtMs };
    const kept = keptAtMs === undefined ? {} : { keptAtMs };
    seen.set(detection, { label, box: detection.box, ...times, missed: false, ...kept });
  }
  for (const detection of free) {
    const { label, box } = detection;
    seen.set(detection, { label, box, seenAtMs: monotonicMs, countedAtMs: monotonicMs, missed: false });
  }
  const missed = lost.filter((track) => !matches.has(track)).map((track) => ({ ...track, missed: true }));
  const tracks = [...seen.values(), ...missed].sort((a, b) => b.seenAtMs - a.seenAtMs).slice(0, trackLimits.objectsMax);
  const present = counting.flatMap((detection) => seen.get(detection) ?? []);
  return { tracks, present };
}

/** Pairs of one label, those that share most first. What finds its partner is taken out of `free`. */
function match(
  tracks: readonly Track[],
  free: Set<Detection>,
  matches: Map<Track, Detection>,
  boxOf: (track: Track) => Box | undefined,
  minIou: number,
): void {
  const pairs: { readonly track: Track; readonly detection: Detection; readonly iou: number }[] = [];
  for (const track of tracks) {
    const box = boxOf(track);
    if (box === undefined || matches.has(track)) continue;
    for (const detection of free) {
      if (detection.label !== track.label) continue;
      const iou = iouOf(box, detection.box);
      if (iou >= minIou) pairs.push({ track, detection, iou });
    }
  }
  for (const { track, detection } of pairs.sort((a, b) => b.iou - a.iou)) {
    if (matches.has(track) || !free.has(detection)) continue;
    matches.set(track, detection);
    free.delete(detection);
  }
}

/** Of two that meet, the model sees one: the other goes with it until they part. */
function behind(track: Track, covers: readonly (Track & { readonly nowAt: Box })[], minIou: number): Track {
  const { label, box, hiddenAt = box } = track;
  const cover = covers.find((other) => other.label === label && iouOf(other.box, hiddenAt) >= minIou);
  return cover === undefined ? track : { ...track, hiddenAt: cover.nowAt };
}

/**
 * Nothing has changed since the last frame that the model saw: what was there then is there now. A track that was missed
 * is not carried on: whoever went through the door an hour ago is not the one who comes in now.
 */
export function carryOn(tracks: readonly Track[], monotonicMs: number): readonly Track[] {
  return tracks.map((track) => (track.missed ? track : { ...track, seenAtMs: monotonicMs }));
}

/** A frame with these was kept. */
export function markKept({ tracks, present }: Followed, monotonicMs: number): readonly Track[] {
  const shown = new Set(present);
  return tracks.map((track) => (shown.has(track) ? { ...track, keptAtMs: monotonicMs } : track));
}

/** Why a frame is worth keeping for its objects: `new:person`, `again:car`; undefined when it shows only what is known. */
export function newsIn({ present }: Followed, { repeatAfterMs }: TrackRules, monotonicMs: number): string | undefined {
  const fresh = present.find(({ keptAtMs }) => keptAtMs === undefined);
  if (fresh !== undefined) return `new:${fresh.label}`;
  const due = present.find(({ keptAtMs = monotonicMs }) => monotonicMs - keptAtMs >= (repeatAfterMs ?? Infinity));
  return due === undefined ? undefined : `again:${due.label}`;
}

/**
 * When the model should look though nothing moves: for what is still new once a frame of it may be kept, for what is due
 * again, and once more for what it missed before that is forgotten. Infinity: there is no need.
 */
export function lookAgainAtMs(
  tracks: readonly Track[],
  { forgetAfterMs, repeatAfterMs = Infinity }: TrackRules,
  { monotonicMs, mayKeepFromMs }: { readonly monotonicMs: number; readonly mayKeepFromMs: number },
): number {
  const times = tracks.map(({ seenAtMs, countedAtMs, missed, keptAtMs }) => {
    if (keptAtMs === undefined && mayKeepFromMs > monotonicMs) return mayKeepFromMs;
    // What has become too weak to be kept must not hold the gate open for ever.
    if (keptAtMs === undefined) return monotonicMs - countedAtMs <= forgetAfterMs ? monotonicMs : Infinity;
    if (!missed) return Math.max(mayKeepFromMs, keptAtMs + repeatAfterMs);
    const halfway = seenAtMs + forgetAfterMs / 2;
    return halfway > monotonicMs ? halfway : Infinity;
  });
  return Math.min(Infinity, ...times);
}
