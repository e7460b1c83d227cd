import { z } from "zod";
import { duration } from "../../config/values.ts";
import { commonCameraFields, pixels } from "../config.ts";
import { programPattern, webcamDevicePattern, type WebcamOptions } from "./options.ts";

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

/** The driver's options in its own units. */
export function webcamOptions(config: z.infer<typeof webcamCamera>): WebcamOptions {
  const { device, width, height, quality, skip, frames, rotation, program } = config;
  return { device, width, height, quality, skip, frames, rotation, program, delaySeconds: config.delay / 1_000 };
}
