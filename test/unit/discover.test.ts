import assert from "node:assert/strict";
import { chmod, mkdir, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, it } from "mocha";
import { discoverCameras } from "../../src/capture/discover/cameras.ts";
import { capabilitiesOf, capturingCameras } from "../../src/capture/discover/v4l.ts";
import { SystemClock } from "../../src/core/clock.ts";
import { tempFolder } from "../lib/temp.ts";

const clock = new SystemClock();
const never = new AbortController().signal;

const node = (number: number, name: string, more: object = {}) => ({
  node: `video${number}`,
  name,
  index: 0,
  links: [],
  ...more,
});

describe("camera discovery", () => {
  it("takes nodes that capture and leaves metadata, codecs and parts of a Raspberry Pi's own camera", () => {
    const found = capturingCameras([
      node(10, "HD Pro Webcam C920", { capabilities: ["capture"] }),
      node(2, "Microscope", { capabilities: ["capture"] }),
      node(3, "Microscope", { capabilities: [], index: 1 }),
      node(4, "Codec", { capabilities: ["capture", "video_output"] }),
      node(5, "bcm2835-isp-capture0", { capabilities: ["capture"] }),
      node(6, "unicam-image", { capabilities: ["capture"] }),
    ]);
    assert.deepEqual(
      found.map((camera) => camera.node),
      ["/dev/video2", "/dev/video10"],
    );
  });

  it("goes by the node's position where udev does not run", () => {
    const found = capturingCameras([node(0, "Camera"), node(1, "Camera", { index: 1 })]);
    assert.deepEqual(found, [{ kind: "v4l2", device: "/dev/video0", node: "/dev/video0", name: "Camera" }]);
  });

  it("names twins without serial numbers by their sockets, as both claim one name by id", () => {
    const byPath = (number: number) => `/dev/v4l/by-path/usb-${number}`;
    const twins = [
      node(0, "Cheap", { links: ["/dev/v4l/by-id/usb-Cheap", byPath(0)] }),
      node(2, "Cheap", { links: [byPath(2)] }),
      node(4, "Good", { links: ["/dev/v4l/by-id/usb-Good_1", byPath(4)] }),
      node(6, "Good", { links: ["/dev/v4l/by-id/usb-Good_2", byPath(6)] }),
    ];
    assert.deepEqual(
      capturingCameras(twins).map(({ device }) => device),
      [byPath(0), byPath(2), "/dev/v4l/by-id/usb-Good_1", "/dev/v4l/by-id/usb-Good_2"],
    );
  });

  it("reads udev's capabilities", () => {
    assert.deepEqual(capabilitiesOf("S:v4l\nE:ID_V4L_CAPABILITIES=:capture:\nE:ID_BUS=usb"), ["capture"]);
    assert.deepEqual(capabilitiesOf("E:ID_V4L_CAPABILITIES=:"), []);
    assert.equal(capabilitiesOf("E:ID_BUS=usb"), undefined);
  });

  it("names a camera by id, else by path, else by node", async () => {
    await using root = await tempFolder();
    const put = async (file: string, text: string) => {
      await mkdir(join(root.path, file, ".."), { recursive: true });
      await writeFile(join(root.path, file), text);
    };
    for (const [number, name] of ["Front", "Front", "Back\u001b]0;", "Side"].entries()) {
      await put(`sys/class/video4linux/video${number}/name`, `${name}\n`);
      await put(`sys/class/video4linux/video${number}/dev`, `81:${number}\n`);
      await put(`sys/class/video4linux/video${number}/index`, number === 1 ? "1\n" : "0\n");
      await put(`run/udev/data/c81:${number}`, `E:ID_V4L_CAPABILITIES=${number === 1 ? ":" : ":capture:"}\n`);
    }
    await put("sys/class/video4linux/v4l-subdev0/name", "a sensor\n");
    const link = async (folder: string, name: string, number: number) => {
      await mkdir(join(root.path, "dev/v4l", folder), { recursive: true });
      await symlink(`../../video${number}`, join(root.path, "dev/v4l", folder, name));
    };
    await link("by-id", "usb-Front-video-index0", 0);
    await link("by-path", "pci-1-video-index0", 0);
    await link("by-path", "pci-2-video-index0", 2);
    await put("bin/fswebcam", "#!/bin/sh\n");
    await chmod(join(root.path, "bin/fswebcam"), 0o755);
    const options = { formats: false, root: root.path, searchPath: `/no/such:${root.path}/bin` };
    assert.deepEqual(await discoverCameras(options, clock, never), {
      cameras: [
        { kind: "v4l2", device: "/dev/v4l/by-id/usb-Front-video-index0", node: "/dev/video0", name: "Front" },
        { kind: "v4l2", device: "/dev/v4l/by-path/pci-2-video-index0", node: "/dev/video2", name: "Back ]0;" },
        { kind: "v4l2", device: "/dev/video3", node: "/dev/video3", name: "Side" },
      ],
      programs: { fswebcam: join(root.path, "bin/fswebcam") },
    });
  });

  it("finds nothing where nothing is, without complaint", async () => {
    await using root = await tempFolder();
    const options = { formats: true, root: root.path, searchPath: "" };
    assert.deepEqual(await discoverCameras(options, clock, never), { cameras: [], programs: {} });
  });
});
