import assert from "node:assert/strict";
import { describe, it } from "mocha";
import { offersJpeg, problemIn, videoCodecOf } from "../../src/capture/ffmpeg/answers.ts";
import { askRun, streamRun } from "../../src/capture/ffmpeg/arguments.ts";
import { ffmpegCamera, ffmpegOptions, ffmpegWarnings } from "../../src/capture/ffmpeg/config.ts";
import { inputOf, inputProblem, sourceName } from "../../src/capture/ffmpeg/input.ts";
import { encodedPerSecond, type FfmpegOptions } from "../../src/capture/ffmpeg/options.ts";

function options(input: string, more: Readonly<Record<string, unknown>> = {}): FfmpegOptions {
  return ffmpegOptions(ffmpegCamera.parse({ id: "door", driver: "ffmpeg", input, ...more }));
}

function problemsOf(config: Readonly<Record<string, unknown>>): string {
  const { error } = ffmpegCamera.safeParse({ id: "door", driver: "ffmpeg", ...config });
  return (error?.issues ?? []).map(({ path, message }) => `${path.join(".")}: ${message}`).join("; ");
}

function argumentAfter(argv: readonly string[], name: string): string | undefined {
  return argv.includes(name) ? argv[argv.indexOf(name) + 1] : undefined;
}

describe("an ffmpeg input", () => {
  it("is told apart by its form", () => {
    const kinds = {
      "/dev/v4l/by-id/usb-046d_HD_Webcam-video-index0": "v4l2",
      "rtsp://camera/stream": "rtsp",
      "RTSPS://camera/stream": "rtsp",
      "http://camera/video.mjpg": "http",
      "https://camera/video.mjpg?channel=1": "http",
      "lavfi:testsrc2=size=320x240": "lavfi",
      "film.avi": "file",
      "/srv/my films/100%.mp4": "file",
    };
    for (const [text, kind] of Object.entries(kinds)) {
      assert.equal(inputOf(text).kind, kind, text);
      assert.equal(inputProblem(text), undefined, text);
    }
  });

  it("is refused when it is none, without a word of what it was", () => {
    const texts = [
      "rtsp://viewer:swordfish@camera/",
      "rtsp://camera/a b",
      "http://camera/it's",
      "ftp://camera/x",
      "http://",
    ];
    for (const text of [...texts, "lavfi:", "/dev/video0; reboot", "film\n.avi", "rtsp://swordfish@camera/"]) {
      const problem = inputProblem(text);
      assert.ok(problem !== undefined && !problem.includes("swordfish") && !problem.includes("camera/"), text);
    }
    assert.match(problemsOf({ input: "rtsp://viewer:swordfish@camera/" }), /^input: write user and password into/);
  });

  it("is named in errors without its parameters", () => {
    assert.equal(sourceName(inputOf("http://camera/video?user=a&pwd=b")), "http://camera/video");
    assert.equal(sourceName(inputOf("rtsp://camera/user=admin_password=x_channel=1")), "rtsp://camera/user");
  });
});

describe("the config of an ffmpeg camera", () => {
  it("refuses what does not fit together", () => {
    const cases: readonly (readonly [Readonly<Record<string, unknown>>, RegExp])[] = [
      [{ input: "film.avi", username: "viewer" }, /^username: needs/],
      [{ input: "rtsp://camera/", password: "x" }, /^password: needs a username/],
      [{ input: "http://camera/", tls: {} }, /^tls: needs/],
      [{ input: "rtsps://camera/" }, /^input: ffmpeg does not check/],
      [{ input: "film.avi", encoding: "copy", width: 320 }, /^encoding: a copied picture/],
      [{ input: "film.avi", program: "sh -c" }, /^program: expected/],
    ];
    for (const [config, expected] of cases) assert.match(problemsOf(config), expected);
    const fitting = [
      { input: "rtsps://camera/", tls: { insecureSkipVerify: true } },
      { input: "https://camera/", tls: { ca: "camera.pem" }, username: "a", password: "b" },
      { input: "/dev/video0", encoding: "copy", width: 320 },
    ];
    for (const config of fitting) assert.equal(problemsOf(config), "");
  });

  it("warns of what passes unencrypted over the internet, and of certificates that nobody checks", () => {
    const warnings = (config: object) =>
      ffmpegWarnings(ffmpegCamera.parse({ id: "door", driver: "ffmpeg", ...config }));
    const [open = ""] = warnings({ input: "rtsp://camera.example/x", username: "a", password: "swordfish" });
    assert.match(open, /^door: the password and its pictures pass unencrypted/);
    assert.equal(warnings({ input: "rtsps://camera/", tls: { insecureSkipVerify: true } }).length, 1);
    for (const input of ["rtsp://192.168.1.2/", "https://camera.example/", "film.avi", "/dev/video0"]) {
      assert.deepEqual(warnings({ input }), []);
    }
  });
});

describe("a command line of ffmpeg", () => {
  const password = `sw'ord "fi%sh" @:/?#`;
  const login = { username: "it's me", password };

  it("holds nothing of an address, which goes to standard input with user and password", () => {
    for (const input of ["rtsp://camera/stream?key=swordfish", "http://camera/stream?key=swordfish"]) {
      const given = options(input, login);
      for (const { argv, input: list = "", secrets } of [
        streamRun(given, "copy"),
        streamRun(given, "jpeg"),
        askRun(given),
      ]) {
        const line = argv.join(" ");
        for (const word of ["camera", "sw'ord", "sw%27ord", "swordfish", "it's"])
          assert.equal(line.includes(word), false, word);
        const encoded = "sw%27ord%20%22fi%25sh%22%20%40%3A%2F%3F%23";
        assert.ok(list.includes(`file '${input.replace("://", `://it%27s%20me:${encoded}@`)}'\n`), list);
        for (const secret of [password, "key=swordfish"]) assert.ok(secrets.includes(secret), secret);
      }
    }
  });

  it("lets a camera lead ffmpeg to no file, and out of no encryption", () => {
    const whitelist = (input: string, more = {}) =>
      argumentAfter(streamRun(options(input, more), "copy").argv, "-protocol_whitelist")?.split(",") ?? [];
    for (const input of ["rtsp://camera/", "http://camera/", "https://camera/"]) {
      assert.equal(whitelist(input).includes("file"), false);
      assert.ok(whitelist(input).includes("pipe"));
    }
    assert.equal(whitelist("https://camera/").includes("http"), false);
  });

  it("checks the certificate of an https camera unless told not to", () => {
    const list = (tls?: object) =>
      streamRun(options("https://camera/", tls === undefined ? {} : { tls }), "copy").input ?? "";
    assert.match(list(), /^option tls_verify '1'$/m);
    assert.match(list({ ca: "/etc/it's.pem" }), /^option ca_file '\/etc\/it'\\''s.pem'$/m);
    assert.match(list({ insecureSkipVerify: true }), /^option tls_verify '0'$/m);
  });

  it("gives up a silent camera no sooner than we would", () => {
    const list = (more: Readonly<Record<string, unknown>>) =>
      streamRun(options("rtsp://camera/", more), "copy").input ?? "";
    assert.match(list({}), /^option timeout '10000000'$/m);
    assert.match(list({ stallAfter: "1m" }), /^option timeout '60000000'$/m);
    assert.match(list({ sourceFramesPerSecond: 0.1 }), /^option timeout '50000000'$/m);
  });

  it("asks a device for its mode, and for JPEGs where they are to be copied", () => {
    const given = options("/dev/video0", { width: 640, height: 480, sourceFramesPerSecond: 5 });
    const { argv, input } = streamRun(given, "copy");
    assert.equal(input, undefined);
    assert.equal(argumentAfter(argv, "-input_format"), "mjpeg");
    assert.equal(argumentAfter(argv, "-video_size"), "640x480");
    assert.equal(argumentAfter(argv, "-framerate"), "5");
    const encoded = streamRun(options("/dev/video0"), "jpeg").argv;
    assert.equal(argumentAfter(encoded, "-input_format"), undefined);
    assert.equal(argumentAfter(encoded, "-video_size"), "1280x720");
    assert.equal(argumentAfter(askRun(given).argv, "-list_formats"), "all");
  });

  it("encodes no more than is wanted, but at least one a second", () => {
    const rates = [
      ["0s", undefined],
      ["5s", 1],
      ["200ms", 5],
    ] as const;
    for (const [interval, rate] of rates) assert.equal(encodedPerSecond(options("film.mp4", { interval })), rate);
    assert.equal(encodedPerSecond(options("film.mp4", { interval: "5s", sourceFramesPerSecond: 0.2 })), 0.2);
    assert.equal(argumentAfter(streamRun(options("film.mp4", { interval: "0s" }), "jpeg").argv, "-vf"), undefined);
  });

  it("scales only what is encoded, and takes a quality for ffmpeg's own scale", () => {
    assert.match(
      argumentAfter(streamRun(options("film.mp4", { width: 320 }), "jpeg").argv, "-vf") ?? "",
      /,scale=320:-2$/,
    );
    const scale = (quality: number) =>
      Number(argumentAfter(streamRun(options("film.mp4", { quality }), "jpeg").argv, "-q:v"));
    assert.deepEqual([1, 50, 85, 100].map(scale), [31, 12, 4, 2]);
  });
});

describe("what ffmpeg says", () => {
  it("names the codec of the first video stream", () => {
    const said = [
      "Input #0, rtsp, from 'x':",
      "Stream #0:0: Audio: aac (LC), 48000 Hz, stereo",
      "Stream #0:1[0x1](und): Video: h264 (High) (avc1 / 0x31637661), yuv420p, 1920x1080, 25 fps",
      "Stream #0:2: Video: mjpeg (Baseline), yuvj420p",
    ];
    assert.equal(videoCodecOf(said), "h264");
    assert.equal(videoCodecOf(said.slice(3)), "mjpeg");
    assert.equal(videoCodecOf(said.slice(0, 2)), undefined);
  });

  it("tells whether a device gives JPEGs", () => {
    const raw = "[video4linux2,v4l2 @ 0x5]   Raw       :     yuyv422 :           YUYV 4:2:2 : 640x480 1280x720";
    const jpeg = "[video4linux2,v4l2 @ 0x5] Compressed:       mjpeg :          Motion-JPEG : 640x480 1280x720";
    const other = "[video4linux2,v4l2 @ 0x5] Compressed: Unsupported :           mjpeg-like : 640x480";
    assert.equal(offersJpeg([raw, jpeg]), true);
    assert.equal(offersJpeg([raw, other]), false);
    assert.equal(offersJpeg(["[video4linux2 @ 0x1] C : mjpeg : MJPEG : 640x480"]), true);
  });

  it("becomes a code and a reason where it is known, whatever follows it", () => {
    const cases = {
      "[rtsp @ 0x1] method DESCRIBE failed: 401 Unauthorized": "CAMERA_LOGIN_REFUSED",
      "pipe:0: Server returned 403 Forbidden (access denied)": "CAMERA_LOGIN_REFUSED",
      "pipe:0: Server returned 404 Not Found": "CAMERA_NOT_FOUND",
      "[rtsp @ 0x1] method SETUP failed: 461 Unsupported transport": "CAMERA_HTTP_STATUS",
      "pipe:0: Server returned 5XX Server Error reply": "CAMERA_HTTP_STATUS",
      "[tls @ 0x1] Peer certificate failed verification": "CAMERA_TLS",
      "pipe:0: Connection refused": "CAMERA_UNREACHABLE",
      "[tcp @ 0x1] Failed to resolve hostname nobody.invalid: Name or service not known": "CAMERA_UNREACHABLE",
      "/dev/video0: Device or resource busy": "CAMERA_BUSY",
      "/dev/video0: No such device": "CAMERA_NO_DEVICE",
      "pipe:0: Invalid data found when processing input": "CAMERA_INPUT",
      "Unrecognized option 'fps_mode'.": "CAMERA_PROGRAM_OLD",
    };
    for (const [line, code] of Object.entries(cases)) {
      assert.equal(problemIn(["something else", line, "pipe:0: Input/output error"])?.code, code, line);
    }
    assert.equal(problemIn(["something else"]), undefined);
  });
});
