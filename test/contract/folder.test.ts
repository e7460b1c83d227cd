import { readdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { folderTargetConfig } from "../../src/targets/folder/config.ts";
import { FolderTarget } from "../../src/targets/folder/target.ts";
import { tempFolder } from "../lib/temp.ts";
import { targetContract } from "./target.ts";

targetContract("folder", async () => {
  const folder = await tempFolder();
  const path = join(folder.path, "set");
  const config = folderTargetConfig.parse({ id: "set", kind: "folder", path });
  const target = new FolderTarget(config);
  return {
    target,
    restarted: () => Promise.resolve(new FolderTarget(config)),
    tellsDuplicates: true,
    stored: async () => (await readFile(join(path, "annotations.jsonl"), "utf8")).trimEnd().split("\n").length,
    secrets: [],
    received: async () => (await readdir(join(path, "images")).catch(() => [])).length,
    async vanish() {
      await rm(path, { recursive: true, force: true });
      await writeFile(path, "a disk that is not mounted");
    },
    async [Symbol.asyncDispose]() {
      await target.close();
      await folder[Symbol.asyncDispose]();
    },
  };
});
