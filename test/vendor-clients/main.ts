import { spawn } from "node:child_process";
import { once } from "node:events";
import { copyFile, mkdir, mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";

import { format } from "prettier";

import { customVisionClients } from "./customvision/clients.ts";
import type { Fixture, Json } from "./fixture.ts";
import { iotownClients } from "./iotown/clients.ts";
import { layernextClients } from "./layernext/clients.ts";
import { onestepaiClients } from "./onestepai/clients.ts";
import { remoClients } from "./remo/clients.ts";
import { startRecorder } from "./recorder.ts";
import type { VendorCase, VendorClient } from "./vendor-client.ts";

/**
 * Records what a vendor's client sends: `node dist/test/vendor-clients/main.js CLIENT INTERPRETER [CASE]`, where the
 * interpreter is the one of an environment outside the repository that has the client installed. See README.md.
 */

const root = path.resolve(import.meta.dirname, "../../..");
const fixtures = path.join(root, "test/fixtures/platforms");
const clients: readonly VendorClient[] = [
  ...iotownClients,
  ...layernextClients,
  ...customVisionClients,
  ...onestepaiClients,
  ...remoClients,
];
const DRIVER_TIMEOUT_MS = 60_000;

async function record(client: VendorClient, each: VendorCase, interpreter: string): Promise<Fixture> {
  const folder = await mkdtemp(path.join(tmpdir(), "vendor-client-"));
  try {
    for (const file of await readdir(fixtures)) {
      if (/\.(jpg|png)$/.test(file)) await copyFile(path.join(fixtures, file), path.join(folder, file));
    }
    await using recorder = await startRecorder(client.answers(each.input), fixtures);
    const order = { server: recorder.url, operation: each.operation, input: each.input };
    const said = await runDriver(interpreter, driverPath(client), order, folder);
    const result = JSON.parse(said.replaceAll(recorder.url, "<server>")) as Json;
    const { name, language } = client;
    const { call, operation, input } = each;
    return { client: name, language, call, operation, input, result, exchanges: [...recorder.exchanges] };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

function driverPath(client: VendorClient): string {
  return path.join(root, "test/vendor-clients", client.kind, client.driver);
}

/** Hands the order to the script on its standard input; its last line "RESULT <json>" is what the client returned. */
async function runDriver(interpreter: string, driver: string, order: object, folder: string): Promise<string> {
  const env = { ...process.env, HOME: folder, NO_PROXY: "*", no_proxy: "*" };
  const child = spawn(interpreter, [driver], { cwd: folder, env, timeout: DRIVER_TIMEOUT_MS });
  let output = "";
  child.stdout.on("data", (chunk: Buffer) => (output += chunk.toString()));
  child.stderr.on("data", (chunk: Buffer) => (output += chunk.toString()));
  child.stdin.end(JSON.stringify(order));
  const [code] = (await once(child, "close")) as [number | null];
  const result = output.split("\n").findLast((line) => line.startsWith("RESULT "));
  if (code !== 0 || result === undefined) throw new Error(`The driver ended with ${code ?? "a signal"}:\n${output}`);
  return result.slice("RESULT ".length);
}

async function main([id, interpreter, only]: readonly string[]): Promise<void> {
  const client = clients.find((each) => each.id === id);
  if (client === undefined || interpreter === undefined) {
    const known = clients.map((each) => each.id).join("\n  ");
    throw new Error(`usage: main.js CLIENT INTERPRETER [CASE], where CLIENT is one of\n  ${known}`);
  }
  const folder = path.join(fixtures, client.kind, client.id);
  await mkdir(folder, { recursive: true });
  for (const each of client.cases.filter(({ name }) => only === undefined || name === only)) {
    const fixture = await record(client, each, interpreter);
    const text = await format(JSON.stringify(fixture), { parser: "json", printWidth: 120 });
    await writeFile(path.join(folder, `${each.name}.json`), text);
    process.stdout.write(`${client.id} ${each.name}: ${fixture.exchanges.length} exchanges\n`);
  }
}

await main(process.argv.slice(2));
