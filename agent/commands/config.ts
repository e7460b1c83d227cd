import { jsonSchemaOf } from "../../src/config/json-schema.ts";
import { ConfigError, formatProblem, type ConfigProblem } from "../../src/config/problem.ts";
import { shownConfig } from "../../src/config/redact.ts";
import { writeYaml, type ConfigPath } from "../../src/config/yaml.ts";
import { AgentError } from "../../src/core/errors.ts";
import { readTlsOptions } from "../../src/link/tls.ts";
import { configSchema } from "../config-schema.ts";
import type { CommandContext } from "../context.ts";
import { exitCodes, type ExitCode } from "../exit-codes.ts";
import { loadSettings, type Settings } from "../settings.ts";
import { counted } from "../terminal.ts";

export async function configCommand(
  context: CommandContext,
  name: "check" | "show" | "schema",
  { origin = false }: { readonly origin?: boolean } = {},
): Promise<ExitCode> {
  switch (name) {
    case "check":
      return check(context);
    case "show":
      return show(context, origin);
    case "schema":
      context.terminal.data(JSON.stringify(jsonSchemaOf(configSchema), undefined, 2));
      return exitCodes.ok;
  }
}

/** Prints every mistake as `file:line:column: path: what is wrong`, the warnings on stderr. */
async function check(context: CommandContext): Promise<ExitCode> {
  const { terminal, json } = context;
  try {
    const settings = await loadSettings(context);
    const { file, config, warnings, overlay } = settings;
    const { cameras, targets } = config;
    for (const warning of warnings) terminal.note(`warning: ${warning}`);
    if (overlay.isLeftOut) return invalid(context, overlay.problems);
    const problems = await pageCertificateProblems(settings);
    if (problems.length > 0) return invalid(context, problems);
    if (json) terminal.data(JSON.stringify({ valid: true, file, warnings }));
    else terminal.data(`${file}: valid, ${counted(cameras.length, "camera")}, ${counted(targets.length, "target")}`);
    return exitCodes.ok;
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    return invalid(context, error.problems);
  }
}

/** A daemon goes on without its page, so that a certificate that was renewed wrongly ends nothing else. */
async function pageCertificateProblems({ config, originOf }: Settings): Promise<readonly ConfigProblem[]> {
  const { enabled, tls } = config.web;
  if (!enabled || tls === undefined) return [];
  try {
    await readTlsOptions({ ...tls, insecureSkipVerify: false });
    return [];
  } catch (error) {
    const origin = originOf(["web", "tls"]);
    if (!(error instanceof AgentError) || origin.layer === "default") throw error;
    const { file, line, column } = origin;
    return [{ file, line, column, path: "web.tls", message: error.message.replace(/^TLS settings: /, "") }];
  }
}

function invalid({ terminal, json }: CommandContext, problems: readonly ConfigProblem[]): ExitCode {
  if (json) terminal.data(JSON.stringify({ valid: false, problems }));
  else for (const problem of problems) terminal.data(formatProblem(problem));
  return exitCodes.configuration;
}

async function show(context: CommandContext, withOrigin: boolean): Promise<ExitCode> {
  const { config, redacted, secrets, originOf } = await loadSettings(context);
  const shown = shownConfig(configSchema, config, { redacted, secrets });
  if (withOrigin) showOrigins(context, shown, originOf);
  else context.terminal.data(context.json ? JSON.stringify(shown) : writeYaml(shown).trimEnd());
  return exitCodes.ok;
}

/** One line for each setting: what it is, and who said so. */
function showOrigins({ terminal, json }: CommandContext, shown: unknown, originOf: Settings["originOf"]): void {
  const settings = leavesOf(shown, []).map(({ path, value }) => ({
    path: path.join("."),
    value,
    origin: originOf(path),
  }));
  if (json) {
    terminal.data(JSON.stringify(settings));
    return;
  }
  for (const { path, value, origin } of settings) {
    const place = origin.layer === "default" ? "default" : `${origin.file}:${origin.line}`;
    const note = origin.layer === "overlay" ? " (overlay)" : "";
    terminal.data(`${path}: ${JSON.stringify(value)}  # ${place}${note}`);
  }
}

interface Leaf {
  readonly path: ConfigPath;
  readonly value: unknown;
}

function leavesOf(value: unknown, path: ConfigPath): readonly Leaf[] {
  const isContainer = typeof value === "object" && value !== null && Object.keys(value).length > 0;
  if (value === undefined) return [];
  if (!isContainer) return [{ path, value }];
  const steps: readonly (readonly [string | number, unknown])[] = Array.isArray(value)
    ? value.map((item: unknown, index) => [index, item] as const)
    : Object.entries(value);
  return steps.flatMap(([step, item]) => leavesOf(item, [...path, step]));
}
