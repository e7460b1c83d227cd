import { z } from "zod";
import { remoteLimits } from "../core/remote-limits.ts";
import { timeZone, weeklySchedule } from "./schedule.ts";
import { byteSize, capacity } from "./values.ts";

/** When, how fast and how much may be sent, over all targets but those that write to a disk. */
export const upload = z
  .strictObject({
    schedule: weeklySchedule
      .optional()
      .describe("Weekly windows in which records are sent; all the time when left out. A target may have its own"),
    bytesPerSecond: byteSize
      .refine((bytes) => bytes >= remoteLimits.uploadLimitMin, "is below 1KB")
      .optional()
      .describe(
        "Bytes of pictures a second on average, over all targets; no limit when left out. The command upload.limit goes before it",
      ),
    bytesPerDay: capacity
      .optional()
      .describe(
        "Most that uploads send in a day, over all targets: bytes on the line with base64 and headers, failed tries too, but without those of TLS and TCP",
      ),
    bytesPerMonth: capacity.optional().describe("The same in a month, from its first day"),
    timeZone: timeZone
      .optional()
      .describe("Time zone of days and months, such as Europe/Berlin; the machine's own when left out"),
  })
  .describe("When and how much may be sent; what waits is kept in the spool as long as there is room");
