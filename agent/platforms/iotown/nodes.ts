import { InvalidArgumentError } from "commander";
import type { IotownClient } from "../../../src/targets/iotown/client.ts";
import { positiveInteger } from "../../option-values.ts";
import type { Operation } from "../platform.ts";
import { usageError } from "../run-operation.ts";
import { sessionOption } from "./options.ts";

/** Nodes, the commands for them, and what they say. */

const nidArgument = { name: "nid", description: "id of a node" };

const nodes: Operation<IotownClient> = {
  name: "nodes",
  summary: "all nodes of the account",
  options: [sessionOption],
  run: async ({ client, options, signal }) => client.nodes(sessionOf(options), signal),
};

const node: Operation<IotownClient> = {
  name: "node",
  summary: "one node; null where the server answers without one",
  arguments: [nidArgument],
  options: [sessionOption],
  run: async ({ client, args, options, signal }) =>
    (await client.node(String(args[0]), sessionOf(options), signal)) ?? null,
};

const command: Operation<IotownClient> = {
  name: "command",
  summary: "queue a command to a node; reaching LoRaWAN nodes is all that is proven",
  arguments: [nidArgument, { name: "command", description: "a text, or with --type hex bytes such as 01ff" }],
  options: [
    { flags: "--type <type>", description: "string, or hex", choices: ["string", "hex"] },
    { flags: "--f-port <n>", description: "LoRaWAN port, 1 to 223", parse: lorawanPort },
    { flags: "--confirmed", description: "LoRaWAN: ask the node for an acknowledgement" },
  ],
  async run({ client, args, options, signal }) {
    const text = String(args[1]);
    const fPort = options["fPort"];
    const confirmed = options["confirmed"] === true;
    if (confirmed && typeof fPort !== "number") throw usageError("--confirmed needs --f-port");
    return client.command(
      {
        nid: String(args[0]),
        command: options["type"] === "hex" ? bytesOf(text) : text,
        ...(typeof fPort === "number" ? { lorawan: { fPort, ...(confirmed ? { confirmed } : {}) } } : {}),
      },
      signal,
    );
  },
};

const pendingCommands: Operation<IotownClient> = {
  name: "pending-commands",
  summary: "what is queued to a node and not sent yet",
  arguments: [nidArgument],
  run: async ({ client, args, signal }) => client.pendingCommands(String(args[0]), signal),
};

const callbacks: Operation<IotownClient> = {
  name: "callbacks",
  streams: true,
  summary: "what devices and gateways say, a line each, until Ctrl-C (MQTT, read-only; needs the setting callbacks)",
  options: [
    { flags: "--device <id>", description: "only what this device says" },
    { flags: "--count <n>", description: "end after so many", parse: positiveInteger },
    { flags: "--qos <n>", description: "0, 1 or 2 (default: 2)", choices: ["0", "1", "2"] },
  ],
  async run({ client, options, signal, line, note, dryRun, seams }) {
    if (dryRun) {
      note("a dry run connects to no broker");
      return undefined;
    }
    const { device, count = Infinity } = options;
    const enough = new AbortController();
    let heard = 0;
    const onCallback = (callback: unknown): void => {
      if (heard >= Number(count)) return;
      heard += 1;
      line(callback);
      if (heard >= Number(count)) enough.abort();
    };
    const qos = qosOf(options["qos"]);
    const choice = typeof device === "string" ? { device } : {};
    await client.callbacks({ qos, ...choice, onCallback }, seams, AbortSignal.any([signal, enough.signal]));
    return undefined;
  },
};

export const nodeOperations: readonly Operation<IotownClient>[] = [nodes, node, command, pendingCommands, callbacks];

function sessionOf(options: Readonly<Record<string, unknown>>): { readonly withoutLorawanSession: boolean } {
  return { withoutLorawanSession: options["withoutLorawanSession"] === true };
}

function bytesOf(text: string): Buffer {
  if (!/^([0-9a-f]{2})+$/i.test(text)) throw usageError(`"${text}" is no hex: two digits a byte, without a prefix`);
  return Buffer.from(text, "hex");
}

function lorawanPort(text: string): number {
  const port = positiveInteger(text);
  if (port > 223) throw new InvalidArgumentError("expected a port from 1 to 223");
  return port;
}

function qosOf(option: unknown): 0 | 1 | 2 {
  switch (option) {
    case "0":
      return 0;
    case "1":
      return 1;
    default:
      return 2;
  }
}
