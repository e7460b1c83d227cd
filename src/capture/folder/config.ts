import { z } from "zod";
import { duration } from "../../config/values.ts";
import { commonCameraFields } from "../config.ts";

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
    recursive: z
      .boolean()
      .default(false)
      .describe("Also pictures in folders below it, as FTP cameras make one for each day"),
  })
  .describe("A folder of pictures, replayed or watched");
