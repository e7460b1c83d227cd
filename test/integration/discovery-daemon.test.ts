import assert from "node:assert/strict";
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { before, describe, it } from "mocha";
import { PublishedFile } from "../../src/remote/discovery/published.ts";
import { AgentProcess, writeConfig } from "../lib/agent.ts";
import { checkDiscovery, type CheckedDevice } from "../lib/discovery-checker.ts";
import { keptTopics } from "../lib/kept-topics.ts";
import { eventually, Mosquitto } from "../lib/mosquitto.ts";
import { Subscriber } from "../lib/mqtt.ts";
import { needsProgram } from "../lib/programs.ts";
import { tempFolder } from "../lib/temp.ts";

const topic = "homeassistant/device/framepost_gw/config";

interface Answer {
  readonly state: string;
  readonly code: string;
}

describe("the daemon in Home Assistant", () => {
  before(function () {
    needsProgram(this, "mosquitto", "mosquitto");
  });

  it("shows every entity valid and live, and obeys each", async () => {
    await using folder = await tempFolder();
    const broker = await new Mosquitto().start();
    const home = new Subscriber();
    try {
      await home.start(broker.url, "framepost/gw/+/+");
      await shownBy(broker.url, folder.path, home);
    } finally {
      await home.stop();
      await broker.stop();
    }
  });

  it("takes away what an earlier start has left when turned off, on 3.1.1", async () => {
    await using folder = await tempFolder();
    const broker = await new Mosquitto().start();
    const home = await new Subscriber().start(broker.url, "nothing");
    try {
      const states = ["framepost/gw/state/device", "framepost/gw/picture/front"];
      for (const each of [topic, ...states]) await home.say(each, "left", { retain: true });
      const state = join(folder.path, "data", "state");
      await mkdir(state, { recursive: true });
      const left = new PublishedFile(state);
      await left.open();
      await left.note({ configs: { [topic]: { device_queue: "sensor" } }, topics: states });
      await using agent = await daemon(broker.url, folder.path, {
        ...{ homeAssistant: { enabled: false }, protocol: "3.1.1" },
      });
      await agent.untilLogged("mqtt.connected");
      await agent.until("nothing of it is left", async () => {
        const topics = Object.keys(await keptTopics(broker.url));
        return topics.every((each) => /^framepost\/gw\/(availability|info|status)$/.test(each));
      });
      await agent.stop();
    } finally {
      await home.stop();
      await broker.stop();
    }
  });

  it("takes its pictures away from the broker when nothing may leave any more, and shows the rest", async () => {
    await using folder = await tempFolder();
    const broker = await new Mosquitto().start();
    const home = await new Subscriber().start(broker.url, "nothing");
    try {
      const picture = "framepost/gw/picture/front";
      await home.say(picture, "a picture of before", { retain: true });
      const state = join(folder.path, "data", "state");
      await mkdir(state, { recursive: true });
      const left = new PublishedFile(state);
      await left.open();
      await left.note({ configs: { [topic]: { camera_front_picture: "image" } }, topics: [picture] });
      const remote = { homeAssistant: { pictures: true } };
      await using agent = await daemon(broker.url, folder.path, remote, { privacy: { localOnly: true } });
      let kept: Readonly<Record<string, Buffer>> = {};
      await agent.until("its picture is gone, and announced no more", async () => {
        kept = await keptTopics(broker.url);
        const shown = kept[topic]?.toString() ?? "camera_front_picture";
        return !(picture in kept) && !shown.includes("camera_front_picture");
      });
      assert.ok("framepost/gw/state/camera_front" in kept);
      assert.match(kept[topic]?.toString() ?? "", /camera_front_/);
      await agent.stop();
    } finally {
      await home.stop();
      await broker.stop();
    }
  });

  async function shownBy(url: string, folder: string, home: Subscriber): Promise<void> {
    await using agent = await daemon(url, folder, { homeAssistant: { pictures: true } });
    await agent.until("its picture comes", () => home.topics().includes("framepost/gw/picture/front"));
    let checked: CheckedDevice = { problems: ["nothing came"], entities: [], commandTopics: [] };
    await agent
      .until("all is shown", async () => {
        checked = checkDiscovery(topic, await keptTopics(url));
        return checked.problems.length === 0;
      })
      .catch(() => undefined);
    assert.deepEqual(checked.problems, []);
    const keys = checked.entities.map(({ key }) => key);
    const wanted = ["device_queue", "device_disk", "device_threshold", "device_flush", "device_restart"];
    const ofCamera = ["picture", "capture", "interval", "snapshot"].map((each) => `camera_front_${each}`);
    for (const key of [...wanted, ...ofCamera, "target_out_upload"]) {
      assert.ok(keys.includes(key), `${key} is shown`);
    }
    const answers = () =>
      home.packets
        .filter(({ topic: at }) => at.startsWith("framepost/gw/res/"))
        .map(({ payload }) => JSON.parse(payload.toString()) as Answer);
    for (const commandTopic of checked.commandTopics) {
      const before = answers().length;
      await home.say(commandTopic, "nonsense");
      await eventually(`${commandTopic} answers`, () => answers().length > before);
      const { state, code } = answers()[before] ?? {};
      assert.deepEqual([state, code], ["refused", "bad_args"], commandTopic);
    }
    await home.say("framepost/gw/set/camera_front_snapshot", "PRESS");
    await eventually("a snapshot is taken", () => answers().some(({ state }) => state === "done"));
    await home.say("framepost/gw/set/target_out_upload", "OFF");
    await eventually("what is shown follows", () => {
      const states = home.packets.filter(({ topic: at }) => at === "framepost/gw/state/target_out");
      return states.at(-1)?.payload.toString() === '{"connection":null,"upload":"OFF"}';
    });
    await agent.stop();
  }

  async function daemon(url: string, folder: string, remote: object, more: object = {}): Promise<AgentProcess> {
    const config = await writeConfig(folder, {
      device: { name: "gw" },
      cameras: [{ id: "front", driver: "simulated", interval: "100ms", width: 320, height: 180 }],
      targets: [{ id: "out", kind: "folder", path: join(folder, "out") }],
      remote: { url, ...remote },
      ...more,
    });
    return new AgentProcess(["run", "-c", config, "--data", join(folder, "data")]);
  }
});
