import assert from "node:assert/strict";
import { copyFile, readdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, it } from "mocha";
import { tryModel } from "../../agent/models/model-trial.ts";
import { catalog } from "../../src/models/catalog.ts";
import { resolveModel } from "../../src/vision/model.ts";
import { commandContext } from "../lib/command-context.ts";
import { needsShared } from "../lib/shared.ts";
import { tempFolder } from "../lib/temp.ts";

describe("models of the catalog", () => {
  it("are read as their manifests say, where the very files are at hand", async function () {
    this.timeout(20_000);
    const folder = join(needsShared(this), "models");
    let tried = 0;
    for (const name of (await readdir(folder)).filter((file) => file.endsWith(".onnx"))) {
      const { sha256 } = await resolveModel(join(folder, name), { modelsFolders: [] });
      const entry = catalog.find((model) => model.sha256 === sha256);
      if (entry === undefined) continue;
      await using temp = await tempFolder();
      await copyFile(join(folder, name), join(temp.path, "model.onnx"));
      await writeFile(join(temp.path, "model.json"), JSON.stringify(entry.manifest));
      const spec = await resolveModel(join(temp.path, "model.onnx"), { modelsFolders: [] });
      const info = await tryModel(commandContext(), spec);
      assert.equal(info.family, entry.manifest["family"]);
      assert.deepEqual(info.labels, entry.manifest["labels"]);
      tried += 1;
    }
    assert.ok(tried >= 4, `only ${tried}`);
  });
});
