import assert from "node:assert/strict";
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, it } from "mocha";
import { configSchema } from "../../agent/config-schema.ts";
import { parseConfig } from "../../src/config/load.ts";
import { repositoryFolder } from "../lib/shared.ts";

describe("docs/cameras.md", () => {
  const page = readFile(join(repositoryFolder, "docs/cameras.md"), "utf8");

  it("shows nothing but settings that the checker takes without a warning, and every driver", async () => {
    const blocks = [...(await page).matchAll(/^( *)```yaml\n([\s\S]*?)^ *```$/gm)];
    const drivers = new Set<string>(["simulated"]);
    for (const [, indent = "", block = ""] of blocks) {
      const text = block.replaceAll(new RegExp(`^${indent}`, "gm"), "  ").replaceAll(/\$\{[^}]*\}/g, "${env:SECRET}");
      const environment = { variables: { SECRET: "a-secret" } };
      const { config, warnings } = await parseConfig(`cameras:\n${text}`, "cameras.md", configSchema, environment);
      assert.deepEqual(warnings, [], block);
      for (const { driver } of config.cameras) drivers.add(driver);
    }
    const all = configSchema.shape.cameras.element.options.map((camera) => camera.shape.driver.value);
    assert.deepEqual([...drivers].sort(), [...all].sort());
  });

  it("has an answer to every error of a camera, and to none that there is not", async () => {
    const folder = join(repositoryFolder, "src/capture");
    const names = (await readdir(folder, { recursive: true })).filter((name) => name.endsWith(".ts"));
    const others = ["agent/remote/camera-away.ts", "agent/lacking.ts"].map((name) => join(repositoryFolder, name));
    const files = [...names.map((name) => join(folder, name)), ...others];
    const sources = await Promise.all(files.map((file) => readFile(file, "utf8")));
    const thrown = new Set(
      sources.flatMap((text) => [...text.matchAll(/"(CAMERA_[A-Z_]+)"/g)].map(([, code]) => code)),
    );
    // Between a driver and its supervisor alone; and a slip of whoever names a camera, whose message is the answer.
    for (const internal of ["CAMERA_ENDED", "CAMERA_NOT_STARTED", "CAMERA_UNKNOWN"]) thrown.delete(internal);
    const explained = new Set([...(await page).matchAll(/`(CAMERA_[A-Z_]+)`/g)].map(([, code]) => code));
    assert.deepEqual([...explained].sort(), [...thrown].sort());
  });
});
