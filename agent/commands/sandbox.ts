import { randomBytes } from "node:crypto";
import { AgentError, errnoOf, messageOf } from "../../src/core/errors.ts";
import type { HttpSandbox } from "../../src/sandbox/http-sandbox.ts";
import type { CommandContext } from "../context.ts";
import { exitCodes, type ExitCode } from "../exit-codes.ts";
import { type SandboxKind, sandboxKinds } from "../sandboxes.ts";
import { counted } from "../terminal.ts";

interface SandboxCommandOptions {
  readonly port?: number;
  /** Names of faults, each optionally with `:times`. */
  readonly fault?: readonly string[];
}

const tellEveryMs = 1_000;

/** Runs a platform's stand-in server until it is interrupted, and says what it received and what broke the contract. */
export async function sandbox(
  context: CommandContext,
  kind: string,
  { port = 0, fault = [] }: SandboxCommandOptions,
): Promise<ExitCode> {
  const { terminal, signal, clock } = context;
  const chosen = Object.hasOwn(sandboxKinds, kind) ? sandboxKinds[kind] : undefined;
  if (chosen === undefined) {
    throw usageError(`no sandbox "${kind}"; there is ${Object.keys(sandboxKinds).join(", ")}`);
  }
  // The secret is a throw-away of this run; whoever wants their own sets it in the environment.
  const ownSecret = context.environment["FRAMEPOST_SANDBOX_TOKEN"];
  const secret = ownSecret ?? randomBytes(12).toString("hex");
  const server = chosen.make(secret, port);
  for (const word of fault) addFault(server, chosen, kind, word);
  const { url } = await startOn(server, port);
  // Their own secret is not printed: it may be the one of their real account.
  const token = ownSecret === undefined ? secret : "${env:FRAMEPOST_SANDBOX_TOKEN}";
  terminal.data(
    context.json ? JSON.stringify({ kind, url, token }) : `${chosen.title} sandbox at ${url}, token ${token}`,
  );
  const settings = chosen.targetSettings(token);
  terminal.note(`as a target: { id: sandbox, kind: ${kind}, url: "${url}", ${settings} }; Ctrl-C ends it`);
  let told = "";
  try {
    while (!signal.aborted) {
      const { accepted, violations } = server.counts();
      const line = `${counted(accepted, "image")} stored, ${counted(violations, "contract violation")}`;
      // A timer that fires a moment early is too soon for the terminal: then the next turn says it.
      if (line !== told && terminal.status(line)) told = line;
      await clock.sleep(tellEveryMs, signal).catch(() => undefined);
    }
  } finally {
    await server.stop();
  }
  for (const violation of server.violations()) terminal.note(`violation: ${violation}`);
  return exitCodes.ok;
}

/** `hang` or `hang:3`. */
function addFault(server: HttpSandbox, { faults }: SandboxKind, kind: string, word: string): void {
  const [name = "", times = "1"] = word.split(":");
  const fault = Object.hasOwn(faults, name) ? faults[name] : undefined;
  if (fault === undefined)
    throw usageError(`no fault "${name}" in ${kind}; there is ${Object.keys(faults).join(", ")}`);
  if (!/^[1-9]\d{0,5}$/.test(times)) throw usageError(`--fault ${word}: expected a name, or name:times`);
  server.fault(fault, Number(times));
}

async function startOn(server: HttpSandbox, port: number): Promise<{ readonly url: string }> {
  try {
    return await server.start();
  } catch (error) {
    const why = errnoOf(error) === "EADDRINUSE" ? "another program listens there" : messageOf(error);
    throw new AgentError("SANDBOX_PORT", `cannot listen on port ${port} of 127.0.0.1: ${why}`, {
      disposition: "fatal",
      cause: error,
    });
  }
}

function usageError(message: string): AgentError {
  return new AgentError("USAGE_SANDBOX", message, { disposition: "fatal" });
}
