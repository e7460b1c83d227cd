import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, describe, it } from "mocha";
import { LightDevice } from "../../agent/fleet/simulation/light-device.ts";
import { MqttLink } from "../../src/link/mqtt-link.ts";
import { remoteConfig } from "../../src/remote/config.ts";
import { runProgram } from "../lib/shell.ts";
import { framepostInside } from "../lib/command-inside.ts";
import { eventually, Mosquitto } from "../lib/mosquitto.ts";
import { linkSeams } from "../lib/mqtt.ts";
import { needsProgram } from "../lib/programs.ts";
import { repositoryFolder } from "../lib/shared.ts";
import { tempFolder } from "../lib/temp.ts";

const password = "a-password-of-the-test";
const never = new AbortController().signal;

/** The access list of docs/fleet.md, as it stands there. */
async function documentedList(): Promise<string> {
  const page = await readFile(join(repositoryFolder, "docs/fleet.md"), "utf8");
  const [, list] = /<!-- acl: begin -->\s+```\n([^]*?)```\s+<!-- acl: end -->/.exec(page) ?? [];
  assert.ok(list !== undefined && list.includes("pattern read framepost/%u/cmd/+"));
  return list;
}

describe("the access list of docs/fleet.md", function () {
  this.timeout(30_000);
  const devices: LightDevice[] = [];
  let temp: Awaited<ReturnType<typeof tempFolder>> | undefined;
  let broker = new Mosquitto();

  const device = async (name: string, settings: object): Promise<void> => {
    const login = { url: broker.url, username: name, password, groups: ["yard"], ...settings };
    const made = new LightDevice(
      {
        ...{ device: name, remote: remoteConfig.parse(login), intervalMs: Infinity, jpeg: Buffer.alloc(0) },
        stateFolder: join(temp?.path ?? "", name),
      },
      linkSeams(),
      linkSeams(),
    );
    devices.push(made);
    await made.start();
  };

  const shell = async (words: string, username = "operator", more: object = {}) =>
    framepostInside(words.split(" "), {
      ...{ FRAMEPOST_BROKER_URL: broker.url, FRAMEPOST_BROKER_USERNAME: username },
      ...{ FRAMEPOST_BROKER_PASSWORD: password, ...more },
    });

  const start = async (list: string, users: readonly string[]): Promise<void> => {
    temp = await tempFolder();
    const passwords = join(temp.path, "passwords");
    for (const [index, user] of users.entries()) {
      runProgram("mosquitto_passwd", ...(index === 0 ? ["-c"] : []), "-b", passwords, user, password);
    }
    const files = { passwords: await readFile(passwords, "utf8"), acl: list };
    broker = await new Mosquitto({
      lines: ["allow_anonymous false", "password_file @/passwords", "acl_file @/acl", "set_tcp_nodelay true"],
      files,
    }).start();
  };

  const stop = async (): Promise<void> => {
    for (const each of devices.splice(0)) await each.stop();
    await broker.stop();
    await temp?.[Symbol.asyncDispose]();
  };

  before(function () {
    needsProgram(this, "mosquitto", "mosquitto");
    needsProgram(this, "mosquitto_passwd", "mosquitto");
  });

  describe("by user name", () => {
    before(async () => {
      await start(await documentedList(), ["operator", "gw-1", "gw-2"]);
      await device("gw-1", { protocol: "5" });
      await device("gw-2", { protocol: "3.1.1" });
      await eventually("both are listed", async () => (await shell("fleet ls")).stderr.includes("2 online"));
    });

    after(stop);

    for (const protocol of ["5", "3.1.1"]) {
      it(`lets an operator steer all devices (on ${protocol})`, async () => {
        const on = { FRAMEPOST_BROKER_PROTOCOL: protocol };
        for (const to of ["gw-1", "gw-2", "--group yard", "--all"]) {
          const { code, stderr } = await shell(`commands send ${to} status --timeout 5s`, "operator", on);
          assert.equal(code, 0, `${to}: ${stderr}`);
        }
      });
    }

    it("lets a device steer no other one, and not see them", async () => {
      const sent = await shell("commands send gw-2 ping", "gw-1");
      assert.match(sent.stderr, /MQTT_NOT_AUTHORISED/);
      const older = { FRAMEPOST_BROKER_PROTOCOL: "3.1.1" };
      const silent = await shell("commands send gw-2 ping --timeout 300ms", "gw-1", older);
      assert.equal(silent.code, 69);
      const seen = await shell("--json fleet ls", "gw-1");
      assert.deepEqual(
        seen.stdout
          .trim()
          .split("\n")
          .map((line) => JSON.parse(line) as { device?: string; version?: string })
          .map(({ device: name }) => name),
        ["gw-1", undefined],
      );
    });

    it("lets a device not speak for another one", async () => {
      const { hostname: host, port } = new URL(broker.url);
      const options = {
        host,
        port: Number(port),
        clientId: "intruder",
        protocol: "5",
        username: "gw-1",
        password,
      } as const;
      const link = new MqttLink(options, linkSeams());
      link.start();
      await link.connected(never);
      const write = async (topic: string) => link.publish(topic, Buffer.from("offline"), { qos: 1 }, never);
      try {
        for (const topic of [
          "gw-2/availability",
          "gw-2/res/ping",
          "gw-2/event/kept",
          "all/cmd/ping",
          "gw-1/cmd/ping",
        ]) {
          await assert.rejects(write(`framepost/${topic}`), { code: "MQTT_NOT_AUTHORISED" }, topic);
        }
        await write("framepost/gw-1/event/kept");
      } finally {
        await link.close();
      }
    });

    it("lets nobody in without an account, and shows no password", async () => {
      const { code, stderr } = await shell("fleet ls", "gw-9");
      assert.notEqual(code, 0);
      assert.match(stderr, /MQTT_CREDENTIALS/);
      assert.ok(!stderr.includes(password));
    });
  });

  describe("by client id", () => {
    before(async () => {
      await start((await documentedList()).replaceAll("%u", "%c"), ["operator", "devices"]);
      for (const name of ["gw-1", "gw-2"]) await device(name, { clientId: name, username: "devices" });
      await eventually("both are listed", async () => (await shell("fleet ls")).stderr.includes("2 online"));
    });

    after(stop);

    it("lets an operator steer devices that share a user name", async () => {
      const { code, stderr } = await shell("commands send --all ping");
      assert.equal(code, 0, stderr);
    });
  });
});
