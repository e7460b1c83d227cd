import assert from "node:assert/strict";
import { mkdir, readdir, readFile, rm, utimes, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, it } from "mocha";
import { bootId } from "../../src/state/boot.ts";
import { openDeviceState } from "../../src/state/device-state.ts";
import { StateFile, type StateFileOptions } from "../../src/state/state-file.ts";
import { RecordingLogger, seededRandom } from "../lib/seams.ts";
import { tempFolder } from "../lib/temp.ts";

interface Counter {
  readonly count: number;
  readonly text?: string;
}

function optionsFor(folder: string, change: Partial<StateFileOptions<Counter>> = {}): StateFileOptions<Counter> {
  return {
    path: join(folder, "deep", "counter.json"),
    version: 2,
    bytesMax: 1_000,
    parse: (value) => {
      if (typeof value !== "object" || value === null || !("count" in value) || typeof value.count !== "number") {
        throw new Error("no count");
      }
      return { ...value, count: value.count };
    },
    initial: () => ({ count: 0 }),
    ...change,
  };
}

/** A file that was written three times: the state is 2, the backup's is 1. */
async function written(folder: string): Promise<StateFileOptions<Counter>> {
  const options = optionsFor(folder);
  const file = await StateFile.open(options);
  await file.update(({ count }) => ({ count: count + 1 }));
  await file.update(({ count }) => ({ count: count + 1 }));
  return options;
}

describe("state file", () => {
  it("starts fresh only where nothing was, and keeps what is written", async () => {
    await using folder = await tempFolder();
    const options = await written(folder.path);
    const again = await StateFile.open(options);
    assert.deepEqual(again.read(), { count: 2 });
    assert.deepEqual(JSON.parse(await readFile(`${options.path}.bak`, "utf8")), { version: 2, state: { count: 1 } });
    assert.deepEqual((await readdir(join(folder.path, "deep"))).sort(), ["counter.json", "counter.json.bak"]);
  });

  it("makes changes one after another", async () => {
    await using folder = await tempFolder();
    const file = await StateFile.open(optionsFor(folder.path));
    await Promise.all(Array.from({ length: 20 }, async () => await file.update(({ count }) => ({ count: count + 1 }))));
    assert.deepEqual((await StateFile.open(optionsFor(folder.path))).read(), { count: 20 });
  });

  it("refuses what exceeds its bound, and goes on with what it had", async () => {
    await using folder = await tempFolder();
    const file = await StateFile.open(optionsFor(folder.path));
    await assert.rejects(
      file.update(() => ({ count: 1, text: "x".repeat(2_000) })),
      { code: "STATE_UNWRITABLE" },
    );
    assert.deepEqual(file.read(), { count: 0 });
    await file.update(() => ({ count: 5 }));
    assert.deepEqual((await StateFile.open(optionsFor(folder.path))).read(), { count: 5 });
  });

  it("cut at every byte, it gives the backup's state and never an empty one", async () => {
    await using folder = await tempFolder();
    const options = await written(folder.path);
    const whole = await readFile(options.path);
    const backup = await readFile(`${options.path}.bak`);
    for (let length = 0; length < whole.length; length += 1) {
      await writeFile(options.path, whole.subarray(0, length));
      await writeFile(`${options.path}.bak`, backup);
      // Without its final line feed the JSON is still whole.
      const expected = length === whole.length - 1 ? 2 : 1;
      assert.deepEqual((await StateFile.open(options)).read(), { count: expected }, `cut after ${length} bytes`);
    }
  });

  it("without a good backup it fails at every cut, and leaves the file alone", async () => {
    await using folder = await tempFolder();
    const options = await written(folder.path);
    const whole = await readFile(options.path);
    await rm(`${options.path}.bak`);
    for (let length = 0; length < whole.length - 1; length += 1) {
      await writeFile(options.path, whole.subarray(0, length));
      await assert.rejects(StateFile.open(options), { code: "STATE_UNREADABLE", disposition: "fatal" });
      assert.deepEqual(await readFile(options.path), whole.subarray(0, length));
    }
  });

  it("zeroed from any 64th byte on, it gives the backup's state, or fails without one, and never an empty one", async () => {
    await using folder = await tempFolder();
    const text = "x".repeat(500);
    const options = optionsFor(folder.path);
    const file = await StateFile.open(options);
    for (const count of [1, 2]) await file.update(() => ({ count, text }));
    const whole = await readFile(options.path);
    const backup = await readFile(`${options.path}.bak`);
    for (let from = 0; from < whole.length; from += 64) {
      const zeroed = Buffer.from(whole).fill(0, from);
      await writeFile(options.path, zeroed);
      await rm(`${options.path}.bak`, { force: true });
      await assert.rejects(StateFile.open(options), { code: "STATE_UNREADABLE" }, `zeros from ${from} on, no backup`);
      assert.deepEqual(await readFile(options.path), zeroed);
      await writeFile(`${options.path}.bak`, backup);
      assert.deepEqual((await StateFile.open(options)).read(), { count: 1, text }, `zeros from ${from} on`);
    }
  });

  const damages: readonly (readonly [string, (path: string) => Promise<void>])[] = [
    ["zeros", async (path) => await writeFile(path, Buffer.alloc(64))],
    ["a folder", async (path) => (await mkdir(join(path, "x"), { recursive: true }), undefined)],
    ["another program's JSON", async (path) => await writeFile(path, '{"count":7}')],
    ["state that does not parse", async (path) => await writeFile(path, '{"version":2,"state":{"count":"7"}}')],
    [
      "more than its bound",
      async (path) => await writeFile(path, `{"version":2,"state":{"count":7}}${" ".repeat(2_000)}`),
    ],
  ];
  for (const [what, damage] of damages) {
    it(`with ${what} in its place, it takes the backup, and keeps that until the next write succeeded`, async () => {
      await using folder = await tempFolder();
      const options = await written(folder.path);
      await rm(options.path);
      await damage(options.path);
      const file = await StateFile.open(options);
      assert.deepEqual(file.read(), { count: 1 });
      assert.deepEqual((await StateFile.open(options)).read(), { count: 1 }, "also when opened twice without a write");
      await file.update(({ count }) => ({ count: count + 10 }));
      assert.deepEqual((await StateFile.open(options)).read(), { count: 11 });
    });
  }

  for (const [what, damage] of [["no file", async () => Promise.resolve()] as const, ...damages]) {
    it(`with ${what} in its place and any damage to its backup, it fails and leaves both alone`, async () => {
      await using folder = await tempFolder();
      const options = await written(folder.path);
      await rm(options.path);
      await damage(options.path);
      for (const [whatBackup, damageBackup] of damages) {
        await rm(`${options.path}.bak`, { recursive: true });
        await damageBackup(`${options.path}.bak`);
        const before = await contentOf(join(folder.path, "deep"));
        const refused = { code: "STATE_UNREADABLE", disposition: "fatal" };
        await assert.rejects(StateFile.open(options), refused, `the backup: ${whatBackup}`);
        assert.deepEqual(await contentOf(join(folder.path, "deep")), before);
      }
    });
  }

  for (const [what, damage] of damages) {
    it(`is written whole where ${what} lies in the backup's place or was left behind by a write`, async () => {
      await using folder = await tempFolder();
      const options = await written(folder.path);
      await rm(`${options.path}.bak`);
      await damage(`${options.path}.bak`);
      await damage(`${options.path}.tmp`);
      await utimes(`${options.path}.tmp`, 1_000, 1_000);
      const file = await StateFile.open(options);
      assert.deepEqual(file.read(), { count: 2 });
      await file.update(({ count }) => ({ count: count + 1 }));
      assert.deepEqual((await StateFile.open(options)).read(), { count: 3 });
      assert.deepEqual((await readdir(join(folder.path, "deep"))).sort(), ["counter.json", "counter.json.bak"]);
      await rm(options.path);
      assert.deepEqual((await StateFile.open(options)).read(), { count: 2 }, "and so is the backup");
    });
  }

  it("starts fresh beside a leftover of the very first write, which nobody was told of", async () => {
    await using folder = await tempFolder();
    const options = optionsFor(folder.path);
    await mkdir(join(folder.path, "deep"));
    // The second is as young as one that another process is writing.
    for (const name of [".0.tmp", ".1.tmp"]) await writeFile(options.path + name, '{"version":2,"state":{"cou');
    await utimes(`${options.path}.0.tmp`, 1_000, 1_000);
    assert.deepEqual((await StateFile.open(options)).read(), { count: 0 });
    assert.deepEqual((await readdir(join(folder.path, "deep"))).sort(), ["counter.json", "counter.json.1.tmp"]);
  });

  it("is written by many at once without a failure, and is always whole", async () => {
    await using folder = await tempFolder();
    const options = await written(folder.path);
    const writers = Array.from({ length: 6 }, async (_, writer) => {
      // Texts of another length each, so that one written over another would show.
      const text = "x".repeat(writer * 100);
      for (let turn = 0; turn < 10; turn += 1) {
        const file = await StateFile.open(options);
        await file.update(({ count }) => ({ count: count + 1, text }));
      }
    });
    await Promise.all(writers);
    assert.ok((await StateFile.open(options)).read().count > 10);
    assert.deepEqual((await readdir(join(folder.path, "deep"))).sort(), ["counter.json", "counter.json.bak"]);
  });

  it("leaves a newer version's file alone, and works beside it with what it understands of it", async () => {
    await using folder = await tempFolder();
    const options = optionsFor(folder.path);
    const newer = '{"version":3,"state":{"count":7,"more":"only version 3 knows"}}';
    await mkdir(join(folder.path, "deep"));
    await writeFile(options.path, newer);
    const before = await contentOf(folder.path);
    const file = await StateFile.open(options);
    assert.equal(file.read().count, 7);
    assert.deepEqual(await contentOf(folder.path), before, "reading writes nothing");
    await file.update(() => ({ count: 8 }));
    assert.equal(await readFile(options.path, "utf8"), newer);
    assert.deepEqual((await StateFile.open(options)).read(), { count: 8 });
    assert.deepEqual(await readdir(join(folder.path, "deep")), ["counter.json", "counter.v2.json"]);
  });

  it("takes over what older versions wrote meanwhile once it is back, the latest of them first", async () => {
    await using folder = await tempFolder();
    const options = optionsFor(folder.path);
    const at = (version: number) => StateFile.open({ ...options, version });
    await (await at(3)).update(() => ({ count: 3 }));
    await (await at(2)).update(({ count }) => ({ count: count + 10 }));
    await (await at(1)).update(({ count }) => ({ count: count + 100 }));
    assert.deepEqual((await readdir(join(folder.path, "deep"))).sort(), [
      ...["counter.json", "counter.json.bak", "counter.v1.json", "counter.v2.json"],
    ]);
    const back = await at(3);
    assert.deepEqual(back.read(), { count: 113 });
    assert.deepEqual((await at(3)).read(), { count: 113 }, "and once more, for nothing was written yet");
    await back.update(({ count }) => ({ count: count + 1000 }));
    assert.deepEqual((await readdir(join(folder.path, "deep"))).sort(), ["counter.json", "counter.json.bak"]);
    assert.deepEqual((await at(3)).read(), { count: 1113 });
  });

  it("goes up to a version in between with what the oldest wrote last", async () => {
    await using folder = await tempFolder();
    const options = optionsFor(folder.path);
    const at = (version: number) => StateFile.open({ ...options, version });
    for (const version of [3, 1, 2]) await (await at(version)).update(() => ({ count: version }));
    assert.deepEqual((await readdir(join(folder.path, "deep"))).sort(), [
      ...["counter.json", "counter.json.bak", "counter.v2.json"],
    ]);
    assert.deepEqual((await at(3)).read(), { count: 2 });
  });

  for (const [what, content] of [
    ["in a form of its own", '{"version":3,"state":{"counts":[7]}}'],
    ["larger than this one may be", `{"version":3,"state":{"counts":"${"x".repeat(2_000)}"}}`],
  ] as const) {
    it(`starts fresh beside a newer version's file ${what}, unless that must not be`, async () => {
      await using folder = await tempFolder();
      const options = optionsFor(folder.path);
      await mkdir(join(folder.path, "deep"));
      await writeFile(options.path, content);
      assert.deepEqual((await StateFile.open(options)).read(), { count: 0 });
      await assert.rejects(StateFile.open({ ...options, irreplaceable: true }), { code: "STATE_VERSION_UNKNOWN" });
      assert.equal(await readFile(options.path, "utf8"), content);
    });
  }

  it("works beside a newer version's backup where its file is damaged, and touches neither", async () => {
    await using folder = await tempFolder();
    const options = optionsFor(folder.path);
    await mkdir(join(folder.path, "deep"));
    await writeFile(options.path, "");
    await writeFile(`${options.path}.bak`, '{"version":3,"state":{"count":7}}');
    const before = await contentOf(folder.path);
    assert.equal((await StateFile.open(options)).read().count, 7);
    assert.deepEqual(await contentOf(folder.path), before);
  });

  it("tells the parser which version wrote an older file", async () => {
    await using folder = await tempFolder();
    const options = await written(folder.path);
    const file = await StateFile.open({ ...options, version: 3, parse: (_, version) => ({ count: version }) });
    assert.deepEqual(file.read(), { count: 2 });
    await file.update((current) => current);
    assert.deepEqual(JSON.parse(await readFile(options.path, "utf8")), { version: 3, state: { count: 2 } });
  });

  it("migrates an older backup too", async () => {
    await using folder = await tempFolder();
    const options = await written(folder.path);
    await writeFile(options.path, "");
    const parse = (_: unknown, version: number): Counter => ({ count: 100 * version });
    assert.deepEqual((await StateFile.open({ ...options, version: 3, parse })).read(), { count: 200 });
  });

  it("finds the backup when a write stopped between its two renames", async () => {
    await using folder = await tempFolder();
    const options = await written(folder.path);
    await rm(options.path);
    assert.deepEqual((await StateFile.open(options)).read(), { count: 1 });
  });
});

/** Every file of a folder, and what is in it. */
async function contentOf(folder: string): Promise<readonly (readonly [name: string, text: string])[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  return await Promise.all(
    entries.map(async (entry) => {
      const path = join(entry.parentPath, entry.name);
      return [path, entry.isFile() ? await readFile(path, "utf8") : "a folder"] as const;
    }),
  );
}

describe("device state", () => {
  it("keeps its identity across starts and counts them", async () => {
    await using folder = await tempFolder();
    const first = (await openDeviceState({ folder: folder.path }, { random: seededRandom(1) })).read();
    const second = (await openDeviceState({ folder: folder.path }, { random: seededRandom(2) })).read();
    assert.match(first.deviceId, /^device-[0-9a-hjkmnp-tv-z]{8}$/);
    assert.deepEqual({ ...second, startCount: 1 }, first);
    assert.equal(second.startCount, 2);
  });

  it("is one identity for all that make it up at the same moment", async () => {
    for (let round = 0; round < 10; round += 1) {
      await using folder = await tempFolder();
      const opened = Array.from({ length: 6 }, async (_, seed) => {
        return (await openDeviceState({ folder: folder.path }, { random: seededRandom(seed) })).read().deviceId;
      });
      assert.equal(new Set(await Promise.all(opened)).size, 1);
    }
  });

  it("makes up another device id in another folder, unless the config gives one", async () => {
    await using one = await tempFolder();
    await using other = await tempFolder();
    const random = seededRandom(1);
    const a = (await openDeviceState({ folder: one.path }, { random })).read();
    const b = (await openDeviceState({ folder: other.path }, { random })).read();
    assert.notEqual(a.deviceId, b.deviceId);
    const renamed = (await openDeviceState({ folder: one.path, deviceId: "gw-8" }, { random })).read();
    assert.deepEqual(renamed, { deviceId: "gw-8", startCount: 2 });
  });

  it("begins anew over a ruined file where the config says who this is, and not where only the file knew", async () => {
    await using folder = await tempFolder();
    const [random, log] = [seededRandom(1), new RecordingLogger()];
    const path = join(folder.path, "device.json");
    const open = (deviceId?: string, readOnly = false) => {
      return openDeviceState(
        { folder: folder.path, readOnly, ...(deviceId === undefined ? {} : { deviceId }) },
        { random, log },
      );
    };
    await writeFile(path, "torn");
    await assert.rejects(open(), { code: "STATE_UNREADABLE", disposition: "fatal" });
    await assert.rejects(open("gw-8", true), { code: "STATE_UNREADABLE" }, "who only looks sets nothing aside");
    assert.deepEqual((await open("gw-8")).read(), { deviceId: "gw-8", startCount: 1 });
    assert.deepEqual(
      log.lines.map(({ event, fields }) => [event, fields["code"]]),
      [["device.state_lost", "STATE_UNREADABLE"]],
    );
    assert.equal(await readFile(`${path}.damaged`, "utf8"), "torn");
    assert.deepEqual((await open()).read(), { deviceId: "gw-8", startCount: 2 });
  });
});

describe("boot", () => {
  it("reads the kernel's boot id, and makes one up where there is none", async () => {
    const kernels = await bootId();
    assert.equal(kernels, (await readFile("/proc/sys/kernel/random/boot_id", "utf8")).trim());
    const own = await bootId("/nowhere");
    assert.match(own, /^[0-9a-f-]{36}$/);
    assert.equal(await bootId("/nowhere"), own);
  });
});
