import { street, type StreetOptions } from "../../src/capture/simulated/street.ts";
import type { MotionGate, Vision } from "../../src/core/vision-port.ts";
import type { Detection } from "../../src/core/types.ts";
import { never } from "./vision.ts";

/** Objects that enter the simulated street, seen with the motion gate and, picture by picture, without it. */

export interface StreetRun extends Omit<StreetOptions, "index" | "seed"> {
  readonly name: string;
  readonly quality: number;
}

export interface StreetFigures {
  readonly name: string;
  readonly frames: number;
  readonly entries: number;
  /** Entries that the model finds on at least one picture without the gate. */
  readonly visible: number;
  /** Of these, entries that it does not find on any picture because the gate kept all of them from it. */
  readonly missed: number;
  readonly still: number;
}

/** Detection is never forced by time: only motion brings a picture to the model. */
export const gateByMotion: MotionGate = { detectEveryMs: 1e12, minAreaShare: 0.005, minContrastLevels: 6 };

export const streetRuns = (width: number, height: number): readonly StreetRun[] => {
  const usual = { width, height, quality: 85, periodFrames: 16, light: "steady", noise: 0.12 } as const;
  return [
    { ...usual, name: "crossing", entries: ["cross"] },
    { ...usual, name: "coming, standing, leaving", entries: ["stand"] },
    { ...usual, name: "there for two pictures", entries: ["appear"] },
    { ...usual, name: "creeping in", entries: ["slow"], periodFrames: 48 },
    { ...usual, name: "strong noise", noise: 0.4 },
    { ...usual, name: "light drifts", light: "drift" },
    { ...usual, name: "light jumps during the entry", light: "sudden" },
    { ...usual, name: "light jumps, strong noise, low JPEG quality", light: "sudden", noise: 0.3, quality: 50 },
  ];
};

export async function runStreet(
  vision: Pick<Vision, "render" | "detect" | "watch" | "model">,
  { name, quality, ...options }: StreetRun,
  {
    seed,
    entries,
    gate = gateByMotion,
  }: { readonly seed: number; readonly entries: number; readonly gate?: MotionGate },
): Promise<StreetFigures> {
  const threshold = vision.model()?.threshold ?? 1;
  const frames = entries * (options.periodFrames ?? 100);
  const isSeen = (detections: readonly Detection[], label: string) =>
    detections.some((detection) => detection.label === label && detection.score >= threshold);
  const [visible, found] = [new Set<number>(), new Set<number>()];
  let still = 0;
  for (let index = 0; index < frames; index += 1) {
    const { svg, objects, entry } = street({ ...options, seed, index });
    const { jpeg } = await vision.render(svg, { quality }, never);
    const watch = { exact: false, cameraId: `${name} ${seed}`, monotonicMs: index, gate, force: false, measure: true };
    const answer = await vision.watch(jpeg, watch, never);
    if (answer.kind === "still") still += 1;
    const [object] = objects;
    if (object === undefined) continue;
    const { detections } = answer.kind === "detected" ? answer : await vision.detect(jpeg, { exact: false }, never);
    if (!isSeen(detections, object.label)) continue;
    visible.add(entry);
    if (answer.kind === "detected") found.add(entry);
  }
  return { name, frames, entries, visible: visible.size, missed: visible.size - found.size, still };
}
