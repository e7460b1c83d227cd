import assert from "node:assert/strict";
import { once } from "node:events";
import { type AddressInfo, createServer } from "node:net";
import { Aedes } from "aedes";
import { after, before, describe, it } from "mocha";
import { remoteCheck } from "../../agent/checks/remote.ts";
import { remoteConfig } from "../../src/remote/config.ts";
import { commandContext } from "../lib/command-context.ts";
import { freePort, Mosquitto, passwordLine } from "../lib/mosquitto.ts";
import { linkSeams } from "../lib/mqtt.ts";
import { needsProgram } from "../lib/programs.ts";

const password = "a-password-of-the-test";

describe("doctor on remote control", () => {
  let broker = new Mosquitto();

  before(async function () {
    needsProgram(this, "mosquitto", "mosquitto");
    broker = await new Mosquitto({
      lines: ["allow_anonymous false", "password_file @/passwords"],
      files: { passwords: passwordLine("gw", password) },
    }).start();
  });

  after(() => broker.stop());

  const found = async (settings: object): Promise<string> => {
    const remote = remoteConfig.parse({ url: broker.url, username: "gw", password, ...settings });
    const line = await remoteCheck(commandContext(), { remote, device: "gw" }, linkSeams());
    assert.equal(line?.check, "remote");
    return `${line.result}: ${line.found}; ${line.mend ?? ""}`;
  };

  for (const protocol of ["auto", "3.1.1"]) {
    it(`says that the broker is reached, and where requests come (${protocol})`, async () => {
      const version = protocol === "auto" ? "5" : protocol;
      assert.equal(
        await found({ protocol, groups: ["yard"] }),
        `ok: ${broker.url} lets us in with MQTT ${version}; ` +
          "requests come on framepost/gw/cmd/+, framepost/group/yard/cmd/+, framepost/all/cmd/+; ",
      );
    });
  }

  it("says what to mend where the broker is away, is none, or does not let us in", async () => {
    assert.match(await found({ password: "wrong" }), /^failed: .*\(MQTT_CREDENTIALS\); check username, password/);
    const nobody = `mqtt://127.0.0.1:${await freePort()}`;
    assert.match(await found({ url: nobody }), /^failed: .*\(NET_REFUSED\); check host and port of the url/);
    assert.match(await found({ url: "mqtt://broker.invalid" }), /^failed: .*\(NET_.*; check the /);
    const secure = broker.url.replace("mqtt:", "mqtts:");
    assert.match(await found({ url: secure }), /^failed: .*\((TLS|NET|MQTT)_[A-Z_]+\); check /);
  });

  it("says which requests the broker lets it not hear", async () => {
    const strict = await Aedes.createBroker({
      authorizeSubscribe: (_, asked, answer) => answer(null, asked.topic.includes("/all/") ? null : asked),
    });
    const server = createServer((socket) => void strict.handle(socket));
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    const { port } = server.address() as AddressInfo;
    try {
      assert.match(
        await found({ url: `mqtt://127.0.0.1:${port}`, protocol: "3.1.1" }),
        /^failed: .* forbids to read framepost\/all\/cmd\/\+ \(MQTT_NOT_AUTHORISED\); let gw read .*docs\/fleet\.md/,
      );
    } finally {
      strict.close();
      server.close();
    }
  });

  it("is left out where there is no remote control", async () => {
    assert.equal(await remoteCheck(commandContext(), { remote: undefined, device: "gw" }, linkSeams()), undefined);
  });
});
