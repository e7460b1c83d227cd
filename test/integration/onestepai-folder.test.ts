import assert from "node:assert/strict";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterEach, beforeEach, describe, it } from "mocha";
import { readPicture } from "../../agent/files.ts";
import { uploadFolder } from "../../agent/platforms/onestepai/folder.ts";
import { SystemClock } from "../../src/core/clock.ts";
import { HttpLink } from "../../src/link/http.ts";
import { onestepaiFaults } from "../../src/sandbox/onestepai/faults.ts";
import { OnestepaiSandbox, sandboxDatasetId } from "../../src/sandbox/onestepai/server.ts";
import { OnestepaiClient } from "../../src/targets/onestepai/client.ts";
import { commandLine } from "../lib/platform-cases.ts";
import { sampleJpeg } from "../lib/records.ts";
import { RecordingLogger } from "../lib/seams.ts";
import { tempFolder } from "../lib/temp.ts";

const accessToken = "onestepai-folder-canary";
const chunk = /\/UploadChunk$/;

describe("framepost platform onestepai upload-folder", () => {
  let sandbox: OnestepaiSandbox;
  let environment: Record<string, string>;
  let temp: Awaited<ReturnType<typeof tempFolder>>;

  beforeEach(async () => {
    temp = await tempFolder();
    sandbox = new OnestepaiSandbox({ accessToken });
    const { url } = await sandbox.start();
    environment = { FRAMEPOST_ONESTEPAI_URL: url, FRAMEPOST_ONESTEPAI_ACCESS_TOKEN: accessToken };
    for (const [at, folder] of ["cats", "dogs"].entries()) {
      await mkdir(join(temp.path, folder));
      for (let image = 1; image <= 3; image += 1) {
        await writeFile(join(temp.path, folder, `${folder}-${image}.jpg`), sampleJpeg(10 * at + image));
      }
    }
  });
  afterEach(async () => {
    await sandbox.stop();
    await temp[Symbol.asyncDispose]();
  });

  const upload = (...words: readonly string[]) =>
    commandLine(["platform", "onestepai", "upload-folder", temp.path, ...words, "--json"], environment);
  const into = ["--dataset", String(sandboxDatasetId)];
  const counts = (stdout: string) => {
    const { images, uploaded, failed, notSent, finished } = JSON.parse(stdout) as Record<string, unknown>;
    return { images, uploaded, failed, notSent, finished };
  };

  it("goes on after a picture that is refused, names it, and fails", async () => {
    await writeFile(join(temp.path, "cats", "cats-2.jpg"), "no picture");
    const { code, stdout, stderr } = await upload(...into);
    assert.equal(code, 1);
    assert.deepEqual(counts(stdout), { images: 6, uploaded: 5, failed: 1, notSent: 0, finished: true });
    assert.match(stderr, /cats-2\.jpg: .*HTTP 400.*neither a JPEG nor a PNG/);
    assert.equal(sandbox.lockOf(), undefined);
  });

  it("fails the pictures of a category that is refused, and says how to give its id", async () => {
    assert.equal((await upload(...into)).code, 0);
    const again = await upload(...into, "--category", `cats=${sandbox.categories().get("cats")}`);
    assert.equal(again.code, 1);
    assert.deepEqual(counts(again.stdout), { images: 6, uploaded: 3, failed: 3, notSent: 0, finished: true });
    assert.match(again.stderr, /the category dogs was refused; .*--category "dogs=ID"/);
    assert.deepEqual(sandbox.violations(), []);
  });

  it("gives up when everything fails, and ends the upload", async () => {
    sandbox.fault(onestepaiFaults["server-error-500"], 3, chunk);
    const { code, stdout } = await upload(...into);
    assert.equal(code, 1);
    assert.deepEqual(counts(stdout), { images: 6, uploaded: 0, failed: 3, notSent: 3, finished: true });
    assert.equal(sandbox.lockOf(), undefined);
  });

  it("ends the upload when no category can be made at all, and when the end itself fails says so", async () => {
    sandbox.fault(onestepaiFaults["server-error-500"], 1, /\/Categories$/);
    assert.equal((await upload(...into)).code, 1);
    assert.equal(sandbox.lockOf(), undefined);
    sandbox.fault(onestepaiFaults["server-error-500"], 1, /\/FinishUploading$/);
    const { code, stdout, stderr } = await upload("--create", "anew");
    assert.equal(code, 1);
    assert.deepEqual(counts(stdout), { images: 6, uploaded: 6, failed: 0, notSent: 0, finished: false });
    assert.match(stderr, /stays locked/);
  });

  it("ends the upload after Ctrl-C", async () => {
    const stop = new AbortController();
    const link = new HttpLink();
    const client = new OnestepaiClient({ url: environment["FRAMEPOST_ONESTEPAI_URL"] ?? "", accessToken }, link);
    let failed = false;
    const result = await uploadFolder({
      client,
      args: [temp.path],
      options: { dataset: String(sandboxDatasetId) },
      signal: stop.signal,
      read: readPicture,
      save: () => assert.fail("nothing is saved"),
      progress: (done) => {
        if (done === 2) stop.abort();
      },
      note: () => undefined,
      incomplete: () => (failed = true),
      line: () => undefined,
      dryRun: false,
      seams: { clock: new SystemClock(), random: Math.random, log: new RecordingLogger() },
    });
    link.close();
    assert.deepEqual(counts(JSON.stringify(result)), { images: 6, uploaded: 2, failed: 0, notSent: 4, finished: true });
    assert.ok(failed);
    assert.equal(sandbox.lockOf(), undefined);
  });

  it("shows every request in a dry run, without a secret, and sends none", async () => {
    const { code, stdout } = await upload("--create", "anew", "--dry-run");
    assert.equal(code, 0);
    assert.equal(sandbox.counts().requests, 0);
    assert.ok(!stdout.includes(accessToken));
    const { requests } = JSON.parse(stdout) as { readonly requests: readonly { method: string; url: string }[] };
    const paths = requests.map(({ url }) => decodeURIComponent(new URL(url).pathname.replace("/api", "")));
    assert.deepEqual(paths, [
      "/Users/SignIn",
      "/Datasets",
      "/Datasets/<datasetId>/StartUploading",
      ...Array<string>(2).fill("/Categories"),
      ...Array<string>(6).fill("/Images/UploadChunk"),
      "/Datasets/<datasetId>/FinishUploading",
    ]);
  });

  it("wants one of --dataset and --create, and pictures in the folder", async () => {
    assert.equal((await upload()).code, 2);
    assert.equal((await upload(...into, "--create", "x")).code, 2);
    assert.equal((await upload(...into, "--category", "x")).code, 2);
    const words = ["platform", "onestepai", "upload-folder", "/nowhere", ...into];
    assert.equal((await commandLine(words, environment)).code, 2);
    assert.equal(sandbox.counts().requests, 0);
  });
});
