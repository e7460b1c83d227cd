import assert from "node:assert/strict";
import { describe, it } from "mocha";
import { configAdvice, pictureAdvice, sizeAdvice } from "../../agent/checks/camera-advice.ts";
import { type CameraConfig, configSchema } from "../../agent/config-schema.ts";
import type { V4lCamera } from "../../src/capture/discover/v4l.ts";
import type { PictureMeasures } from "../../src/core/picture.ts";

const byId = "/dev/v4l/by-id/usb-Front-video-index0";
const attached: readonly V4lCamera[] = [
  { kind: "v4l2", device: byId, node: "/dev/video0", name: "Front" },
  { kind: "v4l2", device: "/dev/video2", node: "/dev/video2", name: "Back" },
];
const good: PictureMeasures = {
  width: 1280,
  height: 720,
  lumaMean: 120,
  lumaP5: 20,
  lumaP95: 220,
  blackShare: 0,
  whiteShare: 0,
  flatShare: 0.2,
  sharpness: 0.6,
};

function cameraOf(settings: object): CameraConfig {
  const [camera] = configSchema.parse({ cameras: [{ id: "gate", driver: "webcam", ...settings }] }).cameras;
  assert.ok(camera);
  return camera;
}

describe("advice about a camera", () => {
  it("names the stable device where there is one", () => {
    const [advice] = configAdvice(cameraOf({ device: "/dev/video0" }), attached);
    assert.match(advice?.mend ?? "", /name it \/dev\/v4l\/by-id\/usb-Front-video-index0/);
    for (const device of [byId, "/dev/video2", "/dev/video9", "TEST:"]) {
      assert.deepEqual(configAdvice(cameraOf({ device }), attached), [], device);
    }
  });

  it("wants seconds between frames that open the camera anew", () => {
    for (const pace of [{ interval: "1s" }, { interval: "0s" }, { framesPerSecond: 2 }]) {
      const [advice] = configAdvice(cameraOf({ device: "TEST:", ...pace }), attached);
      assert.match(advice?.mend ?? "", /use driver ffmpeg/);
    }
    assert.deepEqual(configAdvice(cameraOf({ device: "TEST:", framesPerSecond: 0.5 }), attached), []);
    assert.deepEqual(configAdvice(cameraOf({ driver: "simulated", interval: "100ms" }), attached), []);
  });

  it("says of a size that was not asked for what the camera offers", () => {
    const camera = cameraOf({ width: 1280, height: 720 });
    const formats = [{ format: "MJPG", sizes: [{ width: 1920, height: 1080, framesPerSecond: [30] }] }];
    assert.match(sizeAdvice(camera, { width: 640, height: 480 }, formats)[0]?.mend ?? "", /offers: 1920×1080$/);
    assert.match(
      sizeAdvice(camera, { width: 640, height: 480 }, undefined)[0]?.mend ?? "",
      /width: 640 and height: 480/,
    );
    assert.deepEqual(sizeAdvice(camera, { width: 1280, height: 720 }, formats), []);
    assert.deepEqual(sizeAdvice(camera, { width: 720, height: 1280 }, formats), [], "a picture that was turned");
    assert.deepEqual(sizeAdvice(cameraOf({ driver: "folder", path: "/x" }), { width: 1, height: 1 }, []), []);
  });

  it("tells the worst fault of a picture alone, with what mends it", () => {
    assert.deepEqual(pictureAdvice(good), []);
    const dark = { ...good, lumaMean: 3, lumaP5: 0, lumaP95: 8, blackShare: 1, flatShare: 1 };
    assert.deepEqual(
      [dark, { ...good, whiteShare: 0.9 }, { ...good, flatShare: 1 }, { ...good, sharpness: 0.05 }].map((measures) =>
        pictureAdvice(measures).map(({ found }) => /dark|over-exposed|structure|blurred/.exec(found)?.[0]),
      ),
      [["dark"], ["over-exposed"], ["structure"], ["blurred"]],
    );
  });
});
