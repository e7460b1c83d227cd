import assert from "node:assert/strict";
import { describe, it } from "mocha";
import { parseFfmpegFormats, parseV4l2Ctl } from "../../src/capture/discover/formats.ts";
import { parsePiCameras } from "../../src/capture/discover/rpicam.ts";
import { discoverLimits } from "../../src/core/capture-limits.ts";

/** As v4l-utils prints it since 1.18. */
const v4l2Ctl = `ioctl: VIDIOC_ENUM_FMT
\tType: Video Capture

\t[0]: 'YUYV' (YUYV 4:2:2)
\t\tSize: Discrete 640x480
\t\t\tInterval: Discrete 0.033s (30.000 fps)
\t\t\tInterval: Discrete 0.133s (7.500 fps)
\t\tSize: Discrete 640x480
\t\t\tInterval: Discrete 0.033s (30.000 fps)
\t[1]: 'MJPG' (Motion-JPEG, compressed)
\t\tSize: Discrete 1280x720
\t\t\tInterval: Discrete 0.033s (30.000 fps)
\t\tSize: Discrete 1920x1080
\t\t\tInterval: Discrete 0.067s (15.000 fps)
\t\t\tInterval: Discrete 0.033s (30.000 fps)
\t[2]: 'Z16 ' (16-bit Depth)
`;

/** And before: Debian 10, older Raspberry Pi OS. */
const v4l2CtlBefore = `ioctl: VIDIOC_ENUM_FMT
\tIndex       : 0
\tType        : Video Capture
\tPixel Format: 'MJPG' (compressed)
\tName        : Motion-JPEG
\t\tSize: Discrete 1600x1200
\t\t\tInterval: Discrete 0.067s (15.000 fps)

\tIndex       : 1
\tType        : Video Capture
\tPixel Format: 'YUYV'
\tName        : YUYV 4:2:2
\t\tSize: Stepwise 32x32 - 3280x2464 with step 2/2
\t\t\tInterval: Stepwise 0.011s - 1.000s with step 0.011s (1.000-90.000 fps)
`;

const ffmpeg = `[video4linux2,v4l2 @ 0x5581e1c8b740] Raw       :     yuyv422 :           YUYV 4:2:2 : 640x480 160x120
[video4linux2,v4l2 @ 0x5581e1c8b740] Compressed:       mjpeg :          Motion-JPEG : 640x480 1920x1080 1280x720
[video4linux2,v4l2 @ 0x5581e1c8b740] Compressed: Unsupported :                 H264 MVC : 640x480
[video4linux2,v4l2 @ 0x5581e1c8b740] Raw       :        bgr24 : BGR3 : Emulated : {32-3280, 2}x{32-2464, 2}
/dev/video0: Immediate exit requested
`;

const sizes = (formats: ReturnType<typeof parseV4l2Ctl>) =>
  formats.map(({ format, sizes: all }) => [format, all.map(({ width, height }) => `${width}x${height}`).join(" ")]);

describe("what cameras offer", () => {
  it("is read from v4l2-ctl: ready JPEG first, the largest size first, each size once", () => {
    const formats = parseV4l2Ctl(v4l2Ctl);
    assert.deepEqual(sizes(formats), [
      ["MJPG", "1920x1080 1280x720"],
      ["YUYV", "640x480"],
      ["Z16", ""],
    ]);
    assert.deepEqual(formats[0]?.sizes[0]?.framesPerSecond, [30, 15]);
    assert.deepEqual(formats[1]?.sizes[0]?.framesPerSecond, [30, 7.5]);
  });

  it("is read from older releases, and of a range of sizes the largest", () => {
    const formats = parseV4l2Ctl(v4l2CtlBefore);
    assert.deepEqual(sizes(formats), [
      ["MJPG", "1600x1200"],
      ["YUYV", "3280x2464"],
    ]);
    assert.deepEqual(formats[1]?.sizes[0]?.framesPerSecond, [90]);
  });

  it("is read from ffmpeg, in the same names", () => {
    assert.deepEqual(sizes(parseFfmpegFormats(ffmpeg)), [
      ["MJPG", "1920x1080 1280x720 640x480"],
      ["YUYV", "640x480 160x120"],
      ["BGR3", "3280x2464"],
      ["H264 MVC", "640x480"],
    ]);
  });

  it("is nothing where a program fails, and bounded where it writes without end", () => {
    for (const text of ["", "Cannot open device /dev/video0, exiting.\n", "Size: Discrete 1x1\nInterval: (3 fps)"]) {
      assert.deepEqual(parseV4l2Ctl(text), []);
      assert.deepEqual(parseFfmpegFormats(text), []);
    }
    const many = Array.from({ length: 500 }, (_, n) => `\t[${n}]: 'F${n}' (x)\n${v4l2Ctl}`).join("");
    assert.equal(parseV4l2Ctl(many).length, discoverLimits.formatsMax);
    const wide = Array.from({ length: 5_000 }, (_, n) => `Size: Discrete ${n + 1}x1\n`).join("");
    assert.equal(parseV4l2Ctl(`[0]: 'MJPG' (x)\n${wide}`)[0]?.sizes.length, discoverLimits.sizesMax);
  });
});

describe("Raspberry Pi cameras", () => {
  const listing = `Available cameras
-----------------
0 : imx708_wide [4608x2592 10-bit RGGB] (/base/axi/pcie@120000/rp1/i2c@88000/imx708@1a)
    Modes: 'SRGGB10_CSI2P' : 1536x864 [120.13 fps - (768, 432)/3072x1728 crop]
                             2304x1296 [56.03 fps - (0, 0)/4608x2592 crop]
                             4608x2592 [14.35 fps - (0, 0)/4608x2592 crop]

1 : imx477 [4056x3040 12-bit RGGB] (/base/soc/i2c0mux/i2c@1/imx477@1a)
    Modes: 'SRGGB10_CSI2P' : 1332x990 [120.05 fps - (696, 528)/2664x1980 crop]
           'SRGGB12_CSI2P' : 2028x1080 [50.03 fps - (0, 440)/4056x2160 crop]
                             4056x3040 [nan fps - (0, 0)/4056x3040 crop]
`;

  it("are read from rpicam-hello, with their modes and without the sizes of their crops", () => {
    const [first, second] = parsePiCameras(listing);
    assert.deepEqual([first?.camera, first?.name], [0, "imx708_wide"]);
    assert.equal(first?.path, "/base/axi/pcie@120000/rp1/i2c@88000/imx708@1a");
    assert.deepEqual(sizes(first.formats), [["SRGGB10_CSI2P", "4608x2592 2304x1296 1536x864"]]);
    assert.deepEqual(first.formats[0]?.sizes[0]?.framesPerSecond, [14.35]);
    assert.equal(second?.camera, 1);
    assert.deepEqual(sizes(second.formats), [
      ["SRGGB10_CSI2P", "1332x990"],
      ["SRGGB12_CSI2P", "4056x3040 2028x1080"],
    ]);
    assert.deepEqual(second.formats[1]?.sizes[0]?.framesPerSecond, []);
  });

  it("are read from the first libcamera-hello too, which named sizes alone", () => {
    const [camera] = parsePiCameras(`Available cameras
-----------------
0 : imx219 [3280x2464] (/base/soc/i2c0mux/i2c@1/imx219@10)
    Modes: 'SRGGB10_CSI2P' : 640x480 1640x1232 3280x2464
           'SRGGB8' : 640x480
`);
    assert.deepEqual(sizes(camera?.formats ?? []), [
      ["SRGGB10_CSI2P", "3280x2464 1640x1232 640x480"],
      ["SRGGB8", "640x480"],
    ]);
  });

  it("are none where there are none", () => {
    assert.deepEqual(parsePiCameras("No cameras available!\n"), []);
    assert.deepEqual(parsePiCameras(""), []);
  });
});
