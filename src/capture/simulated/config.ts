import { z } from "zod";
import { commonCameraFields, pixels } from "../config.ts";

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
