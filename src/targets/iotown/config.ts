import { z } from "zod";
import { identifier } from "../../config/values.ts";
import {
  connectionFields,
  connectionWarnings,
  filterFields,
  headerSecret,
  queueFields,
  reduceFields,
  serverUrl,
} from "../config.ts";

const accessFields = {
  url: serverUrl("https://town.example:8888", /\/api\//).describe(
    "Address of the IoT.own server, for example https://town.example:8888",
  ),
  token: headerSecret.describe("API token of the IoT.own account"),
  grpid: z
    .string()
    .regex(/^[\x21-\x7e]+$/)
    .optional()
    .describe("Group id, only with an administrator's token"),
  ...connectionFields,
};

/** What reaches the account, out of a target's config or the environment. */
export const iotownAccess = z.object(accessFields);

export const iotownConfig = z.strictObject({
  id: identifier.describe("Name of this target in logs, commands and the spool"),
  kind: z.literal("iotown"),
  ...accessFields,
  boxOrigin: z
    .enum(["center", "top-left"])
    .default("center")
    .describe("What x and y of a label mean; the vendor's reference says the centre"),
  ...filterFields,
  ...queueFields,
  ...reduceFields,
});

export type IotownConfig = z.infer<typeof iotownConfig>;

/** What an operator should know although it is allowed. Holds no secret. */
export function iotownWarnings(config: IotownConfig): readonly string[] {
  return connectionWarnings(config, "the token and the pictures");
}
