import type { z } from "zod";
import { writeYaml } from "../../src/config/yaml.ts";
import type { CommandSpec } from "../../src/remote/command.ts";
import { eventData, type EventKind, eventSchema } from "../../src/remote/event.ts";
import { infoSchema } from "../../src/remote/info-report.ts";
import { replySchema } from "../../src/remote/reply-schema.ts";
import { requestSchema } from "../../src/remote/request.ts";
import { statusSchema } from "../../src/remote/status-report.ts";
import { requestOf } from "./commands-page.ts";
import { jsonSchema } from "./schema-text.ts";

/** docs/asyncapi.yaml: the topics of a device and their messages, as AsyncAPI 3.0, from the schemas that validate. */
export function asyncApi(specs: readonly CommandSpec[], version: string): string {
  const kinds = Object.keys(eventData) as EventKind[];
  const document = {
    asyncapi: "3.0.0",
    info: {
      title: "Framepost remote control",
      version,
      description: "How a device is steered over MQTT, and what it tells. The words to it: docs/commands.md",
      license: { name: "Apache-2.0" },
    },
    defaultContentType: "application/json",
    channels: {
      availability: channel("availability", "Whether the device is there: its birth and its last will", "availability"),
      info: channel("info", "What the device is", "info"),
      status: channel("status", "How every part of it is", "status"),
      reply: channel("res/{command}", "Replies without a response topic of the caller's own", "reply", ["command"]),
      ...Object.fromEntries(specs.map((spec) => [`cmd.${spec.name}`, commandChannel(spec)])),
      ...Object.fromEntries(
        kinds.map((kind) => [`event.${kind}`, channel(`event/${kind}`, about(kind), `event.${kind}`)]),
      ),
    },
    operations: {
      ...{ availability: sends("availability", true), info: sends("info", true), status: sends("status", true) },
      ...Object.fromEntries(specs.map((spec) => [`cmd.${spec.name}`, answers(spec)])),
      ...Object.fromEntries(kinds.map((kind) => [`event.${kind}`, sends(`event.${kind}`, false)])),
    },
    components: {
      parameters: {
        root: { default: "framepost", description: "`remote.root` of the config" },
        device: { description: "`device.name` of the config; group/{name} or all reaches many" },
        command: { enum: specs.map(({ name }) => name), description: "The command that is answered" },
      },
      messages: {
        availability: {
          contentType: "text/plain",
          payload: { type: "string", enum: ["online", "offline"] },
        },
        info: message(infoSchema),
        status: message(statusSchema),
        reply: { ...message(replySchema), correlationId: { location: "$message.payload#/id" } },
        ...Object.fromEntries(specs.map((spec) => [`cmd.${spec.name}`, request(spec)])),
        ...Object.fromEntries(kinds.map((kind) => [`event.${kind}`, message(eventSchema(kind))])),
      },
    },
  };
  return `# Made by npm run generate from the code.\n${writeYaml(document)}`;
}

function about(kind: EventKind): string {
  return eventData[kind].description ?? kind;
}

function channel(rest: string, description: string, name: string, more: readonly string[] = []): object {
  const parameters = ["root", "device", ...more].map((each) => [each, { $ref: `#/components/parameters/${each}` }]);
  return {
    address: `{root}/{device}/${rest}`,
    description,
    parameters: Object.fromEntries(parameters) as object,
    messages: { [name]: { $ref: `#/components/messages/${name}` } },
  };
}

function commandChannel({ name, summary }: CommandSpec): object {
  return channel(`cmd/${name}`, summary, `cmd.${name}`);
}

function message(schema: z.ZodType): object {
  return { payload: jsonSchema(schema, "output") };
}

/** The envelope with this command's arguments. */
function request(spec: CommandSpec): object {
  const { properties, required = [], ...envelope } = jsonSchema(requestSchema, "input");
  const args = jsonSchema(spec.args, "input");
  const needed = [...(required as readonly string[]), ...(spec.effect ? ["id"] : [])];
  const hasNeeded = ((args["required"] as readonly string[] | undefined) ?? []).length > 0;
  return {
    summary: spec.summary,
    payload: {
      ...envelope,
      properties: { ...(properties as object), args },
      required: [...needed, ...(hasNeeded ? ["args"] : [])],
    },
    correlationId: { location: "$message.payload#/id" },
    examples: [{ payload: requestOf(spec, spec.example) }],
  };
}

function sends(name: string, retain: boolean): object {
  return { action: "send", channel: { $ref: `#/channels/${name}` }, bindings: mqtt(retain) };
}

function answers({ name, summary, scope, effect }: CommandSpec): object {
  return {
    action: "receive",
    channel: { $ref: `#/channels/cmd.${name}` },
    summary,
    tags: [{ name: `scope:${scope}` }, ...(effect ? [{ name: "effect" }] : [])],
    bindings: mqtt(false),
    reply: { address: { location: "$message.header#/responseTopic" }, channel: { $ref: "#/channels/reply" } },
  };
}

function mqtt(retain: boolean): object {
  return { mqtt: { qos: 1, retain, bindingVersion: "0.2.0" } };
}
