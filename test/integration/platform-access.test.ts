import assert from "node:assert/strict";
import { readdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, describe, it } from "mocha";
import { IotownSandbox } from "../../src/sandbox/iotown/server.ts";
import { commandLine } from "../lib/platform-cases.ts";
import { sampleJpeg } from "../lib/records.ts";
import { tempFolder } from "../lib/temp.ts";

const token = "platform-access-canary";

describe("the access of framepost platform", () => {
  const sandbox = new IotownSandbox({ token });
  let [url, folder, picture] = ["", "", ""];
  let temp: AsyncDisposable | undefined;

  before(async () => {
    ({ url } = await sandbox.start());
    const made = await tempFolder();
    [temp, folder] = [made, made.path];
    picture = join(folder, "a.jpg");
    await writeFile(picture, sampleJpeg(1));
  });
  after(async () => {
    await sandbox.stop();
    await temp?.[Symbol.asyncDispose]();
  });

  const upload = (options: readonly string[], environment: Readonly<Record<string, string>> = {}) =>
    commandLine(["platform", "iotown", "upload-image", picture, ...options], environment);

  async function configOf(...ids: readonly string[]): Promise<string> {
    const targets = ids.map((id) => `{ id: ${id}, kind: iotown, url: "${url}", token: "\${env:TOKEN}" }`);
    const file = join(folder, `${ids.join("-")}.yaml`);
    const text = `cameras: [{ id: scene, driver: simulated }]\ntargets: [${targets.join(", ")}]\n`;
    await writeFile(file, text, { mode: 0o600 });
    return file;
  }

  it("comes from the environment", async () => {
    const run = await upload([], { FRAMEPOST_IOTOWN_URL: url, FRAMEPOST_IOTOWN_TOKEN: token });
    assert.equal(run.code, 0, run.stderr);
    assert.equal(sandbox.counts().accepted, 1);
  });

  it("comes from a config's target, also unnamed where there is one", async () => {
    const config = await configOf("town");
    const before = sandbox.counts().accepted;
    for (const options of [["--target", "town"], []]) {
      const run = await upload(["-c", config, ...options], { TOKEN: token });
      assert.equal(run.code, 0, run.stderr);
    }
    assert.equal(sandbox.counts().accepted, before + 2);
  });

  it("must be chosen where there are several, and exist", async () => {
    const config = await configOf("town", "village");
    const several = await upload(["-c", config], { TOKEN: token });
    assert.equal(several.code, 2);
    assert.match(several.stderr, /which iotown target\? --target ID; the config has town, village/);
    const wrong = await upload(["-c", config, "--target", "city"], { TOKEN: token });
    assert.match(wrong.stderr, /no iotown target city; the config has town, village/);
  });

  it("names the variables where there is neither", async () => {
    const elsewhere = process.cwd();
    process.chdir(folder);
    try {
      const run = await upload([]);
      assert.equal(run.code, 78);
      assert.match(run.stderr, /set FRAMEPOST_IOTOWN_URL, FRAMEPOST_IOTOWN_TOKEN/);
    } finally {
      process.chdir(elsewhere);
    }
  });

  it("is named by the help of a platform", async () => {
    const run = await commandLine(["platform", "remo", "--help"], {});
    assert.match(run.stdout, /FRAMEPOST_REMO_EMAIL, FRAMEPOST_REMO_PASSWORD \(and where wanted FRAMEPOST_REMO_URL/);
  });

  it("says which variable is wrong, and shows no token", async () => {
    const run = await upload([], { FRAMEPOST_IOTOWN_URL: "town.example", FRAMEPOST_IOTOWN_TOKEN: token });
    assert.equal(run.code, 78);
    assert.match(run.stderr, /FRAMEPOST_IOTOWN_URL.*expected an address/);
    assert.ok(!run.stderr.includes(token));
  });

  it("says which variable is missing", async () => {
    const run = await upload([], { FRAMEPOST_IOTOWN_URL: url });
    assert.equal(run.code, 78);
    assert.match(run.stderr, /token \(FRAMEPOST_IOTOWN_TOKEN\): missing; expected string/);
  });

  it("shows no password in the form of a request's body", async () => {
    const run = await commandLine(["platform", "remo", "login", "--dry-run"], {
      ...{ FRAMEPOST_REMO_URL: url, FRAMEPOST_REMO_EMAIL: "a@b.example" },
      FRAMEPOST_REMO_PASSWORD: "a pass!word's (canary)~",
    });
    assert.equal(run.code, 0, run.stderr);
    assert.match(run.stdout, /&password=\*\*\*\n/);
  });

  it("shows a request without secrets, and sends none, with --dry-run", async () => {
    const before = sandbox.counts().requests;
    const environment = { FRAMEPOST_IOTOWN_URL: url, FRAMEPOST_IOTOWN_TOKEN: token };
    const run = await upload(["--dry-run", "--json"], environment);
    assert.equal(run.code, 0, run.stderr);
    const { requests } = JSON.parse(run.stdout) as { requests: readonly Record<string, unknown>[] };
    assert.equal(requests.length, 1);
    assert.deepEqual(
      [requests[0]?.["method"], requests[0]?.["url"], requests[0]?.["headers"]],
      ["POST", `${url}/api/v1.0/nn/image`, { Accept: "*/*", Token: "***", "Content-Type": "application/json" }],
    );
    assert.match(JSON.stringify(requests[0]?.["body"]), /characters\)","type":"jpg","labels":\[\]/);
    assert.ok(!(run.stdout + run.stderr).includes(token));
    assert.equal(sandbox.counts().requests, before);
    assert.ok((await readdir(folder)).includes("a.jpg"));
  });
});
