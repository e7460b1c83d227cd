import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { copyFile, mkdir, readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { Writable } from "node:stream";
import { describe, it } from "mocha";
import { detect } from "../../agent/commands/detect.ts";
import { modelsAdd, type ModelsAddOptions } from "../../agent/commands/models/add.ts";
import { modelsCatalog } from "../../agent/commands/models/catalog.ts";
import { modelsList } from "../../agent/commands/models/ls.ts";
import { modelsRemove } from "../../agent/commands/models/rm.ts";
import { modelsRollback, modelsUse } from "../../agent/commands/models/use.ts";
import type { CommandContext } from "../../agent/context.ts";
import { errorLines } from "../../agent/exit-codes.ts";
import { findModel } from "../../agent/models/find-model.ts";
import { Terminal } from "../../agent/terminal.ts";
import { AgentError } from "../../src/core/errors.ts";
import { ModelStore } from "../../src/models/store.ts";
import { commandContext } from "../lib/command-context.ts";
import { modelServer, sha256Of } from "../lib/model-server.ts";
import { jpegOf } from "../lib/pictures.ts";
import { tempFolder } from "../lib/temp.ts";
import { tinyModelsFolder } from "../lib/vision.ts";

const tinyFile = join(tinyModelsFolder, "tiny-yolo8.onnx");

interface Desk {
  readonly folder: string;
  readonly models: string;
  /** What was printed since it was asked last. */
  readonly said: () => string;
  readonly context: CommandContext;
}

async function atDesk(work: (desk: Desk) => Promise<void>, config?: string): Promise<void> {
  await using temp = await tempFolder();
  const plain = commandContext();
  let said = "";
  const written = () => new Writable({ write: (chunk: Buffer, _, done) => (said += chunk.toString()) && done() });
  const dataFolder = join(temp.path, "data");
  if (config !== undefined) await writeFile(join(temp.path, "framepost.yaml"), config);
  await work({
    folder: temp.path,
    models: join(dataFolder, "models"),
    said: () => {
      const text = said;
      said = "";
      return text;
    },
    context: {
      ...plain,
      terminal: new Terminal(written(), written(), plain.clock),
      dataFolder,
      ...(config === undefined ? {} : { configFile: join(temp.path, "framepost.yaml") }),
    },
  });
}

async function refused(code: string, work: Promise<unknown>): Promise<string> {
  const error = await work.then(
    () => assert.fail(`no ${code}`),
    (thrown: unknown) => thrown,
  );
  assert.ok(error instanceof AgentError && error.code === code, String(error));
  const lines = errorLines(error);
  assert.equal(lines.length, 2, `no hint for ${code}`);
  return lines.join("\n");
}

/** Installed without a word of the commands. */
async function put({ models }: Desk, name: string, version: string): Promise<void> {
  const store = new ModelStore(models);
  const staged = await store.stage({ name, version });
  await copyFile(tinyFile, join(staged.folder, "model.onnx"));
  const content = await readFile(tinyFile);
  const manifest = { file: "model.onnx", sha256: sha256Of(content), bytes: content.length };
  await writeFile(join(staged.folder, "model.json"), JSON.stringify(manifest));
  await store.install(staged);
}

const add = (desk: Desk, what: string, options: ModelsAddOptions = {}) => modelsAdd(desk.context, what, options);

describe("models commands", () => {
  it("add a file, put it to use, go back, and remove what is not in use", async () => {
    await atDesk(async (desk) => {
      const { context, said } = desk;
      const digest = sha256Of(await readFile(tinyFile));
      await add(desk, tinyFile);
      assert.match(
        said(),
        new RegExp(`tiny-yolo8@${digest.slice(0, 8)} is installed.*yolo8, 640×384, 3 labels: red`, "s"),
      );
      await put(desk, "other", "2");
      await modelsUse(context, "tiny-yolo8");
      assert.match(said(), /tiny-yolo8@\w{8} is the model to use now: yolo8.*the daemon does not run/s);
      await modelsUse(context, "other@2");
      assert.equal((await findModel(undefined, { dataFolder: context.dataFolder })).name, "other@2");
      await modelsRollback(context);
      said();
      await modelsList(context);
      assert.match(said(), /other +2 .* previous\ntiny-yolo8 +\w{8} .* in use\n/);
      await refused("MODEL_IN_USE", modelsRemove(context, "tiny-yolo8"));
      await modelsRemove(context, "other@2");
      await refused("MODEL_NOT_INSTALLED", modelsUse(context, "other"));
      await refused("MODEL_NO_PREVIOUS", modelsRollback(context));
      assert.deepEqual((await readdir(desk.models)).toSorted(), ["current", "previous", "tiny-yolo8"]);
    });
  });

  it("read a model as the manifest beside it, or the one named, says", async () => {
    await atDesk(async (desk) => {
      const file = join(desk.folder, "mine.onnx");
      await copyFile(tinyFile, file);
      await writeFile(`${file}.json`, JSON.stringify({ labels: ["a", "b", "c"], licence: "MIT" }));
      await add(desk, file, { as: "mine@1" });
      assert.match(desk.said(), /labels: a, b, c.*MIT/s);
      const named = join(desk.folder, "named.json");
      await writeFile(named, JSON.stringify({ labels: ["x", "y", "z"], sha256: sha256Of(await readFile(file)) }));
      await add(desk, file, { as: "mine@2", manifest: named });
      assert.match(desk.said(), /labels: x, y, z/);
      await writeFile(named, JSON.stringify({ labels: ["x"], sha256: "0".repeat(64) }));
      await refused("MODEL_CHECKSUM", add(desk, file, { as: "mine@3", manifest: named }));
      assert.deepEqual(await readdir(join(desk.models, "mine")), ["1", "2"]);
    });
  });

  it("install nothing that cannot be loaded, is another file, or is there already", async () => {
    await atDesk(async (desk) => {
      const broken = join(desk.folder, "broken.onnx");
      await writeFile(broken, randomBytes(20_000));
      const text = await refused("MODEL_NOT_ONNX", add(desk, broken));
      assert.match(text, /broken\.onnx is not an ONNX file/);
      assert.doesNotMatch(text, /incoming/);
      await refused("MODEL_CHECKSUM", add(desk, tinyFile, { sha256: "0".repeat(64) }));
      await refused("MODEL_NOT_FOUND", add(desk, "no-such-model"));
      await assert.rejects(add(desk, desk.folder), { code: "USAGE_PATH" });
      await refused("MODEL_NAME", add(desk, tinyFile, { as: "current" }));
      assert.deepEqual(await readdir(desk.models), []);
      await add(desk, broken, { force: true, as: "broken@1" });
      assert.match(desk.said(), /installed although it cannot be used/);
      await refused("MODEL_NOT_ONNX", modelsUse(desk.context, "broken"));
      await refused("MODEL_INSTALLED", add(desk, broken, { force: true, as: "broken@1" }));
      assert.deepEqual(await readdir(desk.models), ["broken"]);
    });
  });

  it("install nothing from a file where the room that has to stay free would not", async () => {
    const cameras = [{ id: "street", driver: "simulated" }];
    const config = { cameras, targets: [], spool: { minFreeBytes: "1000000GB" } };
    await atDesk(async (desk) => {
      const said = await refused("MODEL_NO_ROOM", add(desk, tinyFile));
      assert.match(said, /no room for [\d.]+ KB of a model: .* are free/);
      assert.deepEqual(await readdir(desk.models), []);
    }, JSON.stringify(config));
  });

  it("download from an address, and say when nothing vouches for what came", async () => {
    await atDesk(async (desk) => {
      const content = await readFile(tinyFile);
      await using server = await modelServer(content, "/files/our%20model.onnx");
      await add(desk, `${server.url}?token=canary`);
      const said = desk.said();
      assert.match(said, new RegExp(`our-model@\\w{8} is installed.*${sha256Of(content)}.*nothing vouches`, "s"));
      const manifest = await readFile(
        join(desk.models, "our-model", sha256Of(content).slice(0, 8), "model.json"),
        "utf8",
      );
      assert.doesNotMatch(said + manifest, /canary/);
      await add(desk, server.url, { sha256: sha256Of(content), as: "again@1" });
      assert.doesNotMatch(desk.said(), /nothing vouches/);
      server.faults.push({ kind: "cut", afterBytes: 9_000 }, { kind: "status", status: 404 });
      await refused("MODEL_DOWNLOAD", add(desk, server.url, { as: "never@1" }));
      await modelsList(desk.context);
      assert.match(desk.said(), /our%20model\.onnx +9 KB of 16 KB +download interrupted/);
      server.faults.push({ kind: "status", status: 404 });
      assert.match(await refused("MODEL_DOWNLOAD", add(desk, server.url, { as: "never@1" })), /HTTP 404/);
      await assert.rejects(readdir(join(desk.models, "never")), { code: "ENOENT" });
    });
  });

  it("detect with the model in use where none is named, and say which, and that its labels have no names", async () => {
    await atDesk(async (desk) => {
      const { context, folder, said } = desk;
      const photo = join(folder, "photo.jpg");
      await writeFile(photo, await jpegOf(128));
      assert.equal(await detect(context, [photo], {}), 0);
      assert.match(said(), /no model is in use but the one that ships.*64×48/s);
      await put(desk, "other", "2");
      await new ModelStore(desk.models).use({ name: "other", version: "2" });
      const unnamed = join(folder, "unnamed.json");
      await writeFile(unnamed, JSON.stringify({ labels: ["class0", "class1", "class2"] }));
      assert.equal(await detect(context, [photo], { manifest: unnamed }), 0);
      assert.match(said(), /^with the model in use, other@2\nits file does not name what it finds.*64×48 {2}0 found/s);
      const hint = await refused("MODEL_NOT_FOUND", detect(context, [photo], { model: "others" }));
      assert.match(hint, /none of that name is installed/);
      await writeFile(unnamed, '{"labls": []}');
      const reason = await refused("MODEL_MANIFEST", detect(context, [photo], { model: tinyFile, manifest: unnamed }));
      assert.match(reason, /unnamed\.json: Unrecognized key: "labls"/);
    });
  });

  it("say that the config names another model, and keep that one", async () => {
    const config = "cameras: [{ id: c, driver: simulated }]\ntargets: []\ndetector: { model: pinned }\n";
    await atDesk(async (desk) => {
      const { context, said } = desk;
      await put(desk, "pinned", "1");
      await put(desk, "other", "1");
      await modelsUse(context, "other");
      assert.match(said(), /no effect while detector\.model of the config names pinned/);
      assert.match(await refused("MODEL_IN_USE", modelsRemove(context, "pinned")), /detector\.model/);
      await modelsList(context);
      assert.match(said(), /other +1 .* current\npinned +1 .* pinned\n/);
    }, config);
  });

  it("list a model whose file was cut as damaged, and what is not installed at all", async () => {
    await atDesk(async (desk) => {
      await modelsList(desk.context);
      assert.match(desk.said(), /no model is installed.*models catalog/);
      await put(desk, "cut", "1");
      await writeFile(join(desk.models, "cut/1/model.onnx"), "half");
      await mkdir(join(desk.models, "cut/2"));
      desk.said();
      await modelsList({ ...desk.context, json: true });
      const lines = desk
        .said()
        .trim()
        .split("\n")
        .map((line) => JSON.parse(line) as Record<string, unknown>);
      assert.deepEqual(
        lines.map(({ version, state, listed }) => ({ version, state, listed })),
        [
          { version: "1", state: "damaged", listed: undefined },
          { version: undefined, state: undefined, listed: 1 },
        ],
      );
      await refused("MODEL_CHECKSUM", modelsUse(desk.context, "cut@1"));
    });
  });

  it("name the licence and checksum of everything in the catalog", async () => {
    await atDesk(async (desk) => {
      await Promise.resolve(modelsCatalog({ ...desk.context, json: true }));
      const lines = desk.said().trim().split("\n");
      assert.ok(lines.length > 8);
      for (const line of lines.slice(0, -1))
        assert.match(line, /"licence":"\w.*"url":"https:.*"sha256":|"sha256":.*"url":"https:/);
      modelsCatalog(desk.context);
      assert.match(desk.said(), /yunet +2023-03 +\d+ KB +MIT +faces.*never used/s);
    });
  });
});
