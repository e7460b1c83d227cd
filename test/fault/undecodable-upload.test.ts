import assert from "node:assert/strict";
import { mkdir, readdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, it } from "mocha";
import { AgentProcess, writeConfig } from "../lib/agent.ts";
import { numberedJpeg } from "../lib/jpegs.ts";
import { jpegOf } from "../lib/pictures.ts";
import { tempFolder } from "../lib/temp.ts";

describe("an upload that is a whole JPEG and no picture", () => {
  it("is set aside by the daemon, and the pictures around it are stored", async () => {
    await using temp = await tempFolder();
    const uploads = join(temp.path, "uploads");
    await mkdir(join(uploads, "2026-11-21"), { recursive: true });
    await writeFile(join(uploads, "a.jpg"), await jpegOf(40, 320, 240));
    await writeFile(join(uploads, "2026-11-21", "b.jpg"), numberedJpeg(1));
    await writeFile(join(uploads, "c.jpg"), await jpegOf(90, 320, 240));
    const config = await writeConfig(temp.path, {
      device: { name: "test" },
      cameras: [{ id: "yard", driver: "folder", path: uploads, recursive: true, keep: { negativesEvery: 1 } }],
      targets: [{ id: "set", kind: "folder", path: join(temp.path, "set"), includeEmpty: true }],
    });
    await using agent = new AgentProcess([
      ...["run", "-c", config, "--data", join(temp.path, "data"), "--log-level", "debug"],
    ]);
    await agent.until("two are stored", () => agent.logged("record.stored").length === 2, 20_000);
    await agent.until("one is set aside", async () => (await readdir(join(uploads, "rejected"))).length === 1);
    assert.match((await readdir(join(uploads, "rejected"))).join(), /^\d+-2026-11-21_b\.jpg$/);
    const [bad] = agent.logged("camera.bad_image");
    assert.deepEqual([bad?.["camera"], bad?.["file"]], ["yard", "2026-11-21/b.jpg"]);
    await agent.stop();
    assert.deepEqual((await readdir(uploads)).sort(), [".framepost-claimed", "2026-11-21", "rejected"]);
  }).timeout(30_000);
});
