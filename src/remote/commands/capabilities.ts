import { z } from "zod";
import { remoteLimits } from "../../core/remote-limits.ts";
import { command, type Command, type CommandSpec } from "../command.ts";
import { eventData } from "../event.ts";
import { replyCodes } from "../reply.ts";

/** What can be asked of this version of Framepost. */

const args = z.strictObject({});

export const capabilitiesSpec = {
  name: "capabilities",
  summary: "Says what this version can do: commands with their scopes, drivers, target kinds, limits.",
  scope: "read",
  args,
  effect: false,
  example: {},
  answer: "protocol (its version), commands, codes, events, drivers, targetKinds, configSchema and limits",
} as const satisfies CommandSpec<typeof args>;

export const capabilitiesSpecs: readonly CommandSpec[] = [capabilitiesSpec];

export interface CapabilitiesPort {
  readonly specs: readonly CommandSpec[];
  /** Kinds of cameras and of targets that the config takes. */
  readonly drivers: readonly string[];
  readonly targetKinds: readonly string[];
  /** Digest of the config's schema: another one means other settings. */
  configSchema(): string;
}

export function capabilitiesCommands(port: CapabilitiesPort): readonly Command[] {
  return [command(capabilitiesSpec, async () => capabilities(port))];
}

function capabilities({ specs, drivers, targetKinds, ...port }: CapabilitiesPort): object {
  const { requestBytesMax, requestsPerSecond, requestsBurst, resultsMax, ttlMaxMs, spreadMaxMs } = remoteLimits;
  const { commandTimeoutMs, slowTimeoutMs, slowWaitingMax } = remoteLimits;
  return {
    protocol: 1,
    commands: specs.map(({ name, scope, effect, slow = false }) => ({ name, scope, effect, slow })),
    codes: Object.keys(replyCodes),
    events: Object.keys(eventData),
    ...{ drivers, targetKinds, configSchema: port.configSchema() },
    limits: {
      ...{ requestBytesMax, requestsPerSecond, requestsBurst, resultsMax, ttlMaxMs, spreadMaxMs },
      ...{ commandTimeoutMs, slowTimeoutMs, slowWaitingMax },
    },
  };
}
