import assert from "node:assert/strict";
import { before, describe, it } from "mocha";
import { needsProgram } from "../lib/programs.ts";
import { seededRandom } from "../lib/seams.ts";
import { TroubledBroker } from "../lib/troubled-broker.ts";

/** The long form: `npm run test:endurance -- remote-broker`. */
describe("Remote control at a troubled broker", () => {
  before(function () {
    needsProgram(this, "mosquitto", "mosquitto");
    needsProgram(this, "mosquitto_passwd", "mosquitto");
  });

  for (const protocol of ["5", "3.1.1"] as const) {
    it(`answers every request it received once, and does nothing twice (MQTT ${protocol})`, async () => {
      const timing = { keepaliveSeconds: 1, connectTimeoutMs: 500, ackTimeoutMs: 500 };
      const options = { protocol, hurry: 60, timing, requestEveryMs: 20, random: seededRandom(1) };
      await using troubled = await new TroubledBroker(options).start();
      const troubles = [
        () => troubled.restart(20, "SIGKILL"),
        () => troubled.refuseLogin(100),
        () => troubled.restart(20, "SIGTERM"),
        () => troubled.restart(20, "SIGKILL"),
      ];
      for (const trouble of troubles) {
        await troubled.received(5);
        await trouble();
      }
      await troubled.received(5);
      const counts = await troubled.settle(3_000);
      const { missing, surplus, twice, busy } = counts;
      assert.deepEqual({ missing, surplus, twice, busy }, { missing: 0, surplus: 0, twice: 0, busy: 0 });
    });
  }
});
