import assert from "node:assert/strict";
import { describe, it } from "mocha";
import { configSchema } from "../../agent/config-schema.ts";
import { withAbsolutePaths } from "../../agent/relative-paths.ts";

describe("paths in a config", () => {
  const config = configSchema.parse({
    dataDir: "../state",
    detector: { model: "models/own.onnx", manifest: "models/own.json" },
    cameras: [
      { id: "drop", driver: "folder", path: "incoming" },
      { id: "usb", driver: "webcam", device: "/dev/video0" },
    ],
    targets: [
      { id: "set", kind: "folder", path: "/srv/set" },
      { id: "lab", kind: "mqtt", url: "mqtts://broker.example", tls: { ca: "ca.pem" } },
    ],
  });

  it("are relative to the file that holds them", () => {
    const found = withAbsolutePaths(config, "/etc/framepost/framepost.yaml");
    assert.equal(found.dataDir, "/etc/state");
    assert.equal(found.detector.model, "/etc/framepost/models/own.onnx");
    assert.equal(found.detector.manifest, "/etc/framepost/models/own.json");
    assert.deepEqual(
      found.cameras.map((camera) => ("path" in camera ? camera.path : camera.driver)),
      ["/etc/framepost/incoming", "webcam"],
    );
    assert.deepEqual(
      found.targets.map((target) => ("path" in target ? target.path : target.tls?.ca)),
      ["/srv/set", "/etc/framepost/ca.pem"],
    );
  });

  it("leave a model's bare name alone", () => {
    const named = { ...config, detector: { ...config.detector, model: "tiny-yolo8" } };
    assert.equal(withAbsolutePaths(named, "/etc/framepost/framepost.yaml").detector.model, "tiny-yolo8");
  });
});
