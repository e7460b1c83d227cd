import assert from "node:assert/strict";
import { describe, it } from "mocha";
import { cleanAddress, deviceService } from "../../src/capture/discover/onvif-address.ts";
import { profilesOf } from "../../src/capture/discover/onvif-answers.ts";

const host = "192.168.1.22";

describe("addresses of ONVIF devices", () => {
  it("lose logins, wherever they stand", () => {
    for (const [given, clean] of [
      ["rtsp://admin:hunter2@192.168.1.22:554/s1", "rtsp://192.168.1.22:554/s1"],
      [
        "http://192.168.1.22/snap.jpg?USER=admin&PWD=hunter2&size=1",
        "http://192.168.1.22/snap.jpg?USER=***&PWD=***&size=1",
      ],
      [
        "rtsp://192.168.1.22/user=admin_password=hunter2_channel=1_stream=0.sdp",
        "rtsp://192.168.1.22/user=***_password=***_channel=1_stream=0.sdp",
      ],
      ["rtsp://192.168.1.22/hunter2/live", "rtsp://192.168.1.22/***/live"],
    ] as const) {
      assert.deepEqual(cleanAddress(given, host, ["hunter2"]), { url: clean, hadLogin: true });
    }
    const plain = "rtsp://192.168.1.22:554/cam/realmonitor?channel=1&subtype=0";
    assert.deepEqual(cleanAddress(plain, host), { url: plain, hadLogin: false });
  });

  it("lead to the device where it names nobody, and say where it names another", () => {
    for (const nowhere of ["0.0.0.0", "127.0.0.1", "localhost", "169.254.1.2"]) {
      assert.equal(cleanAddress(`rtsp://${nowhere}:8554/a`, host)?.url, `rtsp://${host}:8554/a`);
    }
    assert.equal(cleanAddress("rtsp://10.0.0.9/a", host)?.otherHost, "10.0.0.9");
    assert.equal(cleanAddress("rtsp://10.0.0.9/a", host)?.url, "rtsp://10.0.0.9/a");
  });

  it("fetch nothing out of this machine's files and variables", () => {
    for (const [given, clean] of [
      ["rtsp://192.168.1.22/a?x=${file:/etc/shadow}", "rtsp://192.168.1.22/a?x=$%7Bfile:/etc/shadow}"],
      ["rtsp://192.168.1.22/a#${env:HOME}", "rtsp://192.168.1.22/a#$%7Benv:HOME}"],
    ] as const) {
      assert.equal(cleanAddress(given, host)?.url, clean);
    }
  });

  it("are none where they are no stream and no picture", () => {
    for (const given of [undefined, 7, "", "nonsense", "file:///etc/passwd", "javascript:alert(1)", "rtsp:///a"]) {
      assert.equal(cleanAddress(given, host), undefined, String(given));
    }
    assert.equal(cleanAddress(`rtsp://${host}/${"a".repeat(3_000)}`, host), undefined);
  });

  it("of a device service are a host, a host with a port, or the whole; never with a login", () => {
    assert.equal(deviceService("192.168.1.22")?.href, "http://192.168.1.22/onvif/device_service");
    assert.equal(deviceService("cam.local:8080")?.href, "http://cam.local:8080/onvif/device_service");
    assert.equal(deviceService("https://cam.local/onvif/x")?.href, "https://cam.local/onvif/x");
    for (const given of ["", "a b", "http://u:p@cam/", "http://cam/?user=a", "http://"]) {
      assert.equal(deviceService(given), undefined, given);
    }
  });
});

describe("profiles of ONVIF devices", () => {
  it("are read from answers of any shape, and left out without a token", () => {
    const encoder = {
      encoding: "H264",
      resolution: { width: 1920, height: "wide" },
      rateControl: { frameRateLimit: 0 },
    };
    const profiles = [
      { $: { token: 0 }, name: 1, videoEncoderConfiguration: encoder },
      { $: { token: "b" } },
      { name: "no token" },
      { $: { token: "<x>" } },
      "text",
      null,
    ];
    assert.deepEqual(profilesOf(profiles), [
      { token: "0", name: "1", encoding: "H264", width: 1920 },
      { token: "b", name: "b" },
    ]);
    for (const rubbish of [undefined, null, {}, "a"]) assert.deepEqual(profilesOf(rubbish), []);
  });
});
