import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, it } from "mocha";
import { repositoryFolder } from "../lib/shared.ts";
import { transportFaults } from "../lib/transport-faults.ts";

describe("the faults of lines, servers and brokers", () => {
  const sourceOf = async (path: string) => await readFile(join(repositoryFolder, path), "utf8");

  async function rows(): Promise<readonly { readonly fault: string; readonly path: string }[]> {
    const page = await sourceOf("docs/reliability.md");
    const section = page.split("## Lines, servers and brokers that fail")[1]?.split("\n## ")[0] ?? "";
    const found = [...section.matchAll(/^\| (.+?) +\|.+\| `(test\/\S+)` +\|$/gm)];
    return found.map(([, fault = "", path = ""]) => ({ fault, path }));
  }

  it("are all in docs/reliability.md, each once", async () => {
    assert.deepEqual((await rows()).map(({ fault }) => fault).sort(), [...transportFaults].sort());
  });

  it("have each a test of their name where the page says so", async () => {
    for (const { fault, path } of await rows()) {
      const titles = (await sourceOf(path)).split(`survives(${JSON.stringify(fault)},`).length - 1;
      assert.equal(titles, 1, `${fault} in ${path}`);
    }
  });
});
