import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { builtinModules } from "node:module";
import { dirname, join, relative, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, it } from "mocha";

const root = resolve(dirname(fileURLToPath(import.meta.url)), "../../..");

const wrappers = ["log", "state", "link", "config"];
const parts = ["capture", "vision", "models", "keep", "spool", "targets"];
const behaviour = ["pipeline", "deliver", "update", "control", "remote", "health", "web"];

/** Folder → folders it may import besides itself. A part of one group never imports another of the same group. */
const mayImport: Readonly<Record<string, readonly string[]>> = {
  core: [],
  ...Object.fromEntries(wrappers.map((folder) => [folder, ["core"]])),
  ...Object.fromEntries(parts.map((folder) => [folder, ["core", ...wrappers]])),
  ...Object.fromEntries(behaviour.map((folder) => [folder, ["core", ...wrappers, ...parts]])),
  // Never targets: a stand-in server that shared their code would repeat their mistakes.
  sandbox: ["core", "log"],
  agent: ["core", ...wrappers, ...parts, ...behaviour, "sandbox"],
};

/** Package → the files that may import it. */
const homes: Readonly<Record<string, RegExp>> = {
  pino: /^src\/log\//,
  lowdb: /^src\/state\//,
  axios: /^src\/link\/http\.ts$/,
  "https-proxy-agent": /^src\/link\/tunnel\.ts$/,
  mqtt: /^src\/link\/mqtt\.ts$/,
  yaml: /^src\/config\//,
  zod: /^agent\/documents\/|^src\/config\/|^src\/(targets|capture|vision|models|remote|web)\/([a-z-]+\/)?config\.ts$|^src\/remote\/((command|request|event|reply-schema|status-report|info-report)\.ts|commands\/)|^agent\/config-schema\.ts$/,
  "node-webcam": /^src\/capture\/webcam\/driver\.ts$/,
  onvif: /^src\/capture\/discover\/onvif\.ts$/,
  sharp: /^src\/vision\/process\/imaging\.ts$/,
  "onnxruntime-node": /^src\/vision\/process\/session\.ts$/,
  libsql: /^src\/spool\/index\//,
  aedes: /^src\/sandbox\/broker\.ts$/,
  commander: /^agent\//,
  "prom-client": /^src\/health\/metrics\.ts$/,
  hono: /^src\/web\//,
  "@hono/node-server": /^src\/web\/(server|ports)\.ts$/,
};

interface Import {
  readonly from: string;
  readonly specifier: string;
}

function sources(folder: string): string[] {
  return readdirSync(join(root, folder), { recursive: true, encoding: "utf8" })
    .filter((name) => name.endsWith(".ts") && !name.endsWith(".d.ts"))
    .map((name) => join(folder, name));
}

function importsOf(file: string): Import[] {
  const text = readFileSync(join(root, file), "utf8");
  const found = text.matchAll(/^(?:import|export|\}) .*?from "([^"]+)";$|^import "([^"]+)";$|import\(\s*"([^"]+)"/gm);
  return [...found].flatMap(([, named, bare, dynamic]) => {
    const specifier = named ?? bare ?? dynamic;
    return specifier === undefined ? [] : [{ from: file, specifier }];
  });
}

/** `core`, `spool`, … or `agent`. */
function folderOf(file: string): string {
  const [top, second] = file.split("/");
  return top === "src" ? (second ?? "") : (top ?? "");
}

function problemsOf({ from, specifier }: Import): string[] {
  if (specifier.startsWith("node:")) return [];
  if (!specifier.startsWith(".")) return packageProblems(from, specifier);
  const target = relative(root, resolve(root, dirname(from), specifier));
  const [here, there] = [folderOf(from), folderOf(target)];
  const allowed = mayImport[here];
  if (allowed === undefined) return [`${from}: folder ${here} has no rule`];
  return here === there || allowed.includes(there) ? [] : [`${from} imports ${target}`];
}

function packageProblems(from: string, specifier: string): string[] {
  if (builtinModules.includes(specifier)) return [`${from}: write node:${specifier}`];
  const name = specifier
    .split("/")
    .slice(0, specifier.startsWith("@") ? 2 : 1)
    .join("/");
  const home = homes[name];
  if (home === undefined) return [`${from}: package ${name} has no home`];
  return home.test(from) ? [] : [`${from}: package ${name} belongs to ${home.source}`];
}

describe("architecture", () => {
  const files = [...sources("src"), ...sources("agent")];
  const imports = files.flatMap(importsOf);

  it("sees a plausible number of files and imports", () => {
    assert.ok(files.length >= 60, `only ${files.length} files`);
    assert.ok(imports.length >= 200, `only ${imports.length} imports`);
  });

  it("imports only downwards, and packages only at home", () => {
    assert.deepEqual(imports.flatMap(problemsOf), []);
  });

  it("would notice a violation", () => {
    const planted = [
      { from: "src/core/types.ts", specifier: "sharp" },
      { from: "src/spool/spool.ts", specifier: "../targets/filter.ts" },
      { from: "src/sandbox/iotown/server.ts", specifier: "../../targets/iotown/encode.ts" },
      { from: "src/core/types.ts", specifier: "../log/logger.ts" },
      { from: "src/deliver/loop.ts", specifier: "../pipeline/pipeline.ts" },
    ];
    for (const violation of planted) assert.equal(problemsOf(violation).length, 1, JSON.stringify(violation));
  });

  it("uses every package it gives a home", () => {
    const used = new Set(imports.flatMap(({ specifier }) => [specifier, specifier.split("/")[0]]));
    for (const name of Object.keys(homes)) assert.ok(used.has(name), `${name} is imported nowhere`);
  });
});
