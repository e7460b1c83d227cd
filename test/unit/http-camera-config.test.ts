import assert from "node:assert/strict";
import { describe, it } from "mocha";
import { configSchema } from "../../agent/config-schema.ts";
import { withAbsolutePaths } from "../../agent/relative-paths.ts";
import { cameraWarnings } from "../../agent/warnings.ts";
import { httpCameraOptions, httpMjpegCamera, httpSnapshotCamera } from "../../src/capture/http/config.ts";
import { parseConfig } from "../../src/config/load.ts";
import { shownConfig } from "../../src/config/redact.ts";
import { motion } from "../../src/config/sections.ts";
import { writeYaml } from "../../src/config/yaml.ts";

const least = { id: "gate", driver: "http-snapshot", url: "http://192.168.1.20/a.jpg" };

describe("config of cameras read by HTTP", () => {
  it("needs an address only, and gives the driver its options", () => {
    const options = httpCameraOptions(httpSnapshotCamera.parse(least));
    assert.deepEqual(JSON.parse(JSON.stringify(options)), { url: least.url, timeoutMs: 10_000 });
    const stream = { ...least, driver: "http-mjpeg", username: "viewer", password: "x", timeout: "3s" };
    assert.deepEqual(JSON.parse(JSON.stringify(httpCameraOptions(httpMjpegCamera.parse(stream)))), {
      url: least.url,
      username: "viewer",
      password: "x",
      timeoutMs: 3_000,
    });
  });

  it("refuses what cannot work, and says what to write instead", () => {
    for (const [wrong, message] of [
      [{ url: "http://viewer:secret@192.168.1.20/a.jpg" }, /no user:password@ in it; write username and password/],
      [{ url: "http://viewer@192.168.1.20/a.jpg" }, /no user:password@/],
      [{ url: "rtsp://192.168.1.20/a" }, /expected an address such as http/],
      [{ url: "192.168.1.20/a.jpg" }, /expected an address such as http/],
      [{ url: "http://192.168.1.20/a?pwd=x#y" }, /written %23/],
      [{ password: "x" }, /needs a username/],
      [{ username: "a:b" }, /no colon/],
      [{ headers: { "X Key": "x" } }, /Invalid key|name of an HTTP header/],
      [{ headers: { "X-Key": "a\nb" } }, /visible ASCII/],
      [{ timeout: "0s" }, /1s to 120s/],
    ] as const) {
      const { error } = httpSnapshotCamera.safeParse({ ...least, ...wrong });
      assert.match(JSON.stringify(error?.issues), message, JSON.stringify(wrong));
      assert.doesNotMatch(error?.message ?? "", /secret/);
    }
  });

  it("warns of what goes unencrypted over the internet, and of certificates that nobody checks", () => {
    const warnings = (camera: object) => {
      const rest = { keep: {}, motion: motion.parse({}), imageHealth: true };
      return cameraWarnings({ ...httpSnapshotCamera.parse({ ...least, ...camera }), ...rest });
    };
    assert.deepEqual(warnings({ username: "viewer", password: "x" }), []);
    assert.match(
      String(warnings({ url: "http://cam.example/a", password: "x", username: "y" })),
      /what logs in .*cam\.example/,
    );
    assert.match(String(warnings({ url: "http://cam.example/a?pwd=x" })), /^gate: what logs in to the camera/);
    assert.match(String(warnings({ url: "http://cam.example/a" })), /^gate: its pictures pass unencrypted/);
    assert.deepEqual(warnings({ url: "https://cam.example/a" }), []);
    assert.match(String(warnings({ tls: { insecureSkipVerify: true } })), /certificate is not checked/);
  });

  it("is shown without any of its secrets", async () => {
    const text = [
      "cameras:",
      "  - id: gate",
      "    driver: http-snapshot",
      "    url: http://cam.lan/shot.cgi?user=admin&pwd=${env:GATE_PASSWORD}",
      "    username: viewer",
      "    password: ${env:GATE_PASSWORD}",
      "    headers:",
      "      X-Key: ${env:GATE_KEY}",
      "  - id: yard",
      "    driver: http-mjpeg",
      "    url: http://cam.lan/video?user=admin&pwd=Written4All",
      "    tls: { ca: certificates/yard.pem }",
      "  - id: drive",
      "    driver: ffmpeg",
      "    input: rtsp://cam.lan/user=guest_password=In_The_Path_channel=1_stream=0.sdp",
      "",
    ].join("\n");
    const variables = { GATE_PASSWORD: "Sec/ret 1", GATE_KEY: "KeyOfGate" };
    const { config, redacted, secrets } = await parseConfig(text, "/etc/a.yaml", configSchema, { variables });
    const shown = writeYaml(shownConfig(configSchema, config, { redacted, secrets }));
    for (const secret of ["Sec/ret 1", "Sec%2Fret", "KeyOfGate", "Written4All", "In_The_Path"]) {
      assert(!shown.includes(secret), shown);
      assert(!JSON.stringify(redacted).includes(secret), JSON.stringify(redacted));
    }
    assert.match(shown, /cam\.lan\/shot\.cgi/);
    assert.match(shown, /cam\.lan\/video/);
    assert.match(shown, /cam\.lan\/user=guest_password=\*\*\*_channel=1_stream=0\.sdp/);
    for (const secret of ["Sec/ret 1", "KeyOfGate", "Written4All", "In_The_Path"])
      assert(secrets.includes(secret), secret);
    const [, yard] = withAbsolutePaths(config, "/etc/a.yaml").cameras;
    assert(yard?.driver === "http-mjpeg");
    assert.equal(yard.tls?.ca, "/etc/certificates/yard.pem");
  });
});
