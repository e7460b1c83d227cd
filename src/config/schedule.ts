import { z } from "zod";
import { configLimits } from "../core/limits.ts";
import { weekdays } from "../core/weekly.ts";

/** Weekly windows, as cameras have them. */

const beginForm = "expected a time of day, 00:00 to 23:59";
const endForm = "expected a time of day, 00:01 to 24:00";

const window = z
  .strictObject({
    days: z
      .array(z.enum(weekdays))
      .min(1)
      .max(weekdays.length)
      .optional()
      .describe("Days on which it begins: mon, tue, wed, thu, fri, sat, sun; every day when left out"),
    from: z
      .string(beginForm)
      .regex(/^([01]\d|2[0-3]):[0-5]\d$/, beginForm)
      .describe("Local time of its begin, 00:00 to 23:59"),
    to: z
      .string(endForm)
      .regex(/^(([01]\d|2[0-3]):[0-5]\d|24:00)$/, endForm)
      .describe("Local time of its end, up to 24:00; where it is before the begin, it is that of the next day"),
  })
  .refine(({ from, to }) => from !== to, { path: ["to"], error: "is the begin: write 00:00 to 24:00 for a whole day" });

/** The runtime's own list decides: a name that it does not know would stop the agent later. */
export const timeZone = z
  .string()
  .max(64)
  .refine(isTimeZone, "is no time zone that is known here: expected a name such as Europe/Berlin or UTC");

export const weeklySchedule = z
  .strictObject({
    timeZone: timeZone
      .optional()
      .describe("Time zone of the windows, such as Europe/Berlin; the machine's own when left out"),
    windows: z.array(window).min(1).max(configLimits.windowsMax).describe("When it is on; any of them is enough"),
  })
  .describe("Weekly windows outside of which it is off");

function isTimeZone(name: string): boolean {
  try {
    new Intl.DateTimeFormat("en-US", { timeZone: name });
    return true;
  } catch {
    return false;
  }
}
