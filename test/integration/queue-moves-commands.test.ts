import assert from "node:assert/strict";
import { mkdir, readdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { PassThrough } from "node:stream";
import { before, after, describe, it } from "mocha";
import { errorLines, exitCodeOf } from "../../agent/exit-codes.ts";
import { runCommandLine } from "../../agent/program.ts";
import { Terminal } from "../../agent/terminal.ts";
import { SystemClock } from "../../src/core/clock.ts";
import { AgentProcess, writeConfig } from "../lib/agent.ts";
import { assertNoStack, type Ran } from "../lib/command.ts";
import { openSpool } from "../lib/disk-spool.ts";
import { draftOf, imageOf } from "../lib/drafts.ts";
import { idsIn } from "../lib/moves.ts";
import { tempFolder } from "../lib/temp.ts";

/** The command line in this process: starting the program a dozen times takes longer than all it does here. */
async function runHere(words: readonly string[]): Promise<Ran> {
  const [stdout, stderr] = [new PassThrough(), new PassThrough()];
  const clock = new SystemClock();
  const terminal = new Terminal(stdout, stderr, clock);
  const { signal } = new AbortController();
  const world = { terminal, clock, random: Math.random, environment: {}, signal, hide: () => undefined };
  let code: number;
  try {
    code = await runCommandLine(words, world);
  } catch (error) {
    for (const line of errorLines(error)) terminal.note(line);
    code = exitCodeOf(error);
  }
  const textOf = (stream: PassThrough): string => String((stream.read() as Buffer | null) ?? "");
  return { code, stdout: textOf(stdout), stderr: textOf(stderr) };
}

/** `queue export` and `queue import` of the built program. */
describe("queue export and queue import", function () {
  this.timeout(30_000);
  let folder = "";
  let cleanup: AsyncDisposable | undefined;
  let config = "";

  before(async () => {
    const temp = await tempFolder();
    cleanup = temp;
    folder = temp.path;
    const target = { id: "archive", kind: "folder", path: join(folder, "archive") };
    // A camera that never sees anything: what is in the spool comes from the test.
    await mkdir(join(folder, "in"));
    const camera = { id: "in", driver: "folder", path: join(folder, "in") };
    config = await writeConfig(folder, { cameras: [camera], targets: [target] });
  });

  after(async () => cleanup?.[Symbol.asyncDispose]());

  const data = (name: string): string => join(folder, "data", name);
  const run = async (name: string, ...words: readonly string[]): Promise<Ran> =>
    await runHere(["-c", config, "--data", data(name), ...words]);

  async function fill(name: string, records: number, targetId: string): Promise<void> {
    await mkdir(data(name), { recursive: true });
    await using opened = await openSpool(join(data(name), "spool"));
    for (let at = 0; at < records; at += 1) await opened.spool.append(draftOf(), imageOf(2_000, at), [targetId]);
  }

  it("move records and say so, and refuse folders that are none of theirs", async () => {
    await fill("one", 3, "archive");
    const stick = join(folder, "stick");
    const inside = await run("one", "queue", "export", join(data("one"), "backup"));
    assert.equal(inside.code, 2);
    assert.match(inside.stderr, /lies in the data folder/);
    const foreign = await run("one", "queue", "export", folder);
    assert.equal(foreign.code, 2);
    assert.match(foreign.stderr, /it holds other files/);
    const first = await run("one", "queue", "export", stick, "--limit", "1", "--json");
    assert.equal(first.code, 0, first.stderr);
    const { bytes, ...figures } = JSON.parse(first.stdout) as Record<string, unknown>;
    assert.deepEqual(figures, { moved: 1, skipped: 0, held: 0, left: 2 });
    assert.ok(Number(bytes) > 2_000);
    const rest = await run("one", "queue", "export", stick);
    assert.match(rest.stdout, /^2 records, \d+ KB, moved to .*stick; 0 records left in the spool\n$/);
    assert.equal((await idsIn(stick)).length, 3);
    assert.deepEqual((await readdir(stick)).sort(), ["framepost-export.json", "records"]);

    const none = await run("two", "queue", "import", join(folder, "in"));
    assert.equal(none.code, 2);
    assert.match(none.stderr, /no export wrote it/);
    const wrong = await run("two", "queue", "import", stick, "--as", "archive=nothing");
    assert.equal(wrong.code, 2);
    assert.match(wrong.stderr, /--as names nothing, and the config has archive/);
    const broken = await run("two", "queue", "import", stick, "--as", "archive");
    assert.equal(broken.code, 2);
    const taken = await run("two", "queue", "import", stick, "--json");
    assert.equal(taken.code, 0, taken.stderr);
    const { bytes: takenBytes, ...counts } = JSON.parse(taken.stdout) as Record<string, unknown>;
    assert.deepEqual(counts, { moved: 3, alreadyThere: 0, skipped: 0, unwanted: 0, dropped: 0 });
    assert.ok(Number(takenBytes) > 6_000);
    for (const ran of [inside, foreign, none, wrong, broken]) assertNoStack(ran);
  });

  it("say so where there is nothing to move, or no such target", async () => {
    await fill("empty", 0, "archive");
    const stick = join(folder, "bare");
    for (const words of [["export", stick], ["ls"], ["sent"]]) {
      const nobody = await run("empty", "queue", ...words, "--target", "nix");
      assert.deepEqual([nobody.code, nobody.stdout], [2, ""]);
      assert.match(nobody.stderr, /no target nix; there is archive/);
    }
    await assert.rejects(readdir(stick), { code: "ENOENT" });
    const out = await run("empty", "queue", "export", stick);
    assert.deepEqual([out.code, out.stdout], [0, "nothing to export; 0 records left in the spool\n"]);
    const back = await run("empty", "queue", "import", stick);
    assert.deepEqual([back.code, back.stdout], [0, `nothing to import: no records in ${stick}\n`]);
  });

  it("work beside the running daemon, which then sends what came in", async () => {
    // Owed to a target that no daemon here has, so that they stay.
    await fill("three", 70, "elsewhere");
    const sticks = [join(folder, "second"), join(folder, "third")];
    await using daemon = new AgentProcess(["run", "-c", config, "--data", data("three")]);
    await daemon.untilLogged("started");
    const both = await Promise.all(sticks.map(async (to) => await run("three", "queue", "export", to, "--json")));
    const first = both.findIndex(({ code }) => code === 0);
    const [out, stick = ""] = [both[first], sticks[first]];
    assert.deepEqual(both.map(({ code }) => code).sort(), [0, 75], "one at a time, whichever comes first");
    assert.equal((JSON.parse(out?.stdout ?? "") as { moved: number }).moved, 70);
    const refused = await run("three", "queue", "import", stick);
    assert.equal(refused.code, 2);
    assert.match(refused.stderr, /owed to elsewhere, and the config has archive/);
    const [damaged = ""] = await idsIn(stick);
    await writeFile(join(stick, "records", `${damaged}.jpg`), "cut");
    const back = await run("three", "queue", "import", stick, "--as", "elsewhere=archive", "--json");
    assert.equal(back.code, 1, back.stderr);
    assert.match(back.stderr, new RegExp(`^${damaged}: .*left where it is`, "m"));
    const { moved, skipped } = JSON.parse(back.stdout) as { moved: number; skipped: number };
    assert.deepEqual([moved, skipped], [69, 1]);
    const sent = async () => {
      const names = await readdir(join(folder, "archive"), { recursive: true }).catch(() => []);
      return names.filter((name) => name.endsWith(".jpg")).length;
    };
    await daemon.until("everything arrives", async () => (await sent()) >= 69);
    await daemon.until("everything is sent", async () => {
      const { stdout } = await run("three", "queue", "stats", "--json");
      return (JSON.parse(stdout) as { records: number }).records === 0;
    });
    assert.equal(await sent(), 69);
    await daemon.stop();
    await rm(stick, { recursive: true });
  });
});
