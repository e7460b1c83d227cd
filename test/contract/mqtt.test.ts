import { before, describe } from "mocha";
import { SandboxBroker } from "../../src/sandbox/broker.ts";
import { mqttTargetConfig } from "../../src/targets/mqtt/config.ts";
import { MqttTarget } from "../../src/targets/mqtt/target.ts";
import { Mosquitto } from "../lib/mosquitto.ts";
import { linkSeams, Subscriber } from "../lib/mqtt.ts";
import { needsProgram } from "../lib/programs.ts";
import { targetContract } from "./target.ts";

const password = "mqtt-password-canary-4711";

function targetAt(url: string): MqttTarget {
  const config = mqttTargetConfig.parse({ id: "lab", kind: "mqtt", url, username: "gate", password });
  return new MqttTarget({ config, device: "gw-07" }, linkSeams());
}

targetContract("mqtt, 3.1.1 broker in this process", async () => {
  const names = new Set<string>();
  const broker = new SandboxBroker({
    onPublish: ({ payload }) => names.add((JSON.parse(payload.toString()) as { name: string }).name),
  });
  const { url } = await broker.start();
  const targets: MqttTarget[] = [];
  const make = () => {
    const target = targetAt(url);
    targets.push(target);
    return target;
  };
  return {
    target: make(),
    restarted: () => Promise.resolve(make()),
    secrets: [password],
    received: () => Promise.resolve(names.size),
    vanish: () => broker.stop(),
    async [Symbol.asyncDispose]() {
      for (const target of targets) await target.close();
      await broker.stop();
    },
  };
});

describe("with mosquitto", () => {
  before(function () {
    needsProgram(this, "mosquitto", "mosquitto");
  });

  targetContract("mqtt, MQTT 5", async () => {
    const broker = await new Mosquitto().start();
    const receiver = await new Subscriber().start(broker.url);
    const target = targetAt(broker.url);
    return {
      target,
      secrets: [password],
      async received() {
        await receiver.caughtUp();
        const names = receiver.packets.map(({ payload }) => (JSON.parse(payload.toString()) as { name: string }).name);
        return new Set(names).size;
      },
      async freeze() {
        broker.freeze();
      },
      vanish: () => broker.kill(),
      async [Symbol.asyncDispose]() {
        await target.close();
        await receiver.stop();
        await broker.stop();
      },
    };
  });
});
