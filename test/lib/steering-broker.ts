import type { Context } from "mocha";
import { SandboxBroker } from "../../src/sandbox/broker.ts";
import { Mosquitto } from "./mosquitto.ts";
import { needsProgram } from "./programs.ts";

export type ProtocolVersion = "5" | "3.1.1";

export const protocolVersions: readonly ProtocolVersion[] = ["5", "3.1.1"];

export interface SteeringBroker extends AsyncDisposable {
  readonly url: string;
}

/** By which a device is steered in tests of both versions: Mosquitto on MQTT 5, the one in this process on 3.1.1. */
export async function steeringBroker(version: ProtocolVersion, test: Context): Promise<SteeringBroker> {
  if (version === "5") needsProgram(test, "mosquitto", "mosquitto");
  const broker = version === "5" ? new Mosquitto() : new SandboxBroker({ recordTopics: /^nothing$/ });
  const { url } = await broker.start();
  return {
    url,
    async [Symbol.asyncDispose]() {
      await broker.stop();
    },
  };
}
