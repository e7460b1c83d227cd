import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { readdir, stat } from "node:fs/promises";
import { join } from "node:path";
import { before, describe, it } from "mocha";
import { SystemClock } from "../../src/core/clock.ts";
import { HttpStream } from "../../src/link/http-stream.ts";
import { ModelDownloads } from "../../src/models/download.ts";
import { partsIn } from "../../src/models/part.ts";
import { framepost, program } from "../lib/command.ts";
import { modelServer, sha256Of } from "../lib/model-server.ts";
import { until } from "../lib/poll.ts";
import { RecordingLogger } from "../lib/seams.ts";
import { fillUp, mountSmallDisk, needsSmallDisk, unmount } from "../lib/small-disk.ts";
import { tempFolder } from "../lib/temp.ts";

describe("a download of a model", () => {
  it("that is killed goes on at the next command, and nothing of the first is left", async function () {
    this.timeout(20_000);
    await using temp = await tempFolder();
    const content = randomBytes(3_000_000);
    await using server = await modelServer(content);
    server.faults.push({ kind: "silent", afterBytes: 2_500_000 });
    const data = join(temp.path, "data");
    const models = join(data, "models");
    const words = ["--data", data, "models", "add", server.url, "--force", "--as", "big@1"];
    const first = spawn(process.execPath, [program, ...words], { stdio: "ignore" });
    const ended = once(first, "close");
    await until(async () => (await partsIn(models)).some(({ bytes }) => bytes >= 1_048_576), "a flushed part", 15_000);
    assert.equal((await partsIn(models))[0]?.state, "under way");
    first.kill("SIGKILL");
    await ended;
    const [left] = await partsIn(models);
    assert.deepEqual({ state: left?.state, shown: left?.shown }, { state: "cut", shown: server.url });
    const again = await framepost(words);
    assert.equal(again.code, 0, again.stderr);
    assert.match(again.stdout, new RegExp(sha256Of(content)));
    assert.match(server.requests[1]?.range ?? "", /^bytes=[1-9]\d{6}-$/);
    assert.deepEqual(await readdir(models), ["big"]);
  });
});

describe("a download of a model to a disk that another program fills", () => {
  before(async function () {
    await needsSmallDisk(this);
  });

  it("ends, and gives back what it took", async () => {
    await using temp = await tempFolder();
    mountSmallDisk(temp.path, 8);
    try {
      await using server = await modelServer(randomBytes(5_000_000));
      const http = new HttpStream();
      const seams = { clock: new SystemClock(), random: Math.random, log: new RecordingLogger() };
      const downloads = new ModelDownloads({ folder: join(temp.path, "models"), http }, seams);
      let filled: Promise<AsyncDisposable> | undefined;
      const options = {
        signal: new AbortController().signal,
        freeBytesMin: 0,
        // The bytes that come meanwhile find no room.
        onProgress: () => void (filled ??= fillUp(join(temp.path, "other"))),
      };
      const into = join(temp.path, "model.onnx");
      await assert.rejects(downloads.fetch({ url: server.url, bytesMax: 10_000_000 }, into, options), {
        code: "MODEL_NO_ROOM",
      });
      await filled;
      await assert.rejects(stat(into), { code: "ENOENT" });
      assert.deepEqual(await readdir(join(temp.path, "models")), []);
      http.close();
    } finally {
      unmount(temp.path);
    }
  });
});
