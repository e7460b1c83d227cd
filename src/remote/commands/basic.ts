import { z } from "zod";
import { command, type Command, type CommandSpec } from "../command.ts";

/** Questions about the device itself. */

const nothing = z.strictObject({});

export const pingSpec = {
  name: "ping",
  summary: "Says that the device is there.",
  scope: "read",
  args: nothing,
  effect: false,
  example: {},
  answer: "empty",
} as const satisfies CommandSpec<typeof nothing>;

export const infoSpec = {
  name: "info",
  summary: "Says what the device is: its version, cameras, targets, model and commands.",
  scope: "read",
  args: nothing,
  effect: false,
  example: {},
  answer: "the same as the retained topic info",
} as const satisfies CommandSpec<typeof nothing>;

export const statusSpec = {
  name: "status",
  summary: "Says how every part is at this moment.",
  scope: "read",
  args: nothing,
  effect: false,
  example: {},
  answer: "the same as the retained topic status",
} as const satisfies CommandSpec<typeof nothing>;

export const basicSpecs: readonly CommandSpec[] = [pingSpec, infoSpec, statusSpec];

export interface BasicPort {
  info(): object;
  status(): Promise<object>;
}

export function basicCommands(port: BasicPort): readonly Command[] {
  return [
    command(pingSpec, async () => undefined),
    command(infoSpec, async () => port.info()),
    command(statusSpec, async () => port.status()),
  ];
}
