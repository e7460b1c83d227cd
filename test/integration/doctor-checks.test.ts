import assert from "node:assert/strict";
import { chmod, mkdir, readFile, stat, symlink, writeFile } from "node:fs/promises";
import type { AddressInfo } from "node:net";
import { once } from "node:events";
import { dirname, join } from "node:path";
import { createServer } from "node:tls";
import { afterEach, beforeEach, describe, it } from "mocha";
import { cameraLook } from "../../agent/camera-look.ts";
import { type CheckedCamera, checkCamera } from "../../agent/checks/camera.ts";
import { clockCheck } from "../../agent/checks/clock.ts";
import { diskCheck } from "../../agent/checks/disk.ts";
import { nativeChecks } from "../../agent/checks/native.ts";
import { networkChecks, type NetworkLimits } from "../../agent/checks/network.ts";
import type { CheckResult } from "../../agent/checks/result.ts";
import { secretFileChecks } from "../../agent/checks/secret-files.ts";
import { spoolCheck } from "../../agent/checks/spool.ts";
import { awayCheck, unitCheck } from "../../agent/checks/unit.ts";
import { webCheck } from "../../agent/checks/web.ts";
import { wearCheck } from "../../agent/checks/wear.ts";
import { configSchema } from "../../agent/config-schema.ts";
import { openSpool } from "../../agent/open-spool.ts";
import { AgentError } from "../../src/core/errors.ts";
import type { CameraLook } from "../../src/core/queue.ts";
import { digestOfFile } from "../../src/config/overlay-file.ts";
import { makeAuthority, makeCertificate } from "../lib/certificates.ts";
import { FakeClockSigns } from "../lib/clock-signs.ts";
import { framepostInside } from "../lib/command-inside.ts";
import { commandContext } from "../lib/command-context.ts";
import { draftOf, imageOf } from "../lib/drafts.ts";
import { RecordingLogger, SimulatedClock } from "../lib/seams.ts";
import { tempFolder } from "../lib/temp.ts";

const day = 24 * 60 * 60_000;

/** As doctor prints it; what is wrong always says how to mend it. */
function textOf(results: CheckResult | readonly CheckResult[] | undefined): string {
  const all = results === undefined ? [] : [results].flat();
  for (const { result, mend } of all) assert.ok(result === "ok" || (mend ?? "") !== "", JSON.stringify(all));
  return all
    .map(({ check, result, found, mend }) => `${result} ${check}: ${found}${mend === undefined ? "" : ` | ${mend}`}`)
    .join("\n");
}

describe("doctor's check of", () => {
  let folder = "";
  let disposable: AsyncDisposable;

  beforeEach(async () => {
    const temp = await tempFolder();
    [folder, disposable] = [temp.path, temp];
  });

  afterEach(() => disposable[Symbol.asyncDispose]());

  const file = async (path: string, text: string, mode = 0o600): Promise<string> => {
    const whole = join(folder, path);
    await mkdir(dirname(whole), { recursive: true });
    await writeFile(whole, text);
    await chmod(whole, mode);
    return whole;
  };

  it("native modules names those that are there, and tells a crash from what is missing or broken", async () => {
    const module = async (name: string, code: string) => {
      await file(`node_modules/${name}/package.json`, JSON.stringify({ name, version: "1.2.3", main: "index.js" }));
      await file(`node_modules/${name}/index.js`, code);
    };
    await module("good", "module.exports = 1;");
    await module("broken", 'throw new Error("libvips.so.42: cannot open shared object file");');
    await module("crashing", 'process.kill(process.pid, "SIGILL"); for (;;);');
    const text = textOf(await nativeChecks(commandContext(), ["good", "broken", "crashing", "absent"], folder));
    assert.match(text, /^ok modules: good 1\.2\.3$/m);
    assert.match(text, /^failed module broken: it cannot be loaded: Error: libvips\.so\.42: .* \| cd .* && npm ci/m);
    assert.match(text, /^failed module crashing: its process ended with SIGILL .*: this processor lacks/m);
    assert.match(text, /^failed module absent: it cannot be loaded: Error.*Cannot find package/m);
  });

  it("native modules loads those of this installation", async () => {
    assert.match(
      textOf(await nativeChecks(commandContext())),
      /^ok modules: sharp \S+, onnxruntime-node \S+, libsql \S+$/,
    );
  });

  it("the clock asks whether a time source has set it", async () => {
    const signs = new FakeClockSigns();
    const at = async (ms: number) =>
      textOf(await clockCheck({ ...commandContext(), clock: new SimulatedClock(ms) }, signs));
    const now = Date.UTC(2026, 10, 22);
    assert.match(await at(now), /^ok clock: 2026-11-22T.*nothing on this machine tells/);
    signs.answer = "unsynchronised";
    assert.match(await at(now), /^warning clock: .*no time source has set it.* \| sudo timedatectl set-ntp true/);
    signs.markedMs = now;
    assert.match(await at(now), /^ok clock: .*set by a time source$/);
    assert.match(await at(60_000), /^failed clock: it was never set: it says 1970-.* \| sudo timedatectl/);
  });

  it("the disk writes, flushes, and looks whether enough is free", async () => {
    const settings = (minFreeBytes: number) => {
      const config = configSchema.parse({ cameras: [{ id: "a", driver: "simulated" }] });
      return { dataFolder: folder, config: { ...config, spool: { ...config.spool, minFreeBytes } } };
    };
    assert.match(textOf(await diskCheck(settings(1))), /^ok disk: .* MB free, 100 KB written and flushed in \d+ ms$/);
    assert.match(textOf(await diskCheck(settings(1e18))), /^failed disk: .* \| see what takes it: sudo du /);
  });

  it("wear reads what the disk and the daemon have written since they started", async () => {
    const { dev } = await stat(folder);
    const node = `${Math.floor(dev / 256) % 4096}:${(dev % 256) + Math.floor(dev / 2 ** 20) * 256}`;
    const sectors = (30 * 1024 ** 3) / 512;
    const stats = (written: number) => `  100 0 800 5 200 0 ${written} 9 0 1 2\n`;
    const card = join(folder, "sys/devices/mmcblk0");
    await file("sys/devices/mmcblk0/stat", stats(sectors));
    await file("sys/devices/mmcblk0/mmcblk0p2/partition", "2\n");
    await file("sys/devices/mmcblk0/mmcblk0p2/stat", stats(1));
    await mkdir(join(folder, "sys/dev/block"), { recursive: true });
    await symlink(join(card, "mmcblk0p2"), join(folder, "sys/dev/block", node));
    await file("proc/42/io", `rchar: 1\nwrite_bytes: ${1024 ** 3}\ncancelled_write_bytes: 0\n`);
    await file(
      "proc/42/stat",
      `42 (node (x) y) S ${Array.from({ length: 18 }, () => "0").join(" ")} ${(day / 2 / 10).toFixed(0)} 0`,
    );
    const at = async (upMs: number, pid?: number) =>
      textOf(await wearCheck(folder, pid, { proc: join(folder, "proc"), sys: join(folder, "sys"), upMs }));
    assert.match(
      await at(day, 42),
      /^warning disk wear: 30\.0 GB a day are written to mmcblk0, 2\.0 GB of it by the daemon, which wears out a card .* \| see who writes/,
    );
    assert.match(await at(2 * day), /^ok disk wear: 15\.0 GB a day are written to mmcblk0$/);
    assert.equal(await at(60_000), "", "too soon to say");
    assert.equal(textOf(await wearCheck(folder, 42, { proc: "/none", sys: "/none", upMs: day })), "", "no such disk");
  });

  it("the spool opens it with the key of the config", async () => {
    const context = commandContext();
    const log = new RecordingLogger();
    const settings = (spool: object) => ({
      ...{
        config: configSchema.parse({ cameras: [{ id: "a", driver: "simulated" }], spool }),
        dataFolder: folder,
        log,
      },
    });
    const key = "ab".repeat(32);
    const { spool } = await openSpool(settings({ encryption: { key } }).config, folder, {
      clock: context.clock,
      random: Math.random,
      log,
    });
    await spool.start(context.signal);
    await spool.append(draftOf(), imageOf(2_000), ["a"]);
    const locked = textOf(await spoolCheck(context, settings({ encryption: { key } }), undefined));
    await spool.stop();
    assert.match(locked, /^warning spool: another command has it just now \| /);
    const right = textOf(await spoolCheck(context, settings({ encryption: { key } }), undefined));
    assert.match(right, /^ok spool: 1 record, .*; 1 encrypted, and the key is the right one$/);
    const wrong = textOf(await spoolCheck(context, settings({ encryption: { key: "cd".repeat(32) } }), undefined));
    assert.match(wrong, /^failed spool: .*\(SPOOL_KEY_WRONG\) \| /);
    assert.match(
      textOf(await spoolCheck(context, settings({}), undefined)),
      /^failed spool: .*\(SPOOL_KEY_MISSING\) \| /,
    );
  });

  it("the config goes on with the last good one where the file is refused", async () => {
    const good = `cameras: [{ id: front, driver: simulated, width: 160, height: 120, interval: 5s }]\n`;
    const config = await file("framepost.yaml", good.replace("5s", "soon"));
    const kept = { file: config, text: good, digest: digestOfFile(good), agentVersion: "0.0.9" };
    await file("data/state/config.good.json", JSON.stringify({ version: 1, state: { configs: [kept] } }));
    await chmod(join(folder, "data"), 0o700);
    const ran = await framepostInside(["doctor", "-c", config, "--data", join(folder, "data")]);
    assert.match(
      ran.stdout,
      /^warning {2}config: the last good one, of version 0\.0\.9, is in force: 1 camera, 0 targets/m,
    );
    assert.match(ran.stdout, /^ok {7}camera front: a frame of 160×120/m);
    assert.match(
      ran.stdout,
      /^FAILED {3}config: .*framepost\.yaml:1:\d+: cameras\.0\.interval: .*\n {9}mend: mend this line/m,
    );
    assert.equal(ran.code, 1);
  });

  it("secrets finds a config with passwords, credentials and data that others can read", async () => {
    const config = await file("framepost.yaml", "x", 0o644);
    const data = join(folder, "data");
    await mkdir(data, { mode: 0o755 });
    await chmod(data, 0o755);
    const credentials = dirname(await file("credentials/token", "x", 0o644));
    await chmod(credentials, 0o750);
    const warnings = [`${config}:1:1: targets.0.token: a secret in plain text; better \${credential:name}`];
    const key = await file("web.key", "x", 0o644);
    const web = { ...configOf([]).web, tls: { cert: join(folder, "web.pem"), key } };
    const at = { file: config, dataFolder: data, config: { ...configOf([]), web } };
    const text = textOf(await secretFileChecks({ ...at, warnings }, credentials));
    assert.match(
      text,
      new RegExp(`^failed secrets: ${config}: it holds passwords, .* \\| sudo chmod o-rwx ${config}$`, "m"),
    );
    assert.match(text, new RegExp(`^failed secrets: ${data}: .* \\| sudo chmod 0700 ${data}$`, "m"));
    assert.match(text, new RegExp(`^failed secrets: ${credentials}/token: .* \\| sudo chmod o-rwx`, "m"));
    assert.match(text, new RegExp(`^failed secrets: ${key}: a private key, .* \\| sudo chmod o-rwx ${key}$`, "m"));
    assert.equal(text.split("\n").length, 4);
    await chmod(data, 0o700);
    await chmod(key, 0o640);
    await chmod(join(credentials, "token"), 0o640);
    assert.match(textOf(await secretFileChecks({ ...at, warnings: [] }, credentials)), /^ok secrets: no other user/);
    assert.match(textOf(await secretFileChecks({ ...at, warnings: [] }, "/nowhere")), /^ok secrets/);
  });

  it("the service looks whether the unit is there, of this version and enabled", async () => {
    const shipped = await file("package/framepost.service", "[Service]\n# why\nRestart=always\nExecStart=/a\n");
    const look = async (config = "/etc/framepost/framepost.yaml") =>
      textOf(await unitCheck(config, { root: join(folder, "root"), shipped: ["/nowhere", shipped] }));
    assert.match(await look(), /^ok service: systemd does not run this machine/);
    await mkdir(join(folder, "root/run/systemd/system"), { recursive: true });
    assert.match(
      await look(),
      /^failed service: no framepost\.service is installed.* \| sudo framepost service install$/,
    );
    const away = async (config = "/etc/framepost/framepost.yaml") =>
      textOf(await awayCheck(config, join(folder, "root")));
    assert.match(await look("/home/me/framepost.yaml"), /^ok service: no framepost\.service is installed/);
    const unit = await file("root/usr/lib/systemd/system/framepost.service", "[Service]\nRestart=no\n");
    assert.match(await look(), /^failed service: .* not enabled.* \| sudo systemctl enable --now framepost$/);
    const wants = join(folder, "root/etc/systemd/system/multi-user.target.wants");
    await mkdir(wants, { recursive: true });
    assert.equal(await away(), "", "nobody said that it should run");
    await symlink(unit, join(wants, "framepost.service"));
    assert.match(
      await away(),
      /^warning daemon: .* it does not run \| systemctl status .*; then: sudo systemctl start/,
    );
    assert.equal(await away("/home/me/framepost.yaml"), "");
    assert.match(await look(), /^warning service: .* is not the unit of this version \| compare: diff /);
    await writeFile(unit, (await readFile(shipped, "utf8")).replace("ExecStart=/a", "ExecStart=/b\n"));
    assert.match(await look(), /^ok service: .* is installed and enabled$/);
  });

  const limits = (resolve: NetworkLimits["resolve"], lookupTimeoutMs = 5_000): NetworkLimits => ({
    resolve,
    lookupTimeoutMs,
  });
  const iotown = (id: string, url: string, more: object = {}) => ({
    id,
    kind: "iotown",
    url,
    token: "abcdefgh",
    ...more,
  });
  const configOf = (targets: readonly object[], remote?: object) =>
    configSchema.parse({
      cameras: [{ id: "a", driver: "simulated" }],
      targets,
      ...(remote === undefined ? {} : { remote }),
    });

  it("a camera that the daemon has open says how that finds it", async () => {
    const busy = new AgentError("CAMERA_BUSY", "it is busy", { disposition: "retry" });
    const health = { id: "a", driver: "webcam", framesCaptured: 0, framesSkipped: 0, restarts: 0 } as const;
    const camera = {
      ...{ id: "a", pace: "newest", start: async () => undefined, stop: async () => undefined },
      ...{ nextFrame: async () => Promise.reject(busy), health: () => ({ ...health, state: "backoff" }) },
    };
    const [config] = configOf([]).cameras;
    const lastError = { code: "CAMERA_STALLED", message: "no picture for 30 s", atMs: 1 };
    const on = async (looks?: readonly CameraLook[]) => {
      const checked = { camera, config, attached: [], programs: {}, vision: {}, daemonsLooks: looks };
      return textOf(await checkCamera(commandContext(), checked as unknown as CheckedCamera));
    };
    assert.match(await on([cameraLook({ ...health, state: "running" })]), /^ok camera a: .* has it open: running$/);
    assert.match(
      await on([cameraLook({ ...health, state: "backoff", lastError })]),
      /^failed camera a: .* has it open: backoff: no picture for 30 s \(CAMERA_STALLED\) \| /,
    );
    assert.match(await on([]), /^warning camera a: .*does not tell how it is \| framepost doctor, while/);
    assert.match(await on(), /^failed camera a: it is busy \(CAMERA_BUSY\) \| stop the program/, "of somebody else");
  });

  it("names asks for each once, and says who needs those that are not known", async () => {
    const asked: string[] = [];
    const resolve = async (host: string): Promise<unknown> => {
      asked.push(host);
      if (host === "hangs.example") return new Promise(() => undefined);
      if (host === "good.example") return [];
      throw Object.assign(new Error("no"), { code: host === "unknown.example" ? "ENOTFOUND" : "EAI_AGAIN" });
    };
    const config = configOf(
      [
        ...[iotown("one", "http://good.example"), iotown("two", "http://unknown.example:8888")],
        ...[iotown("three", "http://hangs.example"), iotown("four", "http://127.0.0.1:1")],
        iotown("five", "http://behind.example", { proxy: "http://good.example:3128" }),
        { id: "six", kind: "mqtt", url: "mqtt://nameless.example" },
      ],
      { url: "mqtt://unknown.example", username: "x", password: "y" },
    );
    const text = textOf(await networkChecks(commandContext(), config, limits(resolve, 50)));
    assert.match(text, /^ok names: good\.example in \d+ ms$/m);
    assert.match(
      text,
      /^failed name unknown\.example: no such name is known; needed by target two, remote \(NET_DNS\) \| .*getent hosts unknown\.example/m,
    );
    assert.match(text, /^failed name hangs\.example: no answer in time/m);
    assert.match(text, /^failed name nameless\.example: no name server answers \(EAI_AGAIN\)/m);
    assert.deepEqual(asked.toSorted(), ["good.example", "hangs.example", "nameless.example", "unknown.example"]);
  });

  it("the page's certificate says what keeps it from being served, and how long it is good for", async () => {
    const authority = await makeAuthority(folder, "ca");
    const { cert, key } = await makeCertificate(folder, "page", authority, { subjectAltName: "DNS:page" });
    const other = await makeCertificate(folder, "other", authority, { subjectAltName: "DNS:other" });
    const { web } = configOf([]);
    const at = (ms: number, tls?: { cert: string; key: string }) =>
      webCheck({ clock: new SimulatedClock(ms) }, tls === undefined ? web : { ...web, tls });
    assert.equal(await at(Date.now()), undefined, "without one there is nothing to say");
    assert.match(
      textOf(await at(Date.now() - 30 * day, { cert, key })),
      /^ok certificate of web: CN=page is good for 31/,
    );
    assert.match(textOf(await at(Date.now(), { cert, key })), /^warning certificate of web: .* \| .*reload framepost$/);
    assert.match(textOf(await at(Date.now() + 12 * day, { cert, key })), /^failed certificate of web: .*TLS_EXPIRED/);
    for (const tls of [
      { cert, key: other.key },
      { cert: join(folder, "gone.pem"), key },
    ]) {
      assert.match(textOf(await at(Date.now(), tls)), /^failed web: the page is not served: .*\(TLS_CONFIG\) \| put a/);
    }
  });

  it("certificates says how many days they are good for: the server's, the authority's, our own", async () => {
    const authority = await makeAuthority(folder, "ca");
    const { cert, key } = await makeCertificate(folder, "server", authority, { subjectAltName: "IP:127.0.0.1" });
    const server = createServer({ cert: await readFile(cert), key: await readFile(key) });
    server.on("tlsClientError", () => undefined);
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    const { port } = server.address() as AddressInfo;
    try {
      const config = configOf([
        iotown("one", `https://127.0.0.1:${port}`, { tls: { ca: authority.cert, cert, key } }),
        iotown("two", "https://127.0.0.1:1"),
      ]);
      // Theirs end two days from now.
      const on = async (ms: number) =>
        textOf(
          await networkChecks(
            { ...commandContext(), clock: new SimulatedClock(ms) },
            config,
            limits(() => Promise.resolve([])),
          ),
        );
      const good = await on(Date.now() - 30 * day);
      assert.match(good, new RegExp(`^ok certificate of 127\\.0\\.0\\.1:${port}: server is good for 31 days$`, "m"));
      assert.equal(good.split("\n").length, 3, "nothing of the server that is away");
      const soon = await on(Date.now());
      assert.match(soon, /^warning certificate of .*: server is good for 1 days \| renew it at the server/m);
      assert.match(soon, /^warning client certificate of target one: CN=server is good for 1 days \| have it renewed/m);
      assert.match(soon, /^warning authority of target one: CN=ca is good for 1 days \| put the authority's/m);
      assert.match(
        await on(Date.now() + 12 * day),
        /^failed certificate of .*: server ended 10 days ago \(TLS_EXPIRED\) \| renew/m,
      );
      assert.equal(await on(0), "", "in 1970 nothing follows");
    } finally {
      server.close();
    }
  });
});
