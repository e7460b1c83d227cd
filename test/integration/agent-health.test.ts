import assert from "node:assert/strict";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { get } from "node:https";
import { join } from "node:path";
import { text as textOf } from "node:stream/consumers";
import { after, before, describe, it } from "mocha";
import { digestOfFile } from "../../src/config/overlay-file.ts";
import { AgentProcess, writeConfig } from "../lib/agent.ts";
import { makeAuthority, makeCertificate } from "../lib/certificates.ts";
import { framepostInside } from "../lib/command-inside.ts";
import { until } from "../lib/poll.ts";
import { needsProgram } from "../lib/programs.ts";
import { unusedPort } from "../lib/servers.ts";
import { tempFolder } from "../lib/temp.ts";

interface Answer {
  readonly status: number;
  readonly text: string;
}

type Health = Readonly<Record<"state", string>> & {
  readonly version: string;
  readonly stateForMs: number;
  readonly troubles: readonly string[];
  readonly cameras: readonly { readonly id: string; readonly state: string; readonly lastError?: { code: string } }[];
  readonly targets: readonly { readonly targetId: string; readonly state: string }[];
  readonly spool?: { readonly records: number };
};

const offline = { id: "far", kind: "iotown", url: "http://127.0.0.1:1", token: "a-token" };

async function asked(url: string): Promise<Answer> {
  const response = await fetch(url);
  return { status: response.status, text: await response.text() };
}

/** Only a server whose certificate this authority has signed is believed. */
async function askedOverTls(url: string, ca: string): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const request = get(url, { ca, agent: false }, (response) => {
      textOf(response).then((text) => resolve({ status: response.statusCode ?? 0, text }), reject);
    });
    request.on("error", reject);
  });
}

describe("the health of a daemon", function () {
  this.timeout(30_000);

  it("is ready while it is offline, and served over TLS with its own certificate", async function () {
    needsProgram(this, "openssl", "openssl");
    await using folder = await tempFolder();
    const authority = await makeAuthority(folder.path, "authority");
    const tls = await makeCertificate(folder.path, "page", authority, { subjectAltName: "IP:127.0.0.1" });
    const port = await unusedPort();
    const file = await writeConfig(folder.path, {
      web: { listen: `127.0.0.1:${port}`, tls },
      cameras: [{ id: "yard", driver: "simulated", interval: "300ms", width: 640, height: 360, seed: 3 }],
      targets: [offline],
    });
    await using agent = new AgentProcess(["run", "-c", file, "--data", join(folder.path, "data")]);
    await agent.untilLogged("started", 1, 20_000);
    assert.equal(agent.logged("web.listening")[0]?.["url"], `https://127.0.0.1:${port}/`);
    const ca = await readFile(authority.cert, "utf8");
    const ask = (path: string) => askedOverTls(`https://127.0.0.1:${port}${path}`, ca);
    const health = async () => JSON.parse((await ask("/healthz")).text) as Health;

    await until(async () => (await health()).targets[0]?.state === "away", "the target is away", 15_000);
    await until(async () => (await ask("/readyz")).status === 200, "ready", 15_000);
    assert.deepEqual(JSON.parse((await ask("/readyz")).text), { ready: true, reasons: [] });
    assert.deepEqual(JSON.parse((await ask("/livez")).text), { live: true, late: [] });
    const { status, text } = await ask("/healthz");
    assert.equal(status, 200, "it has not been away for long");
    const { state, stateForMs, troubles, cameras, version, spool } = JSON.parse(text) as Health;
    assert.equal(state, "degraded");
    assert.ok(stateForMs >= 0);
    assert.match(troubles.join("; "), /^target far is away \(.+\)$/);
    assert.deepEqual(
      cameras.map((camera) => [camera.id, camera.state]),
      [["yard", "running"]],
    );
    assert.match(version, /^\d+\.\d+\.\d+/);
    assert.ok((spool?.records ?? 0) > 0);

    const other = await makeAuthority(folder.path, "other");
    await assert.rejects(askedOverTls(`https://127.0.0.1:${port}/readyz`, await readFile(other.cert, "utf8")), {
      code: /^(UNABLE_TO_VERIFY_LEAF_SIGNATURE|UNABLE_TO_GET_ISSUER_CERT_LOCALLY|SELF_SIGNED_CERT_IN_CHAIN)$/,
    });
    await assert.rejects(asked(`http://127.0.0.1:${port}/readyz`));
  });

  it("is not ready while a mask stops a camera; the metrics tell of masks, blur, the page's commands and the config", async () => {
    await using folder = await tempFolder();
    const port = await unusedPort();
    const [size, smaller] = [
      { width: 320, height: 240 },
      { width: 160, height: 120 },
    ];
    const polygons = [[[0, 0], [9, 0], [9, 9]]]; // prettier-ignore
    const config = {
      dataDir: "data",
      web: { listen: `127.0.0.1:${port}` },
      cameras: [
        { id: "yard", driver: "simulated", interval: "300ms", ...smaller, privacy: { mask: { size, polygons } } },
        { id: "gate", driver: "simulated", interval: "300ms", ...size, privacy: { mask: { size, polygons } } },
        { id: "door", driver: "simulated", interval: "300ms", ...smaller, privacy: { blur: { labels: ["giraffe"] } } },
        { id: "open", driver: "simulated", interval: "300ms", ...size, privacy: { blur: { labels: ["red"] } } },
      ],
      targets: [offline],
    };
    const file = await writeConfig(folder.path, config);
    const good = await readFile(file, "utf8");
    const kept = { file, text: good, digest: digestOfFile(good), agentVersion: "0.0.9" };
    await mkdir(join(folder.path, "data", "state"), { recursive: true });
    const books = { version: 1, state: { configs: [kept] } };
    await writeFile(join(folder.path, "data", "state", "config.good.json"), JSON.stringify(books));
    await writeConfig(folder.path, { ...config, log: { level: "loud" } });

    await using agent = new AgentProcess(["run", "-c", file]);
    await agent.untilLogged("started", 1, 20_000);
    const url = `http://127.0.0.1:${port}`;
    const unready = async () => JSON.parse((await asked(`${url}/readyz`)).text) as { readonly reasons: object };
    await until(
      async () => JSON.stringify((await unready()).reasons) === '["camera yard: blocked"]',
      "blocked",
      15_000,
    );
    assert.equal((await asked(`${url}/readyz`)).status, 503);
    const { cameras, troubles } = JSON.parse((await asked(`${url}/healthz`)).text) as Health;
    assert.equal(cameras[0]?.lastError?.code, "CAMERA_MASK_MISFIT");
    assert.match(troubles.join("; "), /the config file is refused and the last good one, of version 0\.0\.9/);
    assert.match(troubles.join("; "), /camera yard is blocked \(CAMERA_MASK_MISFIT\)/);

    const headers = { "content-type": "application/json" };
    for (const body of ["{}", '{"args":{"camera":"nowhere"}}'])
      await (await fetch(`${url}/api/commands/camera.list`, { method: "POST", headers, body })).text();
    const expected = [
      'framepost_camera_masked{camera="yard"} 0',
      'framepost_camera_masked{camera="gate"} 1',
      'framepost_camera_blurred{camera="door"} 0',
      'framepost_camera_blurred{camera="open"} 1',
      "framepost_config_last_good 1",
      'framepost_commands_total{origin="page",command="camera.list",outcome="done"} 1',
      'framepost_commands_total{origin="page",command="camera.list",outcome="refused"} 1',
    ];
    const missing = async () => {
      const lines = (await asked(`${url}/metrics`)).text.split("\n");
      return expected.filter((line) => !lines.includes(line));
    };
    await until(async () => (await missing()).length === 0, `metrics like ${expected.join(", ")}`, 15_000).catch(
      async () => assert.deepEqual(await missing(), []),
    );
    const names = (await asked(`${url}/metrics`)).text.match(/camera_(masked|blurred)\{/g);
    assert.equal(names?.length, 4, "nothing of cameras without");
  });
});

describe("a page's certificate that cannot be used", function () {
  this.timeout(30_000);
  let folder: Awaited<ReturnType<typeof tempFolder>>;

  before(async function () {
    needsProgram(this, "openssl", "openssl");
    folder = await tempFolder();
    const authority = await makeAuthority(folder.path, "authority");
    await makeCertificate(folder.path, "page", authority, { subjectAltName: "IP:127.0.0.1" });
  });

  after(() => folder[Symbol.asyncDispose]());

  for (const [what, damage, said] of [
    ["is no certificate", { cert: "page.key" }, /web\.tls: .*page\.key holds no certificate in PEM form/],
    ["has another key", { key: "authority.key" }, /web\.tls: the key in .*authority\.key does not belong to/],
    ["is not there", { cert: "gone.pem" }, /web\.tls: .*gone\.pem cannot be read \(ENOENT\)/],
  ] as const) {
    it(`is refused by config check where it ${what}, and does not keep the daemon from running`, async () => {
      const file = await writeConfig(folder.path, {
        cameras: [{ id: "yard", driver: "simulated" }],
        web: { tls: { cert: "page.pem", key: "page.key", ...damage } },
      });
      const { code, stdout } = await framepostInside(["config", "check", "-c", file]);
      assert.equal(code, 78);
      assert.match(stdout, said);
      assert.match(stdout, new RegExp(`^${file}:\\d+:\\d+: `));
      if (what !== "has another key") return;
      await using agent = new AgentProcess(["run", "-c", file, "--data", join(folder.path, "data")]);
      await agent.untilLogged("started", 1, 20_000);
      assert.equal(agent.logged("web.unavailable")[0]?.["code"], "TLS_CONFIG");
    });
  }
});
