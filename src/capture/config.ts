import { z } from "zod";
import { duration, identifier } from "../config/values.ts";
import { programPattern, webcamDevicePattern, type WebcamOptions } from "./webcam-options.ts";

/** The capture drivers' part of the config. Root schema: a union of these by `driver`, each extended with `keep`. */

const pixels = z.number().int().min(16).max(16_384);

export const commonCameraFields = {
  id: identifier.describe("Name of the camera in records, topics, logs and commands"),
  interval: duration
    .prefault("5s")
    .describe("Time between two frames. 0s takes a frame whenever the last one is dealt with"),
};

export const webcamCamera = z
  .strictObject({
    ...commonCameraFields,
    driver: z.literal("webcam").describe("A USB camera, one run of fswebcam for each frame; for intervals of seconds"),
    device: z
      .string()
      .min(1)
      .regex(webcamDevicePattern, "expected a device such as /dev/v4l/by-id/… or /dev/video0")
      .default("/dev/video0")
      .describe("Device of the camera, best by its stable name under /dev/v4l/by-id; TEST: and FILE:/picture.jpg work"),
    width: pixels.default(1280).describe("Width to ask the camera for, in pixels"),
    height: pixels.default(720).describe("Height to ask the camera for, in pixels"),
    quality: z.number().int().min(1).max(95).default(85).describe("JPEG quality, 1 to 95"),
    skip: z
      .number()
      .int()
      .min(0)
      .max(100)
      .default(5)
      .describe("Frames to throw away first, while the camera finds its exposure"),
    delay: duration
      .refine((ms) => ms % 1_000 === 0 && ms <= 30_000, "expected whole seconds, at most 30s")
      .prefault("0s")
      .describe("Time to wait between opening the camera and the frame, in whole seconds, at most 30s"),
    frames: z.number().int().min(1).max(100).default(1).describe("Frames averaged into one, against noise"),
    rotation: z
      .union([z.literal(0), z.literal(90), z.literal(180), z.literal(270)])
      .default(0)
      .describe("Degrees to turn the picture clockwise"),
    program: z
      .string()
      .regex(programPattern, "expected a program's name or its absolute path")
      .default("fswebcam")
      .describe("The fswebcam to run, when it is not on the path"),
  })
  .describe("A V4L2 camera through fswebcam");

export const folderCamera = z
  .strictObject({
    ...commonCameraFields,
    interval: duration
      .prefault("0s")
      .describe("Time between two pictures. 0s takes the next one whenever the last one is dealt with"),
    driver: z.literal("folder").describe("JPEG files in a folder"),
    path: z.string().min(1).describe("The folder"),
    mode: z
      .enum(["once", "loop", "watch"])
      .default("watch")
      .describe(
        "once: every picture in order of name, then the end. loop: the same for ever. " +
          "watch: pictures that others put there; each is removed after it was taken, bad ones go to rejected/",
      ),
  })
  .describe("A folder of pictures, replayed or watched");

export const simulatedCamera = z
  .strictObject({
    ...commonCameraFields,
    driver: z.literal("simulated").describe("Drawn scenes whose content is known, for trying things out"),
    seed: z.number().int().min(0).max(4_294_967_295).default(1).describe("The same seed draws the same film"),
    width: pixels.default(1280).describe("Width of the frames in pixels"),
    height: pixels.default(720).describe("Height of the frames in pixels"),
    quality: z.number().int().min(1).max(100).default(85).describe("JPEG quality, 1 to 100"),
  })
  .describe("A simulated camera");

/** The driver's options in its own units. */
export function webcamOptions(config: z.infer<typeof webcamCamera>): WebcamOptions {
  const { device, width, height, quality, skip, frames, rotation, program } = config;
  return { device, width, height, quality, skip, frames, rotation, program, delaySeconds: config.delay / 1_000 };
}
