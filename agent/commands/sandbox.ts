import { randomBytes } from "node:crypto";
import { AgentError } from "../../src/core/errors.ts";
import { IotownSandbox } from "../../src/sandbox/iotown/server.ts";
import type { CommandContext } from "../context.ts";
import { exitCodes, type ExitCode } from "../exit-codes.ts";

const kinds = ["iotown"];
const tellEveryMs = 1_000;

/** Runs a platform's stand-in server until it is interrupted, and says what it received and what broke the contract. */
export async function sandbox(
  context: CommandContext,
  kind: string,
  options: { readonly port?: number },
): Promise<ExitCode> {
  const { terminal, signal, clock } = context;
  if (!kinds.includes(kind)) {
    throw new AgentError("USAGE_SANDBOX", `no sandbox "${kind}"; there is ${kinds.join(", ")}`, {
      disposition: "fatal",
    });
  }
  // The token is a throw-away of this run; whoever wants their own sets it in the environment.
  const token = context.environment["FRAMEPOST_SANDBOX_TOKEN"] ?? randomBytes(12).toString("hex");
  const server = new IotownSandbox({ token, port: options.port ?? 0 });
  const { url } = await server.start();
  terminal.data(context.json ? JSON.stringify({ kind, url, token }) : `IoT.own sandbox at ${url}, token ${token}`);
  let told = "";
  try {
    while (!signal.aborted) {
      const { stored, violations } = server.counts();
      const line = `${stored} images stored, ${violations} contract violations`;
      if (line !== told) terminal.status(line);
      told = line;
      await clock.sleep(tellEveryMs, signal).catch(() => undefined);
    }
  } finally {
    await server.stop();
  }
  for (const violation of server.violations()) terminal.note(`violation: ${violation}`);
  return exitCodes.ok;
}
