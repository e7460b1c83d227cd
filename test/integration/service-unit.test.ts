import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { needsProgram } from "../lib/programs.ts";
import { repositoryFolder } from "../lib/shared.ts";
import { tempFolder } from "../lib/temp.ts";

const unit = join(repositoryFolder, "systemd", "framepost.service");
/** What systemd 252 does not know yet, and ignores. */
const newer = /Unknown key '(OpenFile|RestartSteps|RestartMaxDelaySec)' in section \[Service\], ignoring\.$/;

describe("the unit file", () => {
  before(function () {
    needsProgram(this, "systemd-analyze", "systemd");
  });

  it("is clean", async () => {
    await using folder = await tempFolder();
    const copy = join(folder.path, "framepost.service");
    // The program need not be installed here.
    await writeFile(copy, (await readFile(unit, "utf8")).replace("/usr/bin/framepost", process.execPath));
    const { status, stderr } = spawnSync("systemd-analyze", ["verify", "--man=no", copy], { encoding: "utf8" });
    const said = stderr.split("\n").filter((line) => line.includes("framepost") && !newer.test(line));
    assert.deepEqual(said, []);
    assert.equal(status, 0);
  });

  it("exposes no more than 2.0", () => {
    const words = ["security", "--offline=true", "--no-pager", "--threshold=20", unit];
    const { status, stdout } = spawnSync("systemd-analyze", words, { encoding: "utf8" });
    assert.equal(status, 0, stdout.trim().split("\n").at(-1));
  });

  it("gives the stop more time than the agent takes at most", async () => {
    const seconds = /^TimeoutStopSec=(\d+)s$/m.exec(await readFile(unit, "utf8"))?.[1];
    // 25 s for all parts, one more for each that is left, and three until the process is ended.
    assert.ok(Number(seconds) >= 25 + 15 + 3);
  });

  it("is started again after every end but that of a config that only a person can mend", async () => {
    const text = await readFile(unit, "utf8");
    assert.match(text, /^Restart=always$/m);
    assert.match(text, /^RestartPreventExitStatus=78$/m);
    assert.match(text, /^StartLimitIntervalSec=0$/m);
    assert.match(text, /^KillMode=mixed$/m);
  });
});
