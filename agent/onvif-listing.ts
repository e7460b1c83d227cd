import { readFile } from "node:fs/promises";
import { networkInterfaces } from "node:os";
import {
  describeOnvifDevice,
  findOnvifDevices,
  type OnvifLogin,
  type OnvifProfile,
} from "../src/capture/discover/onvif.ts";
import { AgentError } from "../src/core/errors.ts";
import type { CommandContext } from "./context.ts";
import { exitCodes, type ExitCode } from "./exit-codes.ts";
import { fileProblem } from "./files.ts";
import { credentialOf, profileSnippets } from "./onvif-snippet.ts";
import { textTable } from "./terminal.ts";

export interface OnvifOptions {
  /** Milliseconds. */
  readonly timeout?: number;
  readonly interface?: string;
  readonly username?: string;
  readonly passwordFile?: string;
}

const passwordVariable = "FRAMEPOST_ONVIF_PASSWORD";

/** ONVIF cameras of the network, or what one of them offers. Foreign text is shown, never a login. */
export async function onvif(context: CommandContext, host: true | string, options: OnvifOptions): Promise<ExitCode> {
  return host === true ? list(context, options) : describe(context, host, options);
}

async function list({ terminal, signal, json }: CommandContext, options: OnvifOptions): Promise<ExitCode> {
  if (options.username !== undefined) {
    // Whoever answers a probe would get it, and any machine of the network may.
    throw usage("--username needs the host of a device: framepost cameras --onvif HOST --username USER");
  }
  const here = Object.keys(networkInterfaces());
  if (options.interface !== undefined && !here.includes(options.interface)) {
    throw usage(`there is no network interface ${options.interface} with an address; there are ${here.join(", ")}`);
  }
  const probe = {
    ...(options.timeout === undefined ? {} : { timeoutMs: options.timeout }),
    ...(options.interface === undefined ? {} : { interfaces: [options.interface] }),
  };
  const devices = await findOnvifDevices(probe, signal);
  if (json) {
    terminal.data(JSON.stringify({ devices }));
    return exitCodes.ok;
  }
  if (devices.length === 0) {
    terminal.note("no ONVIF device answered; those on another network are asked with: framepost cameras --onvif HOST");
    return exitCodes.ok;
  }
  for (const line of textTable(
    ["device", "address"],
    devices.map(({ name, service }) => [name, service]),
  )) {
    terminal.data(line);
  }
  terminal.note(`what one offers: framepost cameras --onvif ADDRESS --username USER (password in ${passwordVariable})`);
  return exitCodes.ok;
}

async function describe(context: CommandContext, host: string, options: OnvifOptions): Promise<ExitCode> {
  const { terminal, clock, signal, json } = context;
  const login = await loginOf(context, options);
  if (login !== undefined) context.hide([login.password]);
  const profiles = await describeOnvifDevice(host, login, clock, signal);
  if (json) terminal.data(JSON.stringify({ device: host, profiles }));
  else for (const line of profileSnippets(profiles, login?.username)) terminal.data(line);
  if (profiles.length === 0) terminal.note("the device has no video");
  else if (login !== undefined && !json) {
    terminal.note(
      `keep the entries that you want; the password belongs into /etc/framepost/credentials/${credentialOf(profiles)}`,
    );
  }
  if (profiles.some(hadLogin)) terminal.note("*** stands for a login that the device writes into its addresses");
  return exitCodes.ok;
}

function hadLogin({ stream, snapshot }: OnvifProfile): boolean {
  return stream?.hadLogin === true || snapshot?.hadLogin === true;
}

async function loginOf({ environment }: CommandContext, options: OnvifOptions): Promise<OnvifLogin | undefined> {
  const { username, passwordFile } = options;
  if (username === undefined) return undefined;
  const password = passwordFile === undefined ? environment[passwordVariable] : await firstLineOf(passwordFile);
  if (password !== undefined && password !== "") return { username, password };
  throw usage(
    `--username needs a password: in the variable ${passwordVariable}, or in a file named by --password-file`,
  );
}

async function firstLineOf(file: string): Promise<string> {
  try {
    return (await readFile(file, "utf8")).split(/\r?\n/, 1)[0] ?? "";
  } catch (error) {
    throw usage(`cannot read ${file}: ${fileProblem(error)}`);
  }
}

function usage(message: string): AgentError {
  return new AgentError("USAGE_ONVIF", message, { disposition: "fatal" });
}
