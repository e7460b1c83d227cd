import assert from "node:assert/strict";
import { describe, it } from "mocha";
import { rpicamCamera } from "../../src/capture/rpicam/config.ts";
import { rpicamDriver } from "../../src/capture/rpicam/driver.ts";
import { isAllowedArgument, videoArguments } from "../../src/capture/rpicam/options.ts";
import { SystemClock } from "../../src/core/clock.ts";

const camera = { id: "nest", driver: "rpicam" };

describe("rpicam driver", () => {
  it("asks for a stream of JPEGs on the standard output, without an end", () => {
    const { mode, ...options } = rpicamCamera.parse({ ...camera, rotation: 180, arguments: ["--awb=daylight"] });
    assert.equal(mode, "video");
    assert.equal(
      videoArguments({ ...options, mode }).join(" "),
      "-n -t 0 --codec mjpeg --flush --camera 0 --width 1280 --height 720 -q 85 --rotation 180 --framerate 5 --awb=daylight -o -",
    );
  });

  it("takes further options by their shape, and none that would write elsewhere or end the stream", () => {
    for (const allowed of [
      "--awb=daylight",
      "--hdr",
      "--roi=0.25,0.25,0.5,0.5",
      "--tuning-file=/usr/share/x.json",
      "--mode=2304:1296:10:P",
    ]) {
      assert.ok(isAllowedArgument(allowed), allowed);
    }
    const named = ["output", "codec", "metadata", "timeout", "config", "save-pts", "camera", "width", "frames"];
    // The program takes any beginning of a name for the whole of it.
    const begun = named.flatMap((name) => [name, name.slice(0, 3), name.slice(0, 1)]);
    const refused = [
      ...begun.flatMap((name) => [`--${name}`, `--${name}=x`]),
      "-o",
      "-t",
      "awb",
      "",
      "--",
      "--awb daylight",
      "--awb=$(reboot)",
      "--Awb",
      "--awb=\n",
    ];
    for (const argument of refused) {
      assert.ok(!isAllowedArgument(argument), argument);
      assert.equal(rpicamCamera.safeParse({ ...camera, arguments: [argument] }).success, false);
    }
  });

  it("refuses at its start what its config would refuse", async () => {
    const options = rpicamCamera.parse(camera);
    const driver = rpicamDriver({ ...options, arguments: ["--output=/etc/passwd"] }, new SystemClock());
    await assert.rejects(driver.start(new AbortController().signal), { code: "CAMERA_OPTION_REFUSED" });
    for (const wrong of [
      { rotation: 90 },
      { quality: 0 },
      { camera: -1 },
      { mode: "timelapse" },
      { width: 1 },
      { program: "sh" },
    ]) {
      assert.equal(rpicamCamera.safeParse({ ...camera, ...wrong }).success, false, JSON.stringify(wrong));
    }
  });
});
