import assert from "node:assert/strict";
import { describe, it } from "mocha";
import { z } from "zod";
import { folderCamera } from "../../src/capture/folder/config.ts";
import { simulatedCamera } from "../../src/capture/simulated/config.ts";
import { webcamCamera, webcamOptions } from "../../src/capture/webcam/config.ts";
import { checkWebcamOptions } from "../../src/capture/webcam/options.ts";

const cameras = z.discriminatedUnion("driver", [webcamCamera, folderCamera, simulatedCamera]);

describe("camera config", () => {
  it("needs no more than a name, a driver and what only the operator knows", () => {
    const parsed = [
      { id: "door", driver: "webcam" },
      { id: "yard", driver: "folder", path: "/srv/ftp" },
      { id: "demo", driver: "simulated" },
    ].map((camera) => cameras.parse(camera));
    assert.deepEqual(
      parsed.map(({ interval }) => interval),
      [5_000, 0, 5_000],
    );
    assert.deepEqual(parsed[1], {
      id: "yard",
      driver: "folder",
      path: "/srv/ftp",
      interval: 0,
      mode: "watch",
      recursive: false,
    });
  });

  it("gives options that the webcam driver accepts", () => {
    const device = "/dev/v4l/by-id/usb-046d_HD_Pro_Webcam_C920_A1B2-video-index0";
    const config = webcamCamera.parse({ id: "door", driver: "webcam", device, delay: "2s", rotation: 180 });
    const options = webcamOptions(config);
    checkWebcamOptions(options);
    assert.deepEqual([options.delaySeconds, options.rotation, options.device], [2, 180, device]);
  });

  it("refuses what the driver would refuse, and unknown keys", () => {
    const webcam = { id: "door", driver: "webcam" };
    for (const wrong of [
      { device: "/dev/video0; reboot" },
      { device: "-h" },
      { program: "fswebcam --exec=reboot" },
      { quality: 96 },
      { delay: "1500ms" },
      { delay: "31s" },
      { rotation: 45 },
      { width: 1280.5 },
      { title: "hello" },
      { id: "Door 1" },
      { interval: "5" },
    ]) {
      assert.equal(cameras.safeParse({ ...webcam, ...wrong }).success, false, JSON.stringify(wrong));
    }
    assert.equal(cameras.safeParse({ id: "yard", driver: "folder" }).success, false);
    assert.equal(cameras.safeParse({ id: "yard", driver: "folder", path: "/x", mode: "twice" }).success, false);
  });

  it("describes every field for completion in editors", () => {
    for (const camera of [webcamCamera, folderCamera, simulatedCamera]) {
      const schema = z.toJSONSchema(camera, { io: "input" });
      assert.equal(schema.additionalProperties, false);
      for (const [name, field] of Object.entries(schema.properties ?? {})) {
        assert.ok(typeof field === "object" && (field.description ?? "").length > 5, name);
      }
      assert.deepEqual(schema.required, camera === folderCamera ? ["id", "driver", "path"] : ["id", "driver"]);
    }
  });

  it("can be extended by the root schema and stays strict", () => {
    const extended = webcamCamera.extend({ keep: z.array(z.string()) });
    assert.equal(extended.safeParse({ id: "door", driver: "webcam", keep: [] }).success, true);
    assert.equal(extended.safeParse({ id: "door", driver: "webcam", keep: [], other: 1 }).success, false);
  });
});
