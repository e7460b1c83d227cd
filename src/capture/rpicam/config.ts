import { z } from "zod";
import { captureLimits } from "../../core/capture-limits.ts";
import { commonCameraFields, pixels } from "../config.ts";
import { isAllowedArgument } from "./options.ts";

export const rpicamCamera = z
  .strictObject({
    ...commonCameraFields,
    driver: z.literal("rpicam").describe("A Raspberry Pi camera, through rpicam-vid or rpicam-still"),
    mode: z
      .enum(["video", "still"])
      .default("video")
      .describe("video: the camera runs all the time. still: one run for each frame; for long intervals and full size"),
    camera: z
      .number()
      .int()
      .min(0)
      .max(15)
      .default(0)
      .describe("Number of the camera, as rpicam-hello --list-cameras counts them"),
    width: pixels.default(1280).describe("Width to ask the camera for, in pixels"),
    height: pixels.default(720).describe("Height to ask the camera for, in pixels"),
    quality: z.number().int().min(1).max(100).default(85).describe("JPEG quality, 1 to 100"),
    sourceFramesPerSecond: z
      .number()
      .min(0.1)
      .max(120)
      .default(5)
      .describe("Frames that the camera takes a second in mode video, however few of them are wanted"),
    rotation: z
      .union([z.literal(0), z.literal(180)])
      .default(0)
      .describe("Degrees to turn the picture: 0 or 180"),
    hflip: z.boolean().default(false).describe("Mirror the picture, left to right"),
    vflip: z.boolean().default(false).describe("Mirror the picture, top to bottom"),
    arguments: z
      .array(z.string().refine(isAllowedArgument, "expected --name or --name=value, and none that Framepost sets"))
      .max(captureLimits.argumentsMax)
      .default([])
      .describe("Further options of the program, such as --awb=daylight"),
  })
  .describe("A Raspberry Pi camera");
