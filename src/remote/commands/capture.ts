import { z } from "zod";
import { remoteLimits } from "../../core/remote-limits.ts";
import { fraction, identifier } from "../../config/values.ts";
import { command, type Command, type CommandCall, type CommandSpec } from "../command.ts";
import type { Settings } from "../settings.ts";

/** Whether, how often and for what cameras take frames. */

const { burstFramesMax, burstMaxMs, pauseMaxMs } = remoteLimits;
const camera = identifier.optional().describe("All of them when left out");
const milliseconds = z.int().min(0).max(pauseMaxMs);

const pauseArgs = z.strictObject({
  camera,
  durationMs: milliseconds
    .min(1)
    .optional()
    .describe("In time that the device runs; until capture.resume when left out"),
});

export const pauseSpec = {
  name: "capture.pause",
  summary: "Stops cameras and frees their devices, also over restarts, until they are resumed or the time is over.",
  scope: "capture",
  args: pauseArgs,
  effect: true,
  repeatable: true,
  example: { camera: "front", durationMs: 3_600_000 },
  answer: "`cameras`: the state of each camera that was meant, and what is left of its pause",
} as const satisfies CommandSpec<typeof pauseArgs>;

const resumeArgs = z.strictObject({ camera });

export const resumeSpec = {
  name: "capture.resume",
  summary: "Ends the pause of cameras. Their schedules go on to hold.",
  scope: "capture",
  args: resumeArgs,
  effect: true,
  repeatable: true,
  example: { camera: "front" },
  answer: "`cameras`: each camera that was meant, and whether it was paused",
} as const satisfies CommandSpec<typeof resumeArgs>;

const burstArgs = z
  .strictObject({
    camera: identifier.optional().describe("The first one when left out"),
    count: z.int().min(1).max(burstFramesMax).describe("Frames to take and keep, whatever the rules say"),
    intervalMs: milliseconds.default(1_000).describe("From the beginning of one to that of the next"),
  })
  .refine(({ count, intervalMs }) => count * intervalMs <= burstMaxMs, {
    path: ["intervalMs"],
    message: `count × intervalMs may be at most ${burstMaxMs} ms`,
  });

export type BurstArgs = z.output<typeof burstArgs>;

export const burstSpec = {
  name: "capture.burst",
  summary: "Takes several frames in a row and keeps each as a record. Ends early when there is no room for more.",
  scope: "capture",
  args: burstArgs,
  effect: true,
  slow: true,
  example: { camera: "front", count: 10, intervalMs: 500 },
  answer:
    "`taken` and `stored` frames, those `notOwed` because no target wants them, the ids of the `records`, and `endedBy`: `count`, `storage_full` or `camera_unavailable`",
} as const satisfies CommandSpec<typeof burstArgs>;

const newObjects = z.strictObject({
  minIou: fraction.optional(),
  forgetAfterMs: milliseconds.optional(),
  repeatAfterMs: milliseconds.nullable().optional(),
});

const keep = z.strictObject({
  labels: z.array(z.string().min(1).max(100)).min(1).nullable().optional(),
  minScore: fraction.nullable().optional(),
  minIntervalMs: milliseconds.nullable().optional(),
  negativesEvery: z.int().min(1).nullable().optional(),
  newObjects: newObjects.nullable().optional(),
});

const setArgs = z
  .strictObject({
    camera: identifier,
    intervalMs: milliseconds.optional().describe("Time between two frames"),
    framesPerSecond: z.number().min(0.001).max(60).optional().describe("The same, said the other way round"),
    keep: keep.optional().describe("Which frames become records: as in the config; null takes a rule away"),
  })
  .refine(({ intervalMs, framesPerSecond }) => intervalMs === undefined || framesPerSecond === undefined, {
    path: ["framesPerSecond"],
    message: "one of intervalMs and framesPerSecond",
  })
  .refine((given) => Object.keys(given).length > 1, "nothing to set: intervalMs, framesPerSecond or keep");

type SetArgs = z.output<typeof setArgs>;

export const setSpec = {
  name: "capture.set",
  summary: "Changes how often a camera takes a frame, and which of them are kept. It stays in the config.",
  scope: "capture",
  args: setArgs,
  effect: true,
  example: { camera: "front", intervalMs: 10_000, keep: { labels: ["person"], minScore: 0.6 } },
  answer: "what was changed in the config, and how it was applied",
} as const satisfies CommandSpec<typeof setArgs>;

export const captureSpecs: readonly CommandSpec[] = [pauseSpec, resumeSpec, burstSpec, setSpec];

export interface CapturePort {
  /** Without a camera all of them, without a time until `resume`. Fails with `CAMERA_UNKNOWN` or `STATE_…`. */
  pause(cameraId: string | undefined, forMs: number | undefined, call: Pick<CommandCall, "dry">): Promise<object>;
  resume(cameraId: string | undefined, call: Pick<CommandCall, "dry">): Promise<object>;
  /** Fails as a snapshot does when not a single frame could be stored. */
  burst(args: BurstArgs, call: Pick<CommandCall, "dry" | "signal" | "progress">): Promise<object>;
}

export function captureCommands(port: CapturePort): readonly Command[] {
  return [
    command(pauseSpec, async ({ camera: id, durationMs }, call) => port.pause(id, durationMs, call)),
    command(resumeSpec, async ({ camera: id }, call) => port.resume(id, call)),
    command(burstSpec, async (args, call) => port.burst(args, call)),
  ];
}

/** `mustBeThere` fails with `CAMERA_UNKNOWN`: a patch could also add a camera, and this command never does. */
export function captureSettingCommands(
  settings: Settings,
  mustBeThere: (cameraId: string) => unknown,
): readonly Command[] {
  const set = async (args: SetArgs, call: CommandCall): Promise<object> => {
    mustBeThere(args.camera);
    return settings.change(patchOf(args), call);
  };
  return [command(setSpec, set)];
}

/** `framesPerSecond` wins over `interval` in the config, so that it has to go where an interval is set. */
function patchOf({ camera: id, intervalMs, framesPerSecond, keep: rules }: SetArgs): object {
  const change = {
    ...(intervalMs === undefined ? {} : { interval: `${intervalMs}ms`, framesPerSecond: null }),
    ...(framesPerSecond === undefined ? {} : { framesPerSecond }),
    ...(rules === undefined ? {} : { keep: keepPatch(rules) }),
  };
  return { cameras: { [id]: change } };
}

function keepPatch({ minIntervalMs, newObjects: objects, ...same }: z.output<typeof keep>): object {
  return {
    ...same,
    ...(minIntervalMs === undefined ? {} : { minInterval: durationText(minIntervalMs) }),
    ...(objects === undefined ? {} : { newObjects: objects === null ? null : newObjectsPatch(objects) }),
  };
}

function newObjectsPatch({ minIou, forgetAfterMs, repeatAfterMs }: z.output<typeof newObjects>): object {
  return {
    ...(minIou === undefined ? {} : { minIou }),
    ...(forgetAfterMs === undefined ? {} : { forgetAfter: durationText(forgetAfterMs) }),
    ...(repeatAfterMs === undefined ? {} : { repeatAfter: durationText(repeatAfterMs) }),
  };
}

/** As durations are written in the config. */
function durationText(ms: number | null): string | null {
  return ms === null ? null : `${ms}ms`;
}
