import { findingsOf } from "../../src/config/findings.ts";
import { secretValues } from "../../src/config/redact.ts";
import { AgentError } from "../../src/core/errors.ts";
import type { CommandContext } from "../context.ts";
import { loadSettings } from "../settings.ts";
import type { PlatformAccount } from "./platform.ts";

export interface Access {
  /** Has passed the platform's schema. */
  readonly fields: Readonly<Record<string, unknown>>;
  /** None of these may be shown. */
  readonly secrets: readonly string[];
}

/**
 * How an account is reached: `--target` of the config, else the environment (`FRAMEPOST_<KIND>_…`), else the config's only
 * target of this kind. Never the command line: other users of the machine can read that.
 */
export async function accessOf(
  context: CommandContext,
  platform: PlatformAccount,
  targetId: string | undefined,
): Promise<Access> {
  const fromEnvironment = variablesOf(context, platform);
  if (targetId === undefined && fromEnvironment.size > 0 && context.configFile === undefined) {
    return environmentAccess(context, platform, fromEnvironment);
  }
  const { config, secrets } = await settingsOr(context, platform);
  const ofKind = config.targets.filter(({ kind }) => kind === platform.kind);
  const found = targetId === undefined && ofKind.length === 1 ? ofKind[0] : ofKind.find(({ id }) => id === targetId);
  if (found !== undefined) return { fields: checked(platform, found), secrets };
  const known = ofKind.map(({ id }) => id).join(", ") || "none";
  const what =
    targetId === undefined ? `which ${platform.kind} target? --target ID` : `no ${platform.kind} target ${targetId}`;
  throw new AgentError("USAGE_TARGET", `${what}; the config has ${known}`, { disposition: "fatal" });
}

async function settingsOr(context: CommandContext, platform: PlatformAccount): ReturnType<typeof loadSettings> {
  try {
    return await loadSettings(context);
  } catch (error) {
    if (!(error instanceof AgentError) || error.code !== "CONFIG_NOT_FOUND") throw error;
    const message = `${error.message}; give one with -c and --target, or set ${variablesText(platform)}`;
    throw new AgentError("CONFIG_NOT_FOUND", message, { disposition: "fatal", cause: error });
  }
}

function environmentAccess(
  context: CommandContext,
  platform: PlatformAccount,
  variables: ReadonlyMap<string, string>,
): Access {
  const given = grouped(variables);
  // Before they are checked, and not all that there is: a version or a project's id would be masked in every answer.
  const secrets = secretValues(platform.access, given);
  context.hide(secrets);
  return { fields: checked(platform, given), secrets };
}

/** `broker.url` as the `url` of an object `broker`. */
function grouped(variables: ReadonlyMap<string, string>): Readonly<Record<string, unknown>> {
  const fields: Record<string, unknown> = {};
  for (const [field, value] of variables) {
    const [name = "", key] = field.split(".");
    fields[name] = key === undefined ? value : { ...(fields[name] as object | undefined), [key]: value };
  }
  return fields;
}

/** Of all those that the platform's settings have. */
function variablesOf({ environment }: CommandContext, platform: PlatformAccount): ReadonlyMap<string, string> {
  const found = fieldsOf(platform).flatMap((field) => {
    const value = environment[variableName(platform, field)];
    return value === undefined || value === "" ? [] : [[field, value] as const];
  });
  return new Map(found);
}

/** The variables that every account needs, then the others. */
export function variablesText(platform: PlatformAccount): string {
  const result = platform.access.safeParse({});
  const needed = new Set(result.success ? [] : result.error.issues.map(({ path }) => path.join(".")));
  const names = (isNeeded: boolean): string =>
    fieldsOf(platform)
      .filter((field) => needed.has(field) === isNeeded)
      .map((field) => variableName(platform, field))
      .join(", ");
  return `${names(true)} (and where wanted ${names(false)})`;
}

/** Certificates are no text: they need a config. */
function fieldsOf({ access, groups = {} }: PlatformAccount): readonly string[] {
  const fields = Object.keys(access.shape).filter((field) => field !== "tls");
  return fields.flatMap((field) => groups[field]?.map((key) => `${field}.${key}`) ?? [field]);
}

/** `FRAMEPOST_LAYERNEXT_API_KEY` for `apiKey`. */
function variableName({ kind }: PlatformAccount, field: string): string {
  return `FRAMEPOST_${kind}_${field.replaceAll(/[A-Z]/g, (letter) => `_${letter}`).replaceAll(".", "_")}`.toUpperCase();
}

function checked(platform: PlatformAccount, value: unknown): Readonly<Record<string, unknown>> {
  const result = platform.access.safeParse(value);
  if (result.success) return result.data;
  const problems = new Map<string, string>();
  for (const { path, message } of findingsOf(platform.access, value, result.error.issues)) {
    const field = path.join(".");
    // The first of a field is the plainest: what an address lacks is no news where it is none.
    if (!problems.has(field)) problems.set(field, `${field} (${variableName(platform, field)}): ${message}`);
  }
  throw new AgentError("CONFIG_INVALID", `the access to ${platform.title}: ${[...problems.values()].join("; ")}`, {
    disposition: "fatal",
  });
}
