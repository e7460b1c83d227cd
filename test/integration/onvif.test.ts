import assert from "node:assert/strict";
import type { ServerResponse } from "node:http";
import { describe, it } from "mocha";
import { describeOnvifDevice, findOnvifDevices } from "../../src/capture/discover/onvif.ts";
import { SystemClock } from "../../src/core/clock.ts";
import { AgentError } from "../../src/core/errors.ts";
import { onvif } from "../../agent/onvif-listing.ts";
import { configSchema } from "../../agent/config-schema.ts";
import { parseConfig } from "../../src/config/load.ts";
import { commandContext } from "../lib/command-context.ts";
import { framepost } from "../lib/command.ts";
import { framepostInside } from "../lib/command-inside.ts";
import { envelope, fault, OnvifDevice, probeMatch } from "../lib/onvif-device.ts";
import { unusedPort } from "../lib/servers.ts";

const clock = new SystemClock();
const never = new AbortController().signal;
const probe = { timeoutMs: 300, interfaces: ["lo"] };
const login = { username: "viewer", password: "p&ss-wörd-17" };

describe("ONVIF", function () {
  this.timeout(20_000);

  const failure = async (work: Promise<unknown>): Promise<AgentError> => {
    const error: unknown = await work.then(
      () => assert.fail("it did not fail"),
      (reason: unknown) => reason,
    );
    assert.ok(error instanceof AgentError, String(error));
    return error;
  };

  describe("discovery", () => {
    it("finds a device by its own name, at the one of its addresses that it answers from", async () => {
      await using device = await new OnvifDevice().start();
      const found = await findOnvifDevices(probe, never);
      assert.deepEqual(found, [{ name: "Front door AB-1", service: device.service }]);
      assert.deepEqual(device.actions, [], "nobody connects to what a datagram names");
    });

    it("survives rubbish, half answers and two devices at one time", async () => {
      const rubbish = [
        "hello",
        "<a/>",
        envelope("<ProbeMatches/>"),
        envelope("<ProbeMatches><ProbeMatch/></ProbeMatches>"),
      ];
      await using noisy = await new OnvifDevice({ matches: () => [...rubbish, "", "\u0000\u00ff"] }).start();
      const hostile = (service: string, id: string) => [
        ...probeMatch("javascript:alert(1)", `${id}1`, "%E0%A4%A"),
        ...probeMatch(service, id, "Back%0A%1b[31mdoor"),
      ];
      await using other = await new OnvifDevice({ matches: hostile }).start();
      const found = await findOnvifDevices(probe, never);
      assert.deepEqual(
        found.filter(({ service }) => service === other.service).map(({ name }) => name),
        ["Back  [31mdoor AB-1"],
      );
      assert.ok(found.every(({ service }) => service !== noisy.service));
    });

    it("ends at once when it is stopped", async () => {
      const stop = new AbortController();
      const startedMs = performance.now();
      setTimeout(() => stop.abort(), 30);
      await assert.rejects(findOnvifDevices({ ...probe, timeoutMs: 500 }, stop.signal), { name: "AbortError" });
      assert.ok(performance.now() - startedMs < 400);
    });
  });

  describe("one device", () => {
    const describeAt = (device: OnvifDevice, as: typeof login | undefined = login) =>
      describeOnvifDevice(`127.0.0.1:${device.port}`, as, clock, never);

    it("is asked for its profiles with a digest of the password alone", async () => {
      await using device = await new OnvifDevice({ login }).start();
      const profiles = await describeAt(device);
      assert.deepEqual(profiles[0], {
        name: "Main stream",
        encoding: "H264",
        width: 2560,
        height: 1440,
        framesPerSecond: 20,
        stream: { url: "rtsp://127.0.0.1:554/stream1", hadLogin: false },
        snapshot: { url: "http://127.0.0.1/snapshot.jpg", hadLogin: false },
      });
      assert.equal(profiles.length, 2);
      assert.ok(device.bodies.every((body) => !body.includes(login.password)));
    });

    it("is asked by the older question where it knows no other, and may lack still pictures", async () => {
      const answers = {
        GetServices: fault("ter:ActionNotSupported", "no"),
        GetSnapshotUri: fault("ter:NoSnapshot", "no"),
      };
      await using device = await new OnvifDevice({ answers }).start();
      const profiles = await describeAt(device, undefined);
      assert.deepEqual(
        profiles.map(({ stream, snapshot }) => [stream?.url, snapshot?.url]),
        Array.from({ length: 2 }, () => ["rtsp://127.0.0.1:554/stream1", undefined]),
      );
    });

    it("gives out no login and no host that nobody can reach", async () => {
      const streamUri = "rtsp://admin:hunter2@10.9.9.9:554/user=admin&password=hunter2&channel=1.sdp?token=abcdef";
      const options = {
        namedHost: "0.0.0.0",
        streamUri,
        snapshotUri: "http://0.0.0.0:81/snap.jpg?usr=admin&pwd=hunter2",
      };
      await using device = await new OnvifDevice(options).start();
      const [profile] = await describeAt(device, undefined);
      assert.doesNotMatch(JSON.stringify(profile), /hunter2|abcdef/);
      assert.equal(profile?.stream?.otherHost, "10.9.9.9");
      assert.equal(profile.stream.hadLogin, true);
    });

    it("every failure has a code and ends in time", async () => {
      const page = (response: ServerResponse) => response.writeHead(200).end("<html>welcome");
      const cases: readonly (readonly [OnvifDevice, string])[] = [
        [new OnvifDevice({ login: { ...login, password: "another" } }), "ONVIF_LOGIN"],
        [new OnvifDevice({ answers: { GetSystemDateAndTime: page } }), "ONVIF_ANSWER"],
        [new OnvifDevice({ answers: { GetProfiles: envelope("<GetProfilesResponse/>") } }), "ONVIF_ANSWER"],
        [new OnvifDevice({ answers: { GetProfiles: fault("ter:Odd", "Odd\u001b[2J") } }), "ONVIF_REFUSED"],
        [new OnvifDevice({ answers: { GetServices: (response) => response.destroy() } }), "ONVIF_UNREACHABLE"],
        [new OnvifDevice({ answers: { GetProfiles: flood } }), "ONVIF_ANSWER"],
      ];
      for (const [stand, code] of cases) {
        await using device = await stand.start();
        const error = await failure(describeAt(device));
        assert.equal(error.code, code, error.message);
        assert.doesNotMatch(error.message, /[\u0000-\u001f]|wörd/);
      }
      const port = await unusedPort();
      assert.equal(
        (await failure(describeOnvifDevice(`127.0.0.1:${port}`, login, clock, never))).code,
        "ONVIF_UNREACHABLE",
      );
      assert.equal((await failure(describeOnvifDevice("http://u:p@host/", login, clock, never))).code, "USAGE_HOST");
    });

    it("a device that never ends its answer is given up", async () => {
      const hang = (response: ServerResponse) => void response.writeHead(200).write("<s:Envelope>");
      await using device = await new OnvifDevice({ answers: { GetServices: hang } }).start();
      const stop = new AbortController();
      setTimeout(() => stop.abort(), 200);
      const work = describeOnvifDevice(`127.0.0.1:${device.port}`, login, clock, stop.signal);
      await assert.rejects(work, { name: "AbortError" });
    });
  });

  describe("framepost cameras --onvif", () => {
    const password = "onvif-secret-9931";

    it("lists devices, and prints cameras for the config that its own checker takes, without the password", async () => {
      await using device = await new OnvifDevice({ login: { username: "viewer", password } }).start();
      const list = ["cameras", "--onvif", "--interface", "lo", "--timeout", "300ms"];
      const found = await framepost(list);
      assert.equal(found.code, 0, found.stderr);
      assert.match(
        found.stdout,
        /^device +address\nFront door AB-1 +http:\/\/127\.0\.0\.1:\d+\/onvif\/device_service\n$/,
      );
      const env = { FRAMEPOST_ONVIF_PASSWORD: password };
      const ran = await framepostInside(["cameras", "--onvif", device.service, "--username", "viewer"], env);
      assert.equal(ran.code, 0, ran.stderr);
      assert.doesNotMatch(ran.stdout + ran.stderr, new RegExp(password));
      const named = new Set(ran.stdout.match(/\$\{credential:[a-z-]+\}/g));
      assert.deepEqual([...named], ["${credential:main-stream-password}"], "one device has one password");
      assert.match(ran.stderr, /credentials\/main-stream-password/);
      const text = ran.stdout.replaceAll(/\$\{credential:[a-z-]+\}/g, "something");
      const { config } = await parseConfig(text, "snippet.yaml", configSchema, { variables: {} });
      assert.deepEqual(
        config.cameras.map(({ id, driver }) => [id, driver]),
        [
          ["main-stream", "ffmpeg"],
          ["main-stream-still", "http-snapshot"],
          ["sub", "ffmpeg"],
          ["sub-still", "http-snapshot"],
        ],
      );
    });

    it("asks for no password on the command line, and sends none to whoever answers", async () => {
      const asked = { username: "viewer" };
      for (const work of [
        onvif(commandContext(), true, asked),
        onvif(commandContext(), true, { interface: "no-such-net0" }),
        onvif(commandContext(), "127.0.0.1:1", asked),
        onvif(commandContext(), "127.0.0.1:1", { ...asked, passwordFile: "/nowhere" }),
      ]) {
        assert.equal((await failure(work)).code, "USAGE_ONVIF");
      }
    });
  });
});

/** More than any bound, for as long as somebody reads. */
function flood(response: ServerResponse): void {
  const chunk = Buffer.alloc(256 * 1_024, "x");
  const more = (): void => {
    while (!response.destroyed && response.write(chunk));
  };
  response.on("drain", more).on("error", () => undefined);
  more();
}
