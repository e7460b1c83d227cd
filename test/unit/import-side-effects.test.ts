import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { readdirSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { describe, it } from "mocha";

const built = resolve(dirname(fileURLToPath(import.meta.url)), "../..");
const entryPoints = /(vision\/process\/main|spool\/index\/worker)\.js$/;

describe("importing src", () => {
  it("does nothing: no output, and the process ends by itself", function () {
    this.timeout(60_000);
    const modules = readdirSync(join(built, "src"), { recursive: true, encoding: "utf8" })
      .filter((name) => name.endsWith(".js") && !entryPoints.test(name))
      .map((name) => pathToFileURL(join(built, "src", name)).href);
    assert.ok(modules.length >= 50, `only ${modules.length} modules`);
    const script = modules.map((href) => `await import(${JSON.stringify(href)});`).join("\n");
    const run = spawnSync(process.execPath, ["--input-type=module", "-e", script], {
      timeout: 45_000,
      encoding: "utf8",
    });
    assert.deepEqual(
      { status: run.status, signal: run.signal, out: run.stdout, err: run.stderr },
      { status: 0, signal: null, out: "", err: "" },
    );
  });
});
