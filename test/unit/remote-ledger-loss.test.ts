import assert from "node:assert/strict";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, it } from "mocha";
import type { Scope } from "../../src/remote/command.ts";
import { newKeyTexts, privateKeyOf, sign } from "../../src/remote/signature.ts";
import { RequestBench } from "../lib/request-bench.ts";
import { tempFolder } from "../lib/temp.ts";
import { TraceCommands } from "../lib/trace-commands.ts";

const texts = newKeyTexts();
const keys = [{ id: "ops", publicKey: texts.publicKey, scopes: ["capture"] as Scope[] }];
const torn = `{"version":1,"sta`;

function signed(id: string, seq: number): object {
  const recipient = { root: "framepost", to: "gw", command: "mark" };
  return sign({ key: "ops", id, seq }, recipient, privateKeyOf(texts.privateKey));
}

describe("a ledger of commands that cannot be read", () => {
  it("is set aside and told; the device answers, and takes nothing for new that was signed before", async () => {
    await using folder = await tempFolder();
    const trace = new TraceCommands();
    const open = () => new RequestBench({ commands: trace.commands, folder: folder.path, access: { keys } }).start();
    const before = await open();
    const nowMs = before.clock.nowMs();
    const old = signed("old", nowMs - 60_000);
    assert.equal((await before.ask("mark", old)).state, "done");
    await before.stop();

    const path = join(folder.path, "commands.json");
    for (const file of [path, `${path}.bak`]) await writeFile(file, torn);
    const after = await open();
    try {
      const said = after.log.lines.filter(({ event }) => event === "remote.ledger_lost");
      assert.deepEqual(
        said.map(({ level, fields }) => [level, fields["code"]]),
        [["error", "STATE_UNREADABLE"]],
      );
      assert.equal(await readFile(`${path}.damaged`, "utf8"), torn);
      await after.ask("mark", old);
      await after.ask("mark", signed("other", nowMs - 1));
      await after.ask("mark", signed("new", nowMs + 1));
      assert.deepEqual(after.words(), ["refused/stale", "refused/stale", "done/ok"]);
      assert.equal(trace.traces.length, 2, "the old one ran once");
    } finally {
      await after.stop();
    }

    const later = await open();
    assert.equal((await later.ask("mark", signed("new", nowMs + 1))).state, "done", "answered from the new ledger");
    assert.equal(trace.traces.length, 2);
    assert.deepEqual(
      later.log.lines.filter(({ event }) => event === "remote.ledger_lost"),
      [],
    );
    await later.stop();
  });
});
