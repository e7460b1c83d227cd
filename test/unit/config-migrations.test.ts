import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, it } from "mocha";
import { readDocument } from "../../src/config/document.ts";
import { currentVersion, eachItem, migrated, migrations, type Migration } from "../../src/config/migrations.ts";
import type { Fields } from "../../src/config/overlay.ts";
import { readOverlay } from "../../src/config/overlay-file.ts";
import { ConfigError } from "../../src/config/problem.ts";
import { tempFolder } from "../lib/temp.ts";

/** As if two releases had changed the form: `every` became `interval`, then `log: LEVEL` became `log.level`. */
const invented: readonly Migration[] = [
  {
    says: "a camera's every is now called interval",
    change: (document) =>
      eachItem(document, "cameras", ({ every, ...camera }) => ({
        ...camera,
        ...(every === undefined ? {} : { interval: every }),
      })),
  },
  {
    says: "log is now log.level",
    change: (document): Fields =>
      typeof document["log"] === "string" ? { ...document, log: { level: document["log"] } } : document,
  },
];

const old = "cameras:\n  - id: a\n    driver: simulated\n    every: 5s\nlog: debug\n";

describe("config migrations", () => {
  it("there are none yet, and the file that ships says the version that this program reads", () => {
    assert.equal(currentVersion(), migrations.length + 1);
    assert.deepEqual(migrated({ version: currentVersion() }).kind, "current");
    assert.deepEqual(migrated({}).kind, migrations.length === 0 ? "current" : "migrated");
  });

  it("bring a file of any older version up to date, oldest change first, and say what they changed", () => {
    const expected = {
      cameras: [{ id: "a", driver: "simulated", interval: "5s" }],
      log: { level: "debug" },
      version: 3,
    };
    const read = readDocument(old, "f.yaml", invented);
    assert.deepEqual(read.value, expected);
    assert.equal(read.migratedFrom, 1);
    const [warning] = read.warnings;
    assert.match(warning?.message ?? "", /version 1, read as version 3: a camera's every .*; log is now log\.level/);
    // From the second version on only the second change is due: what the first would do is a mistake there.
    const second = readDocument(`version: 2\n${old}`, "f.yaml", invented);
    assert.deepEqual(second.value, {
      ...expected,
      cameras: [{ id: "a", driver: "simulated", every: "5s" }],
    });
    assert.equal(readDocument(`version: 3\n${old}`, "f.yaml", invented).migratedFrom, undefined);
  });

  it("refuse a file of a version to come, at the line that says so", () => {
    assert.throws(
      () => readDocument("log:\n  level: info\nversion: 4\n", "f.yaml", invented),
      (error) => {
        assert.ok(error instanceof ConfigError);
        const [problem] = error.problems;
        assert.equal(problem?.line, 3);
        assert.match(problem.message, /a newer Framepost wrote this file \(version 4; this one reads up to 3\)/);
        return true;
      },
    );
  });

  it("leave what is no config, or says a version that is none, for the schema to refuse", () => {
    for (const document of ["text", [1], null, { version: "2" }, { version: 0 }, { version: 1.5 }]) {
      assert.deepEqual(migrated(document, invented), { kind: "current", document });
    }
  });

  it("change what remote commands left above the file too, where null takes away", async () => {
    await using folder = await tempFolder();
    const path = join(folder.path, "config.overlay.yaml");
    const text =
      "revision: 7\nfileDigest: x\nchanges:\n  cameras:\n    a:\n      every: 2s\n    b: null\nprevious:\n  log: warn\n";
    await writeFile(path, text);
    const read = await readOverlay(path, invented);
    assert.equal(read.kind, "overlay");
    assert.deepEqual(read.overlay.changes, { cameras: { a: { interval: "2s" }, b: null } });
    assert.deepEqual(read.overlay.previous, { log: { level: "warn" } });
    await writeFile(path, `${text}form: 3\n`);
    const current = await readOverlay(path, invented);
    assert.equal(current.kind, "overlay");
    assert.deepEqual(current.overlay.changes, { cameras: { a: { every: "2s" }, b: null } });
  });
});
