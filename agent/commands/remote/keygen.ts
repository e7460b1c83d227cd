import { writeFile } from "node:fs/promises";
import { AgentError, errnoOf, messageOf } from "../../../src/core/errors.ts";
import { newKeyTexts } from "../../../src/remote/signature.ts";
import type { CommandContext } from "../../context.ts";
import { exitCodes, type ExitCode } from "../../exit-codes.ts";

/** A new key for signing commands. The private one goes into the file and is shown nowhere. Never replaces a file. */
export async function commandsKeygen(
  { terminal, json }: CommandContext,
  file: string,
  { key }: { readonly key: string },
): Promise<ExitCode> {
  const { publicKey, privateKey } = newKeyTexts();
  try {
    await writeFile(file, privateKey, { mode: 0o600, flag: "wx" });
  } catch (error) {
    const why = errnoOf(error) === "EEXIST" ? "it is there already" : messageOf(error);
    throw new AgentError("SIGNING_KEY", `writing the key ${file}: ${why}`, { disposition: "fatal", cause: error });
  }
  if (json) terminal.data(JSON.stringify({ id: key, publicKey, file }));
  else {
    terminal.note(`the private key is in ${file}; for remote.keys of each device, with the scopes that you want:`);
    terminal.note("once a device has keys, requests without a signature may only ask there (remote.unsigned)");
    terminal.data(`- { id: ${key}, publicKey: ${publicKey}, scopes: [read, capture, queue] }`);
  }
  return exitCodes.ok;
}
