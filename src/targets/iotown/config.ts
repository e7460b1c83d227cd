import { z } from "zod";
import { identifier, tls } from "../../config/values.ts";
import { isPrivateHost } from "../../link/hosts.ts";
import {
  brokerUrl,
  connectionFields,
  connectionWarnings,
  filterFields,
  headerSecret,
  queueFields,
  reduceFields,
  serverUrl,
} from "../config.ts";

const callbacks = z
  .strictObject({
    url: brokerUrl,
    username: z.string().min(1).describe("The IoT.own account; its password is the token"),
    group: z
      .string()
      .regex(/^[^+#/\s]+$/, "expected the group id of the user page")
      .describe("Group id, as the user page of IoT.own shows it"),
    tls: tls.optional(),
  })
  .refine(({ url, tls: settings }) => settings === undefined || url.startsWith("mqtts:"), {
    path: ["tls"],
    error: "needs an mqtts:// url",
  });

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
  imagePath: z
    .string()
    .regex(/^\/[\x21-\x7e]*$/, "expected a path that begins with /")
    .refine((path) => path.split("{id}").length === 2 && !/[?#]/.test(path), "expected {id} in it once, no ? and no #")
    .default("/api/v1.0/file/{id}")
    .describe("Where download-image finds the picture {id}; servers before August 2024 had /nn/dataset/img/{id}"),
  callbacks: callbacks.optional().describe("Broker of the read-only callbacks, for the command line alone"),
  ...connectionFields,
};

const boxOrigin = z
  .enum(["center", "top-left"])
  .default("center")
  .describe("What x and y of a label mean; the vendor's reference says the centre");

/** What reaches the account, out of a target's config or the environment. */
export const iotownAccess = z.object(accessFields);

/** The same for whoever reads labels. */
export const iotownLabelAccess = z.object({ ...accessFields, boxOrigin });

export const iotownConfig = z
  .strictObject({
    id: identifier.describe("Name of this target in logs, commands and the spool"),
    kind: z.literal("iotown"),
    ...accessFields,
    mode: z
      .enum(["image", "data"])
      .default("image")
      .describe("image: pictures with labels, for training. data: frames as data of one node"),
    nid: z
      .string()
      .min(1)
      .max(256)
      .optional()
      .describe("With mode data: the node, which the server has to know already"),
    dataBody: z
      .enum(["multipart", "json"])
      .default("multipart")
      .describe("With mode data: the frame as a file, or as base64 in JSON"),
    dataDetails: z
      .boolean()
      .default(true)
      .describe("With mode data: also name, camera, capture time and detections; false sends the frame alone"),
    boxOrigin,
    ...filterFields,
    ...queueFields,
    ...reduceFields,
  })
  .superRefine(({ mode, nid }, context) => {
    if (mode === "data" && nid === undefined) {
      context.addIssue({ code: "custom", path: ["nid"], message: "mode data needs the id of a node" });
    }
    if (mode === "image" && nid !== undefined) {
      context.addIssue({ code: "custom", path: ["nid"], message: "has no effect without mode: data" });
    }
    if (nid === "." || nid === "..") context.addIssue({ code: "custom", path: ["nid"], message: "is no id of a node" });
  });

export type IotownConfig = z.infer<typeof iotownConfig>;

/** What an operator should know although it is allowed. Holds no secret. */
export function iotownWarnings(config: IotownConfig): readonly string[] {
  const { id, callbacks: broker } = config;
  const warnings = connectionWarnings(config, "the token and the pictures");
  if (broker === undefined) return warnings;
  const { protocol, hostname } = new URL(broker.url);
  return [
    ...warnings,
    ...(protocol === "mqtt:" && !isPrivateHost(hostname)
      ? [`${id}: the token goes to ${hostname} unencrypted (callbacks.url); use mqtts`]
      : []),
    ...(broker.tls?.insecureSkipVerify === true
      ? [`${id}: the broker's certificate is not checked (callbacks.tls.insecureSkipVerify); name its CA instead`]
      : []),
  ];
}
