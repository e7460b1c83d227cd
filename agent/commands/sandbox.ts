import { randomBytes } from "node:crypto";
import { AgentError, errnoOf, messageOf } from "../../src/core/errors.ts";
import { IotownSandbox } from "../../src/sandbox/iotown/server.ts";
import type { CommandContext } from "../context.ts";
import { exitCodes, type ExitCode } from "../exit-codes.ts";
import { counted } from "../terminal.ts";

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
  const ownToken = context.environment["FRAMEPOST_SANDBOX_TOKEN"];
  const token = ownToken ?? randomBytes(12).toString("hex");
  const server = new IotownSandbox({ token, port: options.port ?? 0 });
  const { url } = await startOn(server, options.port);
  // Their own token is not printed: it may be the one of their real account.
  const shown = ownToken === undefined ? token : "${env:FRAMEPOST_SANDBOX_TOKEN}";
  terminal.data(
    context.json ? JSON.stringify({ kind, url, token: shown }) : `IoT.own sandbox at ${url}, token ${shown}`,
  );
  terminal.note(`as a target: { id: sandbox, kind: iotown, url: "${url}", token: "${shown}" }; Ctrl-C ends it`);
  let told = "";
  try {
    while (!signal.aborted) {
      const { accepted, violations } = server.counts();
      const line = `${counted(accepted, "image")} stored, ${counted(violations, "contract violation")}`;
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

async function startOn(server: IotownSandbox, port = 0): Promise<{ readonly url: string }> {
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
