import { z } from "zod";
import { byteSize, identifier, secret, tls } from "../../config/values.ts";
import { brokerUrl, filterFields, queueFields, reduceFields } from "../config.ts";
import { topicProblem } from "./topic.ts";

/** One target of kind `mqtt`, as written in the config file. */
export const mqttTargetConfig = z
  .strictObject({
    id: identifier,
    kind: z.literal("mqtt"),
    url: brokerUrl,
    username: z.string().min(1).optional(),
    password: secret.optional(),
    clientId: z
      .string()
      .min(1)
      .max(64)
      .optional()
      .describe("Unique at the broker. Made from the device and the target's id when absent"),
    topic: z
      .string()
      .default("framepost/{device}/image/{camera}")
      .superRefine((template, context) => {
        const problem = topicProblem(template);
        if (problem !== undefined) context.addIssue({ code: "custom", message: problem });
      })
      .describe("Where records are published: {device}, {camera} and {target} are filled in"),
    qos: z
      .union([z.literal(0), z.literal(1)])
      .default(1)
      .describe("0 loses records without a trace"),
    protocol: z.enum(["auto", "5", "3.1.1"]).default("auto").describe("auto asks for MQTT 5 and falls back on 3.1.1"),
    requireSubscriber: z
      .boolean()
      .default(false)
      .describe("Keep records that nobody subscribes to, as far as an MQTT 5 broker says so"),
    payloadBytesMax: byteSize.optional().describe("Largest payload that the broker takes, where it does not say so"),
    boxOrigin: z.enum(["center", "top-left"]).default("center").describe("What x and y of a label mean"),
    tls: tls.optional(),
    ...filterFields,
    ...queueFields,
    ...reduceFields,
  })
  .superRefine((target, context) => {
    if (target.tls !== undefined && !target.url.startsWith("mqtts:")) {
      context.addIssue({ code: "custom", path: ["tls"], message: "needs an mqtts:// url" });
    }
    if (target.password !== undefined && target.username === undefined) {
      context.addIssue({ code: "custom", path: ["password"], message: "needs a username" });
    }
  });

export type MqttTargetConfig = z.infer<typeof mqttTargetConfig>;
