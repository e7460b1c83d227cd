import assert from "node:assert/strict";
import { join } from "node:path";
import { chmod, mkdir, readFile, stat } from "node:fs/promises";
import { after, before, describe, it } from "mocha";
import { AgentProcess, writeConfig } from "../lib/agent.ts";
import { framepostInside } from "../lib/command-inside.ts";
import { eventually, Mosquitto } from "../lib/mosquitto.ts";
import { needsProgram } from "../lib/programs.ts";
import { tempFolder } from "../lib/temp.ts";

/**
 * Two daemons at one real broker, one on MQTT 5 and one on 3.1.1, and the commands of a shell beside them, which run
 * inside the test.
 */
describe("remote commands from a shell", function () {
  this.timeout(60_000);
  const broker = new Mosquitto();
  const daemons: AgentProcess[] = [];
  let temp: Awaited<ReturnType<typeof tempFolder>> | undefined;

  const daemon = async (device: string, protocol: string, access: object): Promise<AgentProcess> => {
    const folder = join(temp?.path ?? "", device);
    await mkdir(folder);
    const size = { width: 160, height: 120 };
    const config = await writeConfig(folder, {
      device: { name: device },
      cameras: [{ id: "cam", driver: "simulated", interval: "500ms", ...size, keep: { labels: ["nothing"] } }],
      targets: [{ id: "disk", kind: "folder", path: join(folder, "out"), includeEmpty: true }],
      remote: { url: broker.url, protocol, groups: ["yard"], groupEffects: true, ...access },
    });
    return new AgentProcess(["run", "-c", config, "--data", join(folder, "data")]);
  };

  const shell = async (words: string, protocol = "5") =>
    framepostInside(words.split(" "), { FRAMEPOST_BROKER_URL: broker.url, FRAMEPOST_BROKER_PROTOCOL: protocol });

  const json = async (words: string, protocol?: string) => {
    const ran = await shell(`--json ${words}`, protocol);
    const lines = ran.stdout.trimEnd().split("\n");
    const parsed = lines.map((line) => JSON.parse(line) as Readonly<Record<string, unknown>>);
    return { code: ran.code, replies: parsed.slice(0, -1), last: parsed.at(-1) ?? {} };
  };

  before(async function () {
    needsProgram(this, "mosquitto", "mosquitto");
    temp = await tempFolder();
    await broker.start();
    const { last } = await json(`commands keygen ${join(temp.path, "alice.pem")} --key alice`);
    const key = { id: "alice", publicKey: last["publicKey"], scopes: ["read"] };
    const access = { keys: [key], unsigned: ["read", "capture"] };
    daemons.push(await daemon("gw-1", "5", access), await daemon("gw-2", "3.1.1", access));
    await Promise.all(daemons.map((each) => each.untilLogged("mqtt.connected")));
    await eventually("both are listed", async () => (await json("fleet ls")).last["online"] === 2, 20_000);
  });

  after(async () => {
    for (const each of daemons) await each[Symbol.asyncDispose]();
    await broker.stop();
    await temp?.[Symbol.asyncDispose]();
  });

  for (const protocol of ["5", "3.1.1"]) {
    it(`are answered by devices of both protocols (shell on ${protocol})`, async () => {
      for (const device of ["gw-1", "gw-2"]) {
        const { code, replies, last } = await json(
          `commands send ${device} snapshot camera=cam --timeout 20s`,
          protocol,
        );
        assert.deepEqual(
          replies.map(({ state }) => state),
          ["accepted", "done"],
          JSON.stringify(replies),
        );
        assert.deepEqual({ code, done: last["done"], missing: last["missing"] }, { code: 0, done: 1, missing: [] });
      }
    });

    it(`go to a group and to all (shell on ${protocol})`, async () => {
      for (const to of ["--group yard", "--all"]) {
        const { code, last } = await json(`commands send ${to} ping`, protocol);
        assert.deepEqual({ code, done: last["done"] }, { code: 0, done: 2 }, to);
      }
      const { code, last } = await json("commands send --group nobody ping --timeout 200ms", protocol);
      assert.deepEqual({ code, done: last["done"] }, { code: 69, done: 0 });
    });
  }

  it("end with 1 when a device does not do it, and show why", async () => {
    const ran = await shell("commands send gw-1 nonsense --unchecked");
    assert.equal(ran.code, 1);
    assert.match(ran.stdout, /^gw-1 {2}refused \(unknown_command\) .* there is no command nonsense/);
  });

  it("change nothing as a dry run, and nothing against another revision", async () => {
    const dry = await json("commands send gw-1 snapshot --dry-run");
    assert.equal(dry.replies.at(-1)?.["dry"], true);
    const conflict = await json("commands send gw-1 ping --if-revision 77");
    assert.equal(conflict.replies.at(-1)?.["code"], "conflict");
  });

  it("end with 69 where nobody of that name has ever been", async () => {
    const onFive = await shell("commands send gw-9 ping");
    assert.equal(onFive.code, 69);
    assert.match(onFive.stderr, /nobody subscribes.*\n.*fleet ls/);
    const onOlder = await json("commands send gw-9 ping --timeout 500ms", "3.1.1");
    assert.deepEqual({ code: onOlder.code, missing: onOlder.last["missing"] }, { code: 69, missing: ["gw-9"] });
  });

  it("are rolled out to a share of the fleet, and done once however often it is repeated", async () => {
    // Of this id the first device lies in the first half, and the second does not.
    const words = "fleet send snapshot --rollout a --rate 100 --timeout 20s";
    const first = await json(`${words} --percent 50`);
    assert.deepEqual([first.code, first.last["chosen"], first.last["devices"]], [0, 1, 2]);
    const all = await json(`${words} --percent 100`);
    assert.deepEqual([all.code, all.last["done"]], [0, 2]);
    const finals = all.replies.filter(({ state }) => state === "done");
    assert.equal(finals.filter(({ duplicate }) => duplicate === true).length, 1);
    assert.equal((await shell("fleet send ping --percent 10")).code, 2);
  });

  it("are signed, with a counter that goes up", async () => {
    const sign = `--sign ${join(temp?.path ?? "", "alice.pem")} --key alice`;
    for (const words of ["commands send gw-1 ping", "commands send --group yard ping", "fleet send ping --rate 100"]) {
      const { code, replies } = await json(`${words} ${sign}`);
      assert.equal(code, 0, JSON.stringify(replies));
    }
  });

  it("are signed with a key that is written once, shown nowhere, and taken only where nobody else can read it", async () => {
    const file = join(temp?.path ?? "", "bob.pem");
    const made = await shell(`commands keygen ${file} --key bob`);
    assert.match(made.stdout, /^- \{ id: bob, publicKey: \S{44}, scopes: \[.*\] \}\n$/);
    assert.equal((await stat(file)).mode & 0o777, 0o600);
    assert.ok(!`${made.stdout}${made.stderr}`.includes((await readFile(file, "utf8")).split("\n")[1] ?? ""));
    assert.equal((await shell(`commands keygen ${file}`)).code, 1);
    assert.equal((await shell(`commands send gw-1 ping --sign ${file}`)).code, 2);
    await chmod(file, 0o640);
    assert.match((await shell(`commands send gw-1 ping --sign ${file} --key bob`)).stderr, /chmod 600 \(SIGNING_KEY\)/);
  });

  it("list the fleet as a table", async () => {
    const { stdout, stderr, code } = await shell("fleet ls --group yard");
    assert.equal(code, 0);
    assert.match(stdout, /^device .*\ngw-1 +online +\S+ +\d.* yard .*\ngw-2 +online /);
    assert.match(stderr, /2 devices, 2 online/);
  });

  it("say who is away, and do not wait for it", async () => {
    await daemons[1]?.stop();
    await eventually("gw-2 is offline", async () => (await json("fleet ls")).last["online"] === 1);
    const { code, last } = await json("commands send --all ping");
    assert.deepEqual([code, last["done"], last["missing"]], [69, 1, ["gw-2"]]);
    const rolled = await shell("fleet send ping");
    assert.equal(rolled.code, 69);
    assert.match(rolled.stdout, /gw-2 +offline/);
  });
});
