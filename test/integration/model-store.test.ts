import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdir, readdir, readFile, readlink, rename, symlink, utimes, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, it } from "mocha";
import { type ModelRef, ModelStore } from "../../src/models/store.ts";
import { isDead, ownMark } from "../../src/models/writer.ts";
import { until } from "../lib/poll.ts";
import { tempFolder } from "../lib/temp.ts";

async function withStore(work: (store: ModelStore, folder: string) => Promise<void>): Promise<void> {
  await using temp = await tempFolder();
  const folder = join(temp.path, "models");
  await work(new ModelStore(folder), folder);
}

async function install(store: ModelStore, ref: ModelRef, text = "onnx"): Promise<void> {
  const staged = await store.stage(ref);
  await writeFile(join(staged.folder, "model.onnx"), text);
  await store.install(staged);
}

async function installedNames(store: ModelStore): Promise<readonly string[]> {
  return (await store.list()).map(({ name, version }) => `${name}@${version}`);
}

const one = { name: "cars", version: "1" };
const two = { name: "cars", version: "2" };

describe("the store of models", () => {
  it("lists what is installed, by name and then as people count versions", async () => {
    await withStore(async (store) => {
      assert.deepEqual(await store.list(), []);
      for (const version of ["10", "9", "2.1"]) await install(store, { name: "cars", version });
      await install(store, { name: "boats", version: "1" });
      assert.deepEqual(await installedNames(store), ["boats@1", "cars@2.1", "cars@9", "cars@10"]);
    });
  });

  it("shows nothing of a model that is not installed yet, nor of one that is given up", async () => {
    await withStore(async (store, folder) => {
      const staged = await store.stage(one);
      await writeFile(join(staged.folder, "model.onnx"), "half");
      assert.deepEqual(await store.list(), []);
      assert.equal(await store.find("cars"), undefined);
      await store.discard(staged);
      assert.deepEqual(await readdir(folder), []);
    });
  });

  it("of two that install the same version, lets the first have it", async () => {
    await withStore(async (store, folder) => {
      const [first, second] = [await store.stage(one), await store.stage(one)];
      for (const { folder: place } of [first, second]) await writeFile(join(place, "model.onnx"), place);
      await store.install(second);
      await assert.rejects(store.install(first), { code: "MODEL_INSTALLED" });
      await store.discard(first);
      await assert.rejects(store.stage(one), { code: "MODEL_INSTALLED" });
      assert.deepEqual(
        (await readdir(folder)).filter((name) => name.startsWith(".")),
        [],
      );
    });
  });

  it("puts a whole version in the place of one that lost its model", async () => {
    await withStore(async (store, folder) => {
      await mkdir(join(folder, "cars/1"), { recursive: true });
      await writeFile(join(folder, "cars/1/model.json"), "{");
      assert.deepEqual(await store.list(), []);
      await install(store, one);
      assert.deepEqual(await readdir(join(folder, "cars/1")), ["model.onnx"]);
      assert.deepEqual(await readdir(folder), ["cars"]);
    });
  });

  it("knows which is in use and which was, and changes the two", async () => {
    await withStore(async (store, folder) => {
      await install(store, one);
      await install(store, two);
      assert.equal(await store.current(), undefined);
      await assert.rejects(store.rollback(), { code: "MODEL_NO_PREVIOUS" });
      await store.use(one);
      await store.use(two);
      assert.equal(await readlink(join(folder, "current")), "cars/2");
      assert.equal((await store.previous())?.version, "1");
      assert.equal((await store.rollback()).version, "1");
      assert.equal((await store.rollback()).version, "2");
      await store.useNone();
      assert.equal(await store.current(), undefined);
      assert.equal((await store.rollback()).version, "2");
    });
  });

  it("does not take a model for its own predecessor when the power went between the links", async () => {
    await withStore(async (store, folder) => {
      await install(store, one);
      await store.use(one);
      await symlink("cars/1", join(folder, "previous"));
      await assert.rejects(store.rollback(), { code: "MODEL_NO_PREVIOUS" });
    });
  });

  it("puts nothing to use that is not there", async () => {
    await withStore(async (store, folder) => {
      await install(store, one);
      await store.use(one);
      await assert.rejects(store.use(two), { code: "MODEL_NOT_FOUND" });
      await rename(join(folder, "cars"), join(folder, "gone"));
      assert.equal(await store.current(), undefined);
    });
  });

  it("finds by name the one in use, else the one installed last", async () => {
    await withStore(async (store, folder) => {
      await install(store, two);
      await install(store, one);
      await utimes(join(folder, "cars/2/model.onnx"), 1_000, 1_000);
      assert.equal((await store.find("cars"))?.version, "1");
      await store.use(two);
      assert.equal((await store.find("cars"))?.version, "2");
      assert.equal((await store.newest("cars"))?.version, "1");
      assert.equal((await store.find("cars@1"))?.version, "1");
      for (const nonsense of ["cars@3", "cars@1@2", "../cars", "cars@../1", ""]) {
        assert.equal(await store.find(nonsense), undefined, nonsense);
      }
    });
  });

  it("takes no name that could lead out of its folder or be one of its links", async () => {
    await withStore(async (store) => {
      for (const name of ["..", ".hidden", "a/b", "current", "Previous", "", "x".repeat(65)]) {
        await assert.rejects(store.stage({ name, version: "1" }), { code: "MODEL_NAME" }, name);
        await assert.rejects(
          store.stage({ name: "cars", version: name === "current" || name === "Previous" ? "" : name }),
          {
            code: "MODEL_NAME",
          },
        );
      }
    });
  });

  it("removes a version and its empty name, but not what is in use", async () => {
    await withStore(async (store, folder) => {
      await install(store, one);
      await install(store, two);
      await store.use(two);
      await assert.rejects(store.remove(two), { code: "MODEL_IN_USE" });
      await store.remove(one);
      assert.deepEqual(await installedNames(store), ["cars@2"]);
      await store.useNone();
      await store.remove(two);
      await store.remove(two);
      assert.deepEqual(await readdir(folder), ["previous"]);
    });
  });

  it("takes a process for dead that has ended and that nobody has asked about", async function () {
    if (process.platform !== "linux") this.skip();
    // The shell becomes a program that never asks how its child ended.
    const parent = spawn("sh", ["-c", "sleep 0.05 & echo $!; exec sleep 60"], { stdio: ["ignore", "pipe", "ignore"] });
    try {
      const [line] = (await once(parent.stdout, "data")) as [Buffer];
      const pid = line.toString().trim();
      const [, , numbering] = (await ownMark()).split("-");
      const stat = async () => (await readFile(`/proc/${pid}/stat`, "latin1")).split(") ")[1]?.split(" ") ?? [];
      const mark = `${pid}-${(await stat())[19]}-${numbering}`;
      await until(async () => (await stat())[0] === "Z", "the end of the child");
      assert.equal(await isDead(mark), true);
    } finally {
      parent.kill("SIGKILL");
    }
  });

  it("removes what dead processes left, and nothing that a living one works on", async () => {
    await withStore(async (store, folder) => {
      const own = await store.stage(one);
      const [pid, , numbering] = (await ownMark()).split("-");
      const leftovers = {
        dead: `.incoming-${pid}-1-${numbering}-aaaaaaaaaaaa`,
        foreign: `.incoming-${pid}-1-1-bbbbbbbbbbbb`,
        unmarked: ".incoming-cccccccccccc",
        others: ".not-ours",
      };
      for (const name of Object.values(leftovers)) await mkdir(join(folder, name));
      await store.sweep();
      const left = (await readdir(folder)).toSorted();
      assert.deepEqual(
        left,
        [own.folder.slice(folder.length + 1), leftovers.foreign, leftovers.unmarked, leftovers.others].toSorted(),
      );
      await new ModelStore(folder, () => Date.now() + 2 * 24 * 60 * 60_000).sweep();
      assert.deepEqual((await readdir(folder)).length, 2);
    });
  });
});
