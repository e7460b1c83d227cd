import { z } from "zod";
import { weeklySchedule } from "../config/schedule.ts";
import { duration, identifier } from "../config/values.ts";

/** What every camera's part of the config has; each driver's own part is in its folder. */

export const pixels = z.number().int().min(16).max(16_384);

export const commonCameraFields = {
  id: identifier.describe("Name of the camera in records, topics, logs and commands"),
  interval: duration
    .prefault("5s")
    .describe("Time between two frames. 0s takes a frame whenever the last one is dealt with"),
  framesPerSecond: z
    .number()
    .min(0.001)
    .max(60)
    .optional()
    .describe("Frames a second; where it is given, interval does not count"),
  stallAfter: duration
    .refine((ms) => ms >= 1_000, "expected at least 1s")
    .optional()
    .describe(
      "Time without a frame after which the camera counts as dead. When left out: five intervals, at least 5s; of exec and http-mjpeg at most 60s; of ffmpeg and rpicam five frames of the source",
    ),
  schedule: weeklySchedule.optional(),
};

interface PacedCamera {
  readonly interval: number;
  readonly framesPerSecond?: number | undefined;
}

/** Milliseconds between the starts of two shots. */
export function intervalMsOf({ interval, framesPerSecond }: PacedCamera): number {
  return framesPerSecond === undefined ? interval : 1_000 / framesPerSecond;
}
