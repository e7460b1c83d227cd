import assert from "node:assert/strict";
import { mkdir, readdir, readFile, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { describe, it } from "mocha";
import { configSchema } from "../../agent/config-schema.ts";
import { jsonSchemaOf } from "../../src/config/json-schema.ts";
import { loadConfig, parseConfig } from "../../src/config/load.ts";
import { shownConfig } from "../../src/config/redact.ts";
import { writeYaml } from "../../src/config/yaml.ts";
import { type StarterCamera, starterConfig } from "../../src/config/starter.ts";
import { tempFolder } from "../lib/temp.ts";

const folder = join(import.meta.dirname, "../../../config");

async function filesIn(path: string): Promise<readonly string[]> {
  return (await readdir(path)).filter((name) => name.endsWith(".yaml")).map((name) => join(path, name));
}

const spoolKey = "5ec2e7".padEnd(64, "0");

/** Every credential and variable that a text names, each with a value. */
async function everythingNamed(text: string, credentialsFolder: string) {
  await mkdir(credentialsFolder, { recursive: true });
  for (const [, name = ""] of text.matchAll(/\$\{credential:([^}]+)\}/g)) {
    const secret = name === "spool-key" ? spoolKey : `secret-of-${name}`;
    await writeFile(join(credentialsFolder, name), `${secret}\n`, { mode: 0o600 });
  }
  const names = [...text.matchAll(/\$\{env:([A-Z_]+)/g)].map(([, name = ""]) => name);
  return { variables: Object.fromEntries(names.map((name) => [name, "http://proxy.example:3128"])), credentialsFolder };
}

/** `#name: value` is a setting that is off, `# Text` a sentence; inside a block that is off both stand behind `#  `. */
function everythingOn(text: string): string {
  return text.replaceAll(/^( *)#(?=\S| {2})(?! *\$)/gm, "$1");
}

function keysOf(schema: unknown, keys = new Set<string>()): ReadonlySet<string> {
  if (typeof schema !== "object" || schema === null) return keys;
  for (const [name, value] of Object.entries(schema)) {
    if (name === "properties") for (const key of Object.keys(value as object)) keys.add(key);
    keysOf(value, keys);
  }
  return keys;
}

describe("the configs that ship with Framepost", () => {
  it("are valid without a warning, say where their schema is, and stay the same when shown and read again", async () => {
    const files = [...(await filesIn(folder)), ...(await filesIn(join(folder, "examples")))];
    assert(files.length >= 5, "the config folder was not found");
    await using temp = await tempFolder();
    for (const file of files) {
      const text = await readFile(file, "utf8");
      const environment = await everythingNamed(text, join(temp.path, "credentials"));
      const { config, warnings, redacted, secrets } = await loadConfig(file, configSchema, environment);
      assert.deepEqual(warnings, [], file);
      assert(!JSON.stringify(redacted).includes("secret-of-"), file);

      const [, schema = ""] = /^# yaml-language-server: \$schema=(\S+)\n/.exec(text) ?? [];
      assert.equal(join(dirname(file), schema), join(folder, "framepost.schema.json"), file);

      const shown = writeYaml(shownConfig(configSchema, config, { redacted, secrets }));
      assert(!shown.includes("secret-of-"), file);
      const again = await parseConfig(shown, file, configSchema, environment);
      assert.deepEqual(withoutSecrets(again.config), withoutSecrets(config), file);
    }
  });

  it("the commented default names every setting, and is valid with all of them on", async () => {
    const text = await readFile(join(folder, "framepost.yaml"), "utf8");
    const all = everythingOn(text);
    const missing = [...keysOf(jsonSchemaOf(configSchema))].filter(
      (key) => !new RegExp(`^[ -]*${key}:`, "m").test(all),
    );
    assert.deepEqual(missing, []);
    await using temp = await tempFolder();
    const { config } = await parseConfig(all, "all.yaml", configSchema, await everythingNamed(all, temp.path));
    assert.equal(config.cameras.length, 8);
    assert.equal(config.targets.length, 7);
    assert.equal(config.spool.encryption?.key, spoolKey);
  });

  it("the commented default shows the real defaults", async () => {
    const text = await readFile(join(folder, "framepost.yaml"), "utf8");
    const { config } = await parseConfig(text, "a.yaml", configSchema, { variables: {} });
    const least =
      "cameras: [{id: front, driver: webcam}]\ntargets: [{id: archive, kind: folder, path: /var/lib/framepost/archive}]\n";
    assert.deepEqual(config, (await parseConfig(least, "b.yaml", configSchema, { variables: {} })).config);
  });
});

const starterCameras: readonly StarterCamera[] = [
  { id: "front", driver: "simulated" },
  { id: "front", driver: "webcam", device: "/dev/v4l/by-id/usb-046d_HD-video-index0" },
  { id: "front", driver: "ffmpeg", input: "/dev/v4l/by-id/usb-046d_HD-video-index0" },
  { id: "front", driver: "rpicam", camera: 1 },
];

describe("a starter config", () => {
  const environment = { variables: { IOTOWN_TOKEN: "secret-token", MQTT_PASSWORD: "secret-password" } };

  it("is valid for every combination of answers", async () => {
    const urls = { iotown: { url: "https://town.example" }, mqtt: { url: "mqtt://broker.example" } };
    for (const device of [undefined, "gateway-1"]) {
      for (const camera of starterCameras) {
        for (const targets of [{}, urls, { mqtt: { ...urls.mqtt, username: "me: {#}" } }]) {
          const text = starterConfig({ ...(device === undefined ? {} : { device }), cameras: [camera], ...targets });
          const { config, warnings } = await parseConfig(text, "framepost.yaml", configSchema, environment);
          assert.deepEqual(warnings, []);
          assert.equal(config.cameras[0]?.id, "front");
          assert.equal(config.device.name, device);
          assert.equal(config.targets.length, Object.keys(targets).length);
        }
      }
    }
  });
});

describe("the JSON Schema", () => {
  it("describes the whole file, with defaults in the form that the file has", () => {
    const text = JSON.stringify(jsonSchemaOf(configSchema));
    assert.match(text, /"\$schema":"https:\/\/json-schema.org\/draft\/2020-12\/schema"/);
    assert.match(text, /"title":"Framepost configuration"/);
    assert.match(text, /"default":"5s"/);
    assert.match(text, /"default":"2GB"/);
    assert(keysOf(jsonSchemaOf(configSchema)).size > 30);
  });
});

/** A secret that was shown is `***` when read again. */
function withoutSecrets(config: unknown): unknown {
  return JSON.parse(JSON.stringify(config, (key, value: unknown) => (/token|password|proxy/.test(key) ? "" : value)));
}
