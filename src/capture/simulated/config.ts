import { z } from "zod";
import { commonCameraFields, pixels } from "../config.ts";

export const simulatedCamera = z
  .strictObject({
    ...commonCameraFields,
    driver: z.literal("simulated").describe("Drawn scenes whose content is known, for trying things out"),
    scene: z
      .enum(["film", "street"])
      .default("film")
      .describe("film: objects in every picture. street: a fixed view that is empty and still most of the time"),
    light: z
      .enum(["steady", "drift", "sudden"])
      .default("steady")
      .describe("Of the street: steady, slowly changing, or jumping when something comes"),
    seed: z.number().int().min(0).max(4_294_967_295).default(1).describe("The same seed draws the same pictures"),
    width: pixels.default(1280).describe("Width of the frames in pixels"),
    height: pixels.default(720).describe("Height of the frames in pixels"),
    quality: z.number().int().min(1).max(100).default(85).describe("JPEG quality, 1 to 100"),
  })
  .describe("A simulated camera");
