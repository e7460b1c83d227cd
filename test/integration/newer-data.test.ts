import assert from "node:assert/strict";
import { readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { after, describe, it } from "mocha";
import { systemProblem } from "../../agent/system.ts";
import { AgentProcess, writeConfig } from "../lib/agent.ts";
import { MadeOnce } from "../lib/made-once.ts";

interface Device {
  readonly file: string;
  readonly data: string;
  readonly out: string;
}

async function device(folder: string): Promise<Device> {
  const out = join(folder, "out");
  const wants = { includeEmpty: true, includeUnlabelled: true };
  const size = { width: 160, height: 120 };
  const file = await writeConfig(folder, {
    dataDir: "data",
    cameras: [{ id: "scene", driver: "simulated", interval: "200ms", keep: { negativesEvery: 1 }, ...size }],
    targets: [{ id: "out", kind: "folder", path: out, ...wants }],
    web: { enabled: false },
  });
  return { file, data: join(folder, "data"), out };
}

async function pictures(folder: string): Promise<number> {
  const names = await readdir(folder, { recursive: true }).catch(() => []);
  return names.filter((name) => name.endsWith(".jpg")).length;
}

/** Until so many pictures more were delivered. */
async function runs({ file, out }: Device, check: (agent: AgentProcess) => void = () => undefined): Promise<void> {
  const before = await pictures(out);
  await using agent = new AgentProcess(["run", "-c", file]);
  await agent.until("pictures are delivered", async () => (await pictures(out)) >= before + 2, 30_000);
  check(agent);
  await agent.stop();
}

/** The content of every state file, as a version to come would have written it. */
async function raisedState(folder: string): Promise<ReadonlyMap<string, string>> {
  const raised = new Map<string, string>();
  for (const name of await readdir(folder, { recursive: true })) {
    if (!/\.json$/.test(name)) continue;
    const path = join(folder, name);
    const { version, state } = JSON.parse(await readFile(path, "utf8")) as { version: number; state: object };
    const text = JSON.stringify({ version: version + 1, state: { ...state, onlyThere: "x".repeat(100) } });
    await writeFile(path, text);
    raised.set(path, text);
  }
  return raised;
}

describe("data of a newer version", () => {
  const used = new MadeOnce(async (folder) => runs(await device(folder)));
  after(async () => used[Symbol.asyncDispose]());

  it("is left as it is, and the agent runs beside it under its own name", async function () {
    this.timeout(90_000);
    await using folder = await used.copy();
    const made = await device(folder.path);
    const state = join(made.data, "state");
    const raised = await raisedState(state);
    assert.ok(raised.size >= 2, [...raised.keys()].join(" "));
    const identity = /"deviceId":"([^"]+)"/.exec(raised.get(join(state, "device.json")) ?? "")?.[1];
    const spool = join(made.data, "spool");
    const envelopes = await pictures(join(spool, "data"));
    await writeFile(join(spool, "VERSION"), "2\n");
    const spoolBefore = await readdir(spool, { recursive: true });

    await runs(made, (agent) => {
      assert.equal(agent.logged("started")[0]?.["device"], identity);
      assert.equal(agent.logged("spool.newer_format")[0]?.["format"], 2);
    });
    for (const [path, text] of raised) assert.equal(await readFile(path, "utf8"), text, path);
    assert.deepEqual(await readdir(spool, { recursive: true }), spoolBefore);
    assert.equal(await pictures(join(spool, "data")), envelopes);
    assert.equal((await readFile(join(made.data, "spool.v1", "VERSION"), "utf8")).trim(), "1");
    assert.ok((await readdir(state)).includes("device.v1.json"));
  });

  it("has an index that is made anew, and nothing is lost with it", async function () {
    this.timeout(90_000);
    await using folder = await used.copy();
    const made = await device(folder.path);
    // What is no index of a known format, as far as this version can tell.
    await writeFile(join(made.data, "spool", "index.db"), "an index to come");
    await runs(made);
    assert.ok((await readdir(join(made.data, "spool"))).includes("index.db.bad"));
  });
});

describe("a system without builds", () => {
  it("is refused in one sentence, 64-bit ones are not", () => {
    for (const architecture of ["x64", "arm64"]) assert.equal(systemProblem(architecture), undefined);
    assert.match(systemProblem("arm") ?? "", /64-bit system.*32 bits \(arm\).*Raspberry Pi 3/);
    assert.match(systemProblem("ia32") ?? "", /32 bits \(ia32\)$/);
    assert.match(systemProblem("riscv64") ?? "", /no builds for this processor \(riscv64\)/);
  });
});
