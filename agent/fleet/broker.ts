import { AgentError } from "../../src/core/errors.ts";
import { remoteConfig, type RemoteConfig } from "../../src/remote/config.ts";
import type { CommandContext } from "../context.ts";

/** How a shell reaches the broker by which devices are steered. */
export type FleetBroker = Pick<
  RemoteConfig,
  "url" | "username" | "password" | "protocol" | "tls" | "root" | "responseTopics"
>;

/** Never the command line: other users of the machine can read that. */
const variables = {
  url: "FRAMEPOST_BROKER_URL",
  username: "FRAMEPOST_BROKER_USERNAME",
  password: "FRAMEPOST_BROKER_PASSWORD",
  protocol: "FRAMEPOST_BROKER_PROTOCOL",
  root: "FRAMEPOST_BROKER_ROOT",
  "tls.ca": "FRAMEPOST_BROKER_CA",
  "tls.cert": "FRAMEPOST_BROKER_CERT",
  "tls.key": "FRAMEPOST_BROKER_KEY",
} as const;

/**
 * The section `remote` of the file that `-c` names, else the environment, else that section of the usual config file.
 * Fails with `CONFIG_…`.
 */
export async function fleetBrokerOf(context: CommandContext): Promise<FleetBroker> {
  const { environment } = context;
  if (context.configFile === undefined && isSet(environment[variables.url])) return brokerOfEnvironment(context);
  // Half of the program's modules: only for those who have a config.
  const { loadSettings } = await import("../settings.ts");
  const { config, file } = await loadSettings(context).catch((error: unknown) => {
    if (!(error instanceof AgentError) || error.code !== "CONFIG_NOT_FOUND") throw error;
    throw unusable(`${error.message}; name one with -c, or set ${variables.url}`, error);
  });
  if (config.remote === undefined) throw unusable(`${file} has no section remote, and ${variables.url} is not set`);
  return config.remote;
}

function brokerOfEnvironment({ environment, hide }: CommandContext): FleetBroker {
  const { "tls.ca": ca, "tls.cert": cert, "tls.key": key, ...plain } = variables;
  const given = (names: Readonly<Record<string, string>>) =>
    Object.fromEntries(Object.entries(names).flatMap(([field, name]) => entryOf(field, environment[name])));
  const tls = given({ ca, cert, key });
  const fields = { ...given(plain), ...(Object.keys(tls).length === 0 ? {} : { tls }) };
  const password = environment[variables.password];
  if (isSet(password)) hide([password]);
  // A device must not obey just anybody; whoever sends commands has nothing to lose.
  const parsed = remoteConfig.safeParse({ ...fields, allowAnonymous: true });
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  const path = issue?.path.join(".") ?? "";
  throw unusable(
    `${Object.entries(variables).find(([field]) => field === path)?.[1] ?? path}: ${issue?.message ?? ""}`,
  );
}

function entryOf(field: string, value: string | undefined): readonly (readonly [string, string])[] {
  return isSet(value) ? [[field, value]] : [];
}

function isSet(value: string | undefined): value is string {
  return value !== undefined && value !== "";
}

function unusable(message: string, cause?: unknown): AgentError {
  return new AgentError("CONFIG_BROKER", message, { disposition: "fatal", ...(cause === undefined ? {} : { cause }) });
}
