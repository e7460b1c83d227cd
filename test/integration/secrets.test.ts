import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import https from "node:https";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { after, before, describe, it } from "mocha";
import { AgentProcess } from "../lib/agent.ts";
import { crashes } from "../lib/crashing.ts";
import { framepostInside } from "../lib/command-inside.ts";
import { makeAuthority, makeCertificate } from "../lib/certificates.ts";
import { HostileServer } from "../lib/hostile-server.ts";
import { Mosquitto } from "../lib/mosquitto.ts";
import { jpegOf } from "../lib/pictures.ts";
import { ProcessWatch } from "../lib/process-watch.ts";
import { needsProgram } from "../lib/programs.ts";
import { filesBelow, findings, formsOf, planted, type Planted } from "../lib/secret-search.ts";
import { tempFolder } from "../lib/temp.ts";
import { until } from "../lib/poll.ts";

const names = [
  "token in a file",
  "token in a variable",
  "token as credential",
  "token in the config",
  "token as default",
  "broker password",
  "proxy password",
  "query of a url",
  "client key",
  "camera password",
  "query of a camera",
  "header of a camera",
  "environment of a camera",
] as const;
type Name = (typeof names)[number];

const troubles = [
  ...["HTTP_400", "HTTP_401", "HTTP_500", "HTTP_REDIRECT", "HTTP_NOT_THE_PLATFORM", "NET_RESET", "PROXY_FAILED"],
  ...["TLS_UNTRUSTED", "TLS_FAILED", "TLS_CONFIG", "MQTT_CREDENTIALS", "NET_REFUSED"],
];

/** The word in a child's command line that marks the vision process. */
const visionProcess = /vision\/process\/main/;

/**
 * Secrets planted wherever the config takes one, the built program run against servers that refuse, break and repeat
 * them, and everything that it leaves behind searched.
 */
describe("secrets", () => {
  const secrets = new Map<Name, Planted>();
  const all = () => [...secrets.values()];
  const textOf = (name: Name) => secrets.get(name)?.text ?? "";
  /** Everything the program wrote, by command and stream. */
  const places = new Map<string, Buffer>();
  const cleanups: AsyncDisposable[] = [];
  let folder = "";
  let config = "";
  let environment: Record<string, string> = {};
  let hostile: HostileServer;
  let elsewhere: HostileServer;
  let broker: Mosquitto;
  let watch: ProcessWatch;
  let tlsPort = 0;

  before(async function () {
    needsProgram(this, "mosquitto", "mosquitto");
    needsProgram(this, "openssl", "openssl");
    this.timeout(20_000);
    for (const name of names) secrets.set(name, planted(name));
    const temp = await tempFolder();
    folder = temp.path;
    elsewhere = await new HostileServer().start();
    hostile = await new HostileServer(`http://127.0.0.1:${elsewhere.port}`).start();
    broker = await new Mosquitto({ lines: ["allow_anonymous false"] }).start();
    const authority = await makeAuthority(folder, "authority");
    const server = await makeCertificate(folder, "server", authority, { subjectAltName: "IP:127.0.0.1" });
    const client = await makeCertificate(folder, "client", authority, { subjectAltName: "IP:127.0.0.1" });
    const secure = https.createServer({ cert: await readFile(server.cert), key: await readFile(server.key) }, (_, r) =>
      r.writeHead(401).end(),
    );
    secure.listen(0, "127.0.0.1");
    await once(secure, "listening");
    tlsPort = (secure.address() as AddressInfo).port;
    await plantFiles();
    const keyLine = (await readFile(client.key, "utf8")).split("\n")[1] ?? "";
    secrets.set("client key", { name: "client key", text: await readFile(client.key, "utf8"), core: keyLine });
    config = await writeConfigFile("framepost.yaml", goodConfig(client.cert, client.key, authority.cert));
    watch = new ProcessWatch(visionProcess).start();
    const secureServer = {
      async [Symbol.asyncDispose]() {
        secure.closeAllConnections();
        secure.close();
        await once(secure, "close");
      },
    };
    const brokerStop = { [Symbol.asyncDispose]: () => broker.stop() };
    cleanups.push(temp, elsewhere, hostile, brokerStop, secureServer, watch);
  });

  after(async () => {
    for (const cleanup of cleanups.reverse()) await cleanup[Symbol.asyncDispose]();
  });

  async function plantFiles(): Promise<void> {
    for (const name of ["tmp", "data", "credentials"]) await mkdir(join(folder, name), { mode: 0o700 });
    await writeFile(join(folder, "token"), `${textOf("token in a file")}\n`, { mode: 0o600 });
    await writeFile(join(folder, "credentials", "token"), textOf("token as credential"), { mode: 0o600 });
    await writeFile(join(folder, "credentials", "password"), textOf("broker password"), { mode: 0o600 });
    await writeFile(join(folder, "credentials", "camera"), textOf("camera password"), { mode: 0o600 });
    await writeFile(join(folder, "broken.key"), textOf("client key"), { mode: 0o600 });
    await writeFile(join(folder, "picture.jpg"), await jpegOf(90));
    environment = {
      SECRET_TOKEN: textOf("token in a variable"),
      PLAIN_NAME: encodeURIComponent(textOf("proxy password")),
      CREDENTIALS_DIRECTORY: join(folder, "credentials"),
      TMPDIR: join(folder, "tmp"),
      // What a person sets who was told to "turn debugging on".
      DEBUG: "*",
    };
  }

  /** One of every driver that takes a secret, in every kind of trouble; each needs no program but ffmpeg and a shell. */
  function troubledCameras(): readonly object[] {
    const key = encodeURIComponent(textOf("query of a camera")).replaceAll("'", "%27");
    const place = (how: string) => `127.0.0.1:${hostile.port}/${how}/a.jpg?key=${key}`;
    const headers = { "X-Api-Key": textOf("header of a camera") };
    const login = { username: "joe", password: "${credential:camera}" };
    const web = (driver: string, how: string) => ({
      ...{ id: `${driver}-${how}`, driver, url: `http://${place(how)}`, ...login, headers },
    });
    const ffmpeg = (scheme: string) => ({
      ...{ id: `ffmpeg-${scheme}`, driver: "ffmpeg", input: `${scheme}://${place("refuse")}`, ...login },
    });
    // Programs say all that they know when they fail.
    const command = ["/bin/sh", "-c", "env >&2; echo ended with $CAMERA_PASSWORD >&2; exit 1"];
    const environment = { CAMERA_PASSWORD: textOf("environment of a camera") };
    return [
      ...["refuse", "break", "portal", "redirect", "reset"].map((how) => web("http-snapshot", how)),
      ...["refuse", "portal", "reset"].map((how) => web("http-mjpeg", how)),
      ...["rtsp", "http"].map(ffmpeg),
      ...["stream", "shot"].map((mode) => ({ id: `exec-${mode}`, driver: "exec", mode, command, environment })),
    ];
  }

  function goodConfig(cert: string, key: string, ca: string): object {
    const at = (how: string) => `http://127.0.0.1:${hostile.port}/${how}`;
    const everything = { includeEmpty: true, includeUnlabelled: true };
    const iotown = (id: string, url: string, token: string, more = {}) => ({
      ...{ id, kind: "iotown", url, token, ...everything },
      ...more,
    });
    const inFile = `\${file:${join(folder, "token")}}`;
    // The query of a proxy's address means nothing and is allowed.
    const query = encodeURIComponent(textOf("query of a url"));
    const proxy = (port: number) => `http://joe:\${env:PLAIN_NAME}@127.0.0.1:${port}/?key=${query}`;
    const nobody = 1;
    return {
      device: { name: "secretive" },
      targets: [
        iotown("refuse", at("refuse"), inFile),
        iotown("break", at("break"), "${env:SECRET_TOKEN}"),
        iotown("portal", at("portal"), "${credential:token}"),
        iotown("redirect", at("redirect"), textOf("token in the config")),
        iotown("reset", at("reset"), `\${env:NOT_SET:-${textOf("token as default")}}`),
        iotown("reject", at("reject"), inFile),
        iotown("untrusted", `https://127.0.0.1:${tlsPort}`, inFile),
        iotown("no-tls", `https://127.0.0.1:${hostile.port}`, inFile),
        iotown("with-key", `https://127.0.0.1:${tlsPort}`, inFile, { tls: { ca, cert, key } }),
        iotown("bad-key", `https://127.0.0.1:${tlsPort}`, inFile, { tls: { cert, key: join(folder, "broken.key") } }),
        iotown("proxied", "https://town.example", inFile, { proxy: proxy(hostile.port) }),
        iotown("proxied-plain", at("refuse"), inFile, { proxy: proxy(tlsPort) }),
        iotown("dead", `http://127.0.0.1:${nobody}`, inFile),
        iotown("dead-proxy", "https://town.example", inFile, { proxy: proxy(nobody) }),
        {
          ...{ id: "broker", kind: "mqtt", url: broker.url, username: "joe", password: "${credential:password}" },
          ...everything,
        },
        {
          ...{ id: "secure", kind: "mqtt", url: `mqtts://127.0.0.1:${broker.port}` },
          ...{ username: "joe", password: "${credential:password}", ...everything },
        },
      ],
      cameras: [{ id: "scene", driver: "simulated", interval: "2s", width: 320, height: 240 }, ...troubledCameras()],
    };
  }

  /** JSON is YAML, and has room for every character. */
  async function writeConfigFile(name: string, content: object | string): Promise<string> {
    const file = join(folder, name);
    const text = typeof content === "string" ? content : JSON.stringify(content, null, 2);
    await writeFile(file, text, { mode: 0o600 });
    return file;
  }

  const withData = (words: readonly string[]) =>
    words.includes("--data") ? words : [...words, "--data", join(folder, "data")];

  function start(words: readonly string[], env: Readonly<Record<string, string>> = {}): AgentProcess {
    return new AgentProcess(withData(words), { env: { ...environment, ...env } });
  }

  function remember(what: string, agent: AgentProcess): void {
    places.set(`stdout of ${what}`, Buffer.from(agent.stdoutText));
    places.set(`stderr of ${what}`, Buffer.from(agent.stderr.join("\n")));
  }

  /** To its end; its exit code. */
  async function run(...words: readonly string[]): Promise<number | null> {
    await using agent = start(words);
    const { code } = await agent.ended();
    remember(words.join(" "), agent);
    return code;
  }

  /** The same without a process of its own, for what writes no log: that would go past this to the test's own stderr. */
  async function inside(code: number, words: readonly string[]): Promise<void> {
    const ran = await framepostInside(withData(words), environment);
    places.set(words.join(" "), Buffer.from(ran.stdout + ran.stderr));
    assert.equal(ran.code, code, words.join(" "));
  }

  async function leaks(): Promise<readonly string[]> {
    const files = new Map([...(await filesBelow(join(folder, "tmp"))), ...(await filesBelow(join(folder, "data")))]);
    return [...findings(places, all()), ...findings(files, all()), ...findings(watch.seen(), all())];
  }

  it("are found by the search, in every form and every kind of place", async function () {
    this.timeout(20_000);
    const secret = planted("control");
    const { core, text } = secret;
    const shown = [
      text,
      encodeURIComponent(text),
      JSON.stringify(JSON.stringify({ text })),
      ...["", "a", "ab"].map((head) => Buffer.from(head + text).toString("base64")),
      Buffer.from(text).toString("hex"),
    ];
    assert.equal(new Set([...formsOf(core).values()]).size >= 8, true);
    for (const form of shown) {
      assert.equal(findings(new Map([["x", Buffer.from(`before${form}after`)]]), [secret]).length > 0, true, form);
    }
    await mkdir(join(folder, "control"));
    await writeFile(join(folder, "control", "file"), `\0\xff${core}`);
    assert.equal(findings(await filesBelow(join(folder, "control")), [secret]).length, 1);
    // A process that does what ours must not: the secret in its words and its environment, and on both streams.
    const tell = "console.log(process.env.S), console.error(process.env.S), setTimeout(() => {}, 60000)";
    const words = ["-e", tell, "vision/process/main", core];
    await using control = new ProcessWatch(visionProcess).start();
    const child = spawn(process.execPath, words, { env: { S: text } });
    try {
      for (const stream of [child.stdout, child.stderr]) {
        const [bytes] = (await once(stream, "data")) as [Buffer];
        assert.equal(findings(new Map([["stream", bytes]]), [secret]).length, 1);
      }
      const found = () => findings(control.seen(), [secret]).map((line) => line.replace(/ of.*/, ""));
      const wanted = ["control in command line", "control in environment"];
      await until(() => wanted.every((line) => found().includes(line)), "both are found");
      assert.deepEqual(found().toSorted(), wanted);
    } finally {
      child.kill("SIGKILL");
    }
  });

  it("do not show while the daemon meets servers that refuse, break and repeat them", async function () {
    this.timeout(40_000);
    await using agent = start(["run", "-c", config, "--log-level", "debug"]);
    await agent.untilLogged("started", 1, 20_000);
    const failed = () => new Set(agent.stderr.flatMap((line) => /"target":"([a-z-]+)"/.exec(line)?.[1] ?? []));
    await agent.until("every target is in trouble", () => failed().size >= 16, 20_000);
    await agent.untilLogged("camera.lost", troubledCameras().length, 20_000);
    // Beside it: a second daemon that finds the spool taken, and commands that ask it how it is.
    assert.equal(await run("run", "-c", config), 75);
    await inside(0, ["queue", "stats", "-c", config]);
    await inside(0, ["queue", "ls", "--json", "-c", config]);
    await inside(0, ["queue", "stats", "--json", "-c", config]);
    agent.kill("SIGTERM");
    assert.equal((await agent.ended()).code, 0);
    remember("run --log-level debug", agent);
    assert.deepEqual(await leaks(), []);
    const foreign = agent.stderr.filter((line) => !line.startsWith("{"));
    assert.deepEqual(foreign, [], "the log holds what is no line of ours");
    // All of this was in play, or there was nothing to find.
    const known = Buffer.from(JSON.stringify(hostile.requests));
    const shown = findings(new Map([["requests", known]]), all()).map((line) => line.replace(/ in requests.*/, ""));
    const unsent = ["broker password", "query of a url", "client key", "environment of a camera"];
    const sent = names.filter((name) => !unsent.includes(name));
    assert.deepEqual(
      sent.filter((name) => !shown.includes(name)),
      [],
    );
    assert.equal(watch.environments() > 0, true, "no vision process was seen");
    assert.deepEqual(elsewhere.requests, [], "a redirect was followed");
  });

  it("do not show in what the commands print", async function () {
    this.timeout(60_000);
    const data = (name: string) => ["--data", join(folder, "data", name)];
    const doctor = ["doctor", "--live", "--log-level", "debug", "-c", config, ...data("doctor")];
    const capture = (...words: readonly string[]) => [
      ...["capture", "--wait", ...words, "-c", config],
      ...data("capture"),
    ];
    const send = (target: string, level: string) => [
      ...["send", join(folder, "picture.jpg"), "--target", target, "--log-level", level, "-c", config],
      ...data("send"),
    ];
    // Most of it is waiting: for cameras that show nothing, and for servers that do not answer. One of each kind is a
    // process, with its log and all that it starts.
    const [diagnosed] = await Promise.all([
      run(...doctor),
      run(...capture("--log-level", "debug")).then((code) => {
        assert.equal(code, 1);
        return inside(1, capture("--json"));
      }),
      run(...send("proxied", "debug")).then(async (code) => {
        assert.equal(code, 75);
        await inside(1, send("reject", "silent"));
        await inside(75, send("break", "silent"));
      }),
      inside(0, ["config", "show", "-c", config]),
      inside(0, ["config", "show", "--json", "-c", config]),
      inside(0, ["config", "check", "-c", config]),
    ]);
    await inside(0, ["queue", "ls", "--json", "-c", config, ...data("send")]);
    assert.equal(diagnosed, 1);
    const diagnosis = String(places.get(`stdout of ${doctor.join(" ")}`));
    // Each target met its own trouble; without it the run would show nothing.
    for (const code of troubles) assert.match(diagnosis, new RegExp(`\\(${code}\\)`));
    assert.match(diagnosis, /target dead-proxy: .*ECONNREFUSED \(PROXY_FAILED\)/);
    assert.deepEqual(await leaks(), []);
  });

  it("do not show in mistakes of the config, in and beside them", async function () {
    this.timeout(40_000);
    const text = await readFile(config, "utf8");
    const secret = JSON.stringify(textOf("token in the config"));
    const mistakes: readonly (readonly [string | RegExp, string])[] = [
      [secret, `[${secret}]`],
      [secret, `${secret.slice(0, -1)} and a blank"`],
      [secret, `${secret} x`],
      [secret, `!!int ${secret}`],
      [secret, `*${textOf("token in the config").replaceAll(/\W/g, "")}`],
      [/"kind": "iotown",\n/, `"knid": ${secret},\n`],
      [/"token": /, `"token": ${secret}, "token": `],
      [/"token": /, `${secret}: 1, "tokne": `],
      [/"url": "http:\/\//, `"url": "http://joe:${encodeURIComponent(textOf("query of a url"))}@`],
      [/"url": "http:([^"]*)"/, `"url": "http:$1?key=${encodeURIComponent(textOf("query of a url"))}"`],
      [/"url": "mqtt:\/\//, `"url": "mqtt://joe:${encodeURIComponent(textOf("broker password"))}@`],
      [/"input": "rtsp:\/\//, `"input": "rtsp://joe:${encodeURIComponent(textOf("camera password"))}@`],
      [/"environment": \{/, `"environment": { "A=B": ${JSON.stringify(textOf("environment of a camera"))}, `],
      [/"X-Api-Key": /, `"Bad name": ${JSON.stringify(textOf("header of a camera"))}, "X-Api-Key": `],
      ["http://joe:", "socks://joe:"],
      ["${env:SECRET_TOKEN}", `\${environ:${textOf("token in the config")}}`.replaceAll('"', "'")],
      ["${credential:password}", `\${credential:${textOf("broker password")}}`.replaceAll('"', "'")],
    ];
    const checked = async ([what, instead]: readonly [string | RegExp, string], index: number): Promise<void> => {
      const wrong = text.replace(what, () => instead.replace("$1", /"http:([^"]*)"/.exec(text)?.[1] ?? ""));
      assert.notEqual(wrong, text, String(what));
      const file = await writeConfigFile(`wrong-${index}.yaml`, wrong);
      await inside(78, ["config", "check", "-c", file]);
    };
    for (const [index, mistake] of mistakes.entries()) await checked(mistake, index);
    const last = join(folder, `wrong-${mistakes.length - 1}.yaml`);
    assert.equal(await run("run", "-c", last, "--log-level", "debug"), 78);
    await inside(1, ["doctor", "-c", last]);
    await inside(78, ["config", "check", "--json", "-c", last]);
    assert.deepEqual(await leaks(), []);
  });

  it("do not show when the program crashes over an error that holds them", async function () {
    this.timeout(40_000);
    const preload = join(folder, "crash.mjs");
    await writeFile(preload, crashes(JSON.stringify(Object.fromEntries([...secrets].map(([n, s]) => [n, s.text])))));
    const options = `--import=${pathToFileURL(preload).href}`;
    const crashed = async (how: string, words: readonly string[], ready: (agent: AgentProcess) => Promise<void>) => {
      const data = join(folder, "data", `crash-${how}-${words[0] ?? ""}`);
      const armed = join(folder, `armed-${how}-${words[0] ?? ""}`);
      const environment = { NODE_OPTIONS: options, CRASH: how, CRASH_ARMED: armed };
      await using agent = start([...words, "-c", config, "--data", data], environment);
      // Until then the signal would end it, and a late request of the agent before would be taken for one of its own.
      await agent.until("it is armed", () => existsSync(armed), 20_000);
      await ready(agent);
      agent.kill("SIGUSR2");
      const { code } = await agent.ended();
      remember(`${words.join(" ")} crashing by ${how}`, agent);
      assert.equal(code, 1, agent.stderr.join("\n"));
      assert.match(agent.stderr.join("\n"), /"event":"crash/);
      if (how !== "reject") assert.match(agent.stderr.join("\n"), /crash\.mjs/, "the crash says where it happened");
    };
    await crashed("reject", ["run"], (agent) => agent.untilLogged("started", 1, 20_000));
    await crashed("axios", ["run", "--log-level", "silent"], async (agent) => {
      const before = hostile.requests.length;
      await agent.until("it delivers", () => hostile.requests.length > before, 20_000);
    });
    // A command that waits: the hanging server holds it.
    const file = await writeConfigFile("hang.yaml", {
      cameras: [{ id: "scene", driver: "simulated" }],
      targets: [
        {
          ...{ id: "hang", kind: "iotown", url: `http://127.0.0.1:${hostile.port}/hang` },
          ...{ token: `\${file:${join(folder, "token")}}`, includeEmpty: true },
        },
      ],
    });
    const hanging = config;
    config = file;
    try {
      await crashed("throw", ["capture", "--wait"], async (agent) => {
        const before = hostile.requests.filter(({ path }) => path.startsWith("/hang")).length;
        const arrived = () => hostile.requests.filter(({ path }) => path.startsWith("/hang")).length > before;
        await agent.until("its request hangs", arrived, 20_000);
      });
    } finally {
      config = hanging;
    }
    const ofCapture = all().filter(({ name }) => name === "token in a file");
    const others = [...places.keys()].filter((place) => place.includes("capture --wait crashing"));
    // This one's config knows a single secret, and only that can be hidden.
    assert.deepEqual(findings(new Map(others.map((p) => [p, places.get(p) ?? Buffer.alloc(0)])), ofCapture), []);
    for (const place of others) places.delete(place);
    assert.deepEqual(await leaks(), []);
  });
});
