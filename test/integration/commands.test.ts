import assert from "node:assert/strict";
import { readdir, readFile, stat, truncate, writeFile, copyFile, mkdir } from "node:fs/promises";
import { join } from "node:path";
import { after, before, describe, it } from "mocha";
import sharp from "sharp";
import { IotownSandbox } from "../../src/sandbox/iotown/server.ts";
import { AgentProcess } from "../lib/agent.ts";
import { assertNoStack, command, framepost, inTurns, program, type Ran } from "../lib/command.ts";
import { framepostInside } from "../lib/command-inside.ts";
import { Mosquitto } from "../lib/mosquitto.ts";
import { jpegOf } from "../lib/pictures.ts";
import { needsProgram } from "../lib/programs.ts";
import { unusedPort } from "../lib/servers.ts";
import { strangeModel } from "../lib/strange-model.ts";
import { tempFolder } from "../lib/temp.ts";
import { tinyModelsFolder } from "../lib/vision.ts";

const model = join(tinyModelsFolder, "tiny-yolo8.onnx");
const token = "sandbox-token-of-the-test";

/** Each command of the built program doing its work, told from its output and what it leaves behind. */
describe("the commands", function () {
  this.timeout(30_000);
  let folder = "";
  let cleanup: AsyncDisposable | undefined;
  /** A picture with three known objects. */
  let scene = "";

  before(async () => {
    const temp = await tempFolder();
    cleanup = temp;
    folder = temp.path;
    scene = join(folder, "scene.jpg");
    const config = await writeFileIn("scene.yaml", "cameras: [{ id: scene, driver: simulated }]\n");
    const words = ["cameras", "--shot", "scene", "--output", scene, "-c", config];
    const shot = await framepostInside([...words, ...data("scene")]);
    assert.equal(shot.code, 0, shot.stderr);
  });

  after(async () => cleanup?.[Symbol.asyncDispose]());

  const data = (name: string): readonly string[] => ["--data", join(folder, "data", name)];

  async function writeFileIn(name: string, text: string): Promise<string> {
    const file = join(folder, name);
    await writeFile(file, text, { mode: 0o600 });
    return file;
  }

  describe("a first session", () => {
    let home = "";
    const at = async (...words: readonly string[]): Promise<Ran> => framepost(words, { cwd: home });
    const own = () => ["-c", join(home, "framepost.yaml"), "--data", join(home, "framepost-data")];
    /** The same without a process of its own, for what was shown with one or asks for little. */
    const inside = async (...words: readonly string[]): Promise<Ran> => framepostInside([...words, ...own()]);

    before(async () => {
      home = join(folder, "home");
      await mkdir(home);
    });

    it("leads from init over doctor to a stored record and a data set", async () => {
      const made = await at("init", "--yes");
      assert.equal(made.code, 0);
      assert.match(made.stdout, /^framepost\.yaml written; next: framepost doctor/);
      assert.equal((await stat(join(home, "framepost.yaml"))).mode & 0o777, 0o600);
      assert.equal((await inside("config", "check")).code, 0);
      const healthy = await at("doctor");
      assert.match(healthy.stdout, /^ok {7}camera .*\n(.*\n)*all is well\n$/m);
      assert.deepEqual([healthy.code, healthy.stderr], [0, ""]);
      assert.match((await inside("queue", "stats")).stdout, /^0 records, 0 KB, last sequence 0\n/);
      assert.deepEqual((await inside("queue", "ls", "--json")).stdout, '{"listed":0}\n');
    });

    it("keeps, sends and saves one frame on demand", async () => {
      const sent = await at("capture", "--wait");
      assert.deepEqual([sent.code, sent.stderr], [0, ""]);
      assert.match(sent.stdout, /\nkept \(requested\) as .*-1\.jpg, owed to dataset\ndataset: accepted\n$/);
      const saved = await inside("capture", "--save", join(home, "seen"), "--json");
      const facts = JSON.parse(saved.stdout) as { readonly sizeBytes: number; readonly result: string };
      assert.equal(facts.result, "stored");
      const [jpeg = "", json = ""] = (await readdir(join(home, "seen"))).sort();
      const bytes = await readFile(join(home, "seen", jpeg));
      assert.equal(bytes.length, facts.sizeBytes);
      assert.equal((await sharp(bytes).stats()).channels.length, 3);
      assert.equal((JSON.parse(await readFile(join(home, "seen", json), "utf8")) as typeof facts).result, "stored");
      assert.match(
        (await inside("queue", "stats")).stdout,
        /^1 record, \d+ KB, last sequence 2\n.*\ndataset +1 +0 +0 +1\n$/,
      );
      const stats = JSON.parse((await inside("queue", "stats", "--json")).stdout) as object;
      assert.deepEqual(Object.keys(stats).includes("records"), true);
      const listed = await inside("queue", "ls");
      assert.match(listed.stdout, /^2 .* simulated +requested +blue,red +dataset/);
      const lines = (await inside("queue", "ls", "--json")).stdout.trimEnd().split("\n");
      assert.equal(lines.length, 2);
      assert.equal(lines[1], '{"listed":1}');
    });

    it("lets no other writer into the spool while the daemon runs, and says so", async () => {
      await using daemon = new AgentProcess(["run", ...own()]);
      await daemon.untilLogged("started");
      await inTurns([["capture"], ["send", scene, "--target", "dataset"]], async (words) => {
        const ran = await inside(...words);
        assert.deepEqual([ran.code, ran.stdout], [75, ""], words.join(" "));
        assert.match(ran.stderr, /\(SPOOL_LOCKED\)\n {2}mend: .*stop it first/);
        assertNoStack(ran);
      });
      const dry = await inside("capture", "--dry-run");
      assert.match(dry.stdout, /: 1280×720, \d+ bytes, 3 detections\n {2}label +score .*\n(.*\n)*would be kept/);
      assert.deepEqual([dry.code, dry.stderr], [0, ""]);
      // The record that waited, and those of its own camera.
      const accepted = async () =>
        (await readFile(join(home, "framepost-dataset/annotations.jsonl"), "utf8")).split("\n");
      await daemon.until("records are accepted", async () => (await accepted()).length >= 4);
      await daemon.stop();
      assert.equal(daemon.stdoutText, "");
    });

    it("exports the data set in three forms", async () => {
      const from = join(home, "framepost-dataset");
      await inTurns(["coco", "yolo", "voc"], async (format) => {
        const to = join(home, format);
        const ran = await inside("dataset", "export", "--from", from, "--to", to, "--format", format);
        assert.equal(ran.code, 0, ran.stderr);
        assert.match(ran.stdout, /^\d+ images with \d+ boxes of \d labels in /);
        assert.equal((await readdir(to, { recursive: true })).filter((name) => name.endsWith(".jpg")).length > 1, true);
      });
      const none = await inside(
        "dataset",
        "export",
        "--from",
        join(home, "nowhere"),
        "--to",
        join(home, "out"),
        "--format",
        "coco",
      );
      assert.deepEqual([none.code, none.stdout], [1, ""]);
      assert.match(none.stderr, /there is no annotations\.jsonl, so it is no data set \(DATASET_NOT_FOUND\)/);
    });

    it("ends quietly when its reader goes away", async () => {
      const words = ["detect", scene, scene, scene, "--model", model, "--json"].join(" ");
      const piped = await command("bash", ["-c", `${process.execPath} ${program} ${words} | head -1`]);
      assert.equal(piped.stdout.trimEnd().split("\n").length, 1);
      assertNoStack(piped);
      const both = await command("bash", ["-c", `${process.execPath} ${program} --help 2>&1 | head -1`]);
      assert.equal(both.stdout, "Usage: framepost [options] [command]\n");
    });
  });

  describe("send", () => {
    it("delivers pictures with their labels, found or given, to the platform", async () => {
      const sandbox = new IotownSandbox({ token });
      const { url } = await sandbox.start();
      try {
        const secretFile = await writeFileIn("send-token", token);
        const config = await writeFileIn(
          "send.yaml",
          `cameras: [{ id: scene, driver: simulated }]\ntargets: [{ id: town, kind: iotown, url: "${url}", token: "\${file:${secretFile}}" }]\n`,
        );
        const first = join(folder, "first.jpg");
        await writeFile(first, await jpegOf(90, 1280, 720));
        const other = join(folder, "other.jpg");
        await writeFile(other, await jpegOf(40, 400, 200));
        const words = ["send", "--target", "town", "-c", config, ...data("send")];
        const some = await framepostInside([...words, config, join(folder, "nowhere.jpg"), scene]);
        assert.equal(some.code, 1);
        assert.match(some.stdout, /dropped \(image-corrupt\): .*does not start as a JPEG/);
        assert.match(some.stdout, /3 detections\n(.*\n)*town: accepted\n$/);
        assert.match(some.stderr, /^cannot read .*nowhere\.jpg: there is no such file or folder \(USAGE_PATH\)$/m);
        assert.match(some.stderr, /^2 of 3 images not accepted$/m);
        assert.deepEqual(
          sandbox.stored().map((image) => image.labels.length),
          [3],
        );

        const labels = await writeFileIn(
          "labels.jsonl",
          [
            {
              image: first,
              detections: [{ label: "cat", score: 0.5, box: { left: 128, top: 72, width: 256, height: 144 } }],
            },
            // Half of the second lies outside, and the third does wholly.
            {
              image: "other.jpg",
              detections: [
                { label: "dog", box: { left: 300, top: 150, width: 200, height: 100 } },
                { label: "out", box: { left: 500, top: 300, width: 20, height: 20 } },
              ],
            },
          ]
            .map((line) => JSON.stringify(line))
            .join("\n"),
        );
        const given = await framepostInside([...words, "--labels", labels, "--json", first, other]);
        assert.equal(given.code, 0, given.stderr);
        assert.equal(given.stdout.trimEnd().split("\n").at(-1), '{"sent":2,"failed":0}');
        const arrived = sandbox
          .stored()
          .slice(1)
          .map((image) => image.labels);
        assert.deepEqual(arrived, [
          [{ name: "cat", x: 0.2, y: 0.2, w: 0.2, h: 0.2 }],
          [{ name: "dog", x: 0.875, y: 0.875, w: 0.25, h: 0.25 }],
        ]);

        const storedBefore = sandbox.stored().length;
        const unlabelled = await framepostInside([...words, "--labels", labels, first, config]);
        assert.equal(unlabelled.code, 2);
        assert.match(unlabelled.stderr, /labels\.jsonl has no line for .*send\.yaml \(USAGE_LABELS\)/);
        assert.equal(sandbox.stored().length, storedBefore, "nothing is sent of a batch whose labels are incomplete");
        const nobody = await framepostInside(["send", scene, "--target", "city", "-c", config, ...data("send")]);
        assert.deepEqual([nobody.code, /no target city; the config has town/.test(nobody.stderr)], [2, true]);
        assert.deepEqual(sandbox.violations(), []);

        await sandbox.stop();
        const away = await framepostInside([...words, scene]);
        assert.equal(away.code, 75);
        assert.match(away.stdout, /town: not accepted yet; it waits in the spool .*NET_REFUSED/);
        // The older record holds the target's place: this one is not asked for, and still answered.
        const still = await framepostInside(["capture", "--wait", "-c", config, ...data("send")]);
        assert.equal(still.code, 75, still.stderr);
        for (const ran of [some, unlabelled, nobody, away, still]) assertNoStack(ran);
      } finally {
        await sandbox.stop();
      }
    });
  });

  describe("detect", () => {
    it("prints one JSON line per picture, in the form that others rely on", async () => {
      const { code, stdout, stderr } = await framepost(["detect", "scene.jpg", "--model", model, "--json"], {
        cwd: folder,
      });
      assert.deepEqual([code, stderr], [0, ""]);
      const line = JSON.parse(stdout) as {
        readonly image: string;
        readonly model: string;
        readonly detections: readonly { readonly label: string; readonly box: object }[];
        readonly timingsMs: object;
      };
      assert.deepEqual(Object.keys(line), ["image", "width", "height", "model", "detections", "timingsMs"]);
      assert.equal(line.image, "scene.jpg");
      assert.equal(line.model, "tiny-yolo8");
      assert.deepEqual(line.detections.map(({ label }) => label).sort(), ["blue", "red", "red"]);
      for (const detection of line.detections) {
        assert.deepEqual(Object.keys(detection), ["label", "score", "box"]);
        assert.deepEqual(Object.keys(detection.box), ["left", "top", "width", "height"]);
      }
      for (const value of Object.values(line.timingsMs)) assert.equal(typeof value, "number");
    });

    it("goes through a folder past damaged files, and draws what it found", async () => {
      const pictures = join(folder, "pictures");
      await mkdir(pictures);
      for (const name of ["1.jpg", "2.jpg", "4.JPEG", "notes.txt"]) await copyFile(scene, join(pictures, name));
      await truncate(join(pictures, "2.jpg"), 5_000);
      await writeFile(join(pictures, "3.jpg"), "no picture");
      const drawn = join(folder, "drawn");
      const ran = await framepostInside(["detect", pictures, "--model", model, "--json", "--annotate", drawn]);
      assert.equal(ran.code, 1);
      const images = ran.stdout
        .trimEnd()
        .split("\n")
        .map((line) => (JSON.parse(line) as { image: string }).image);
      assert.deepEqual(images, [join(pictures, "1.jpg"), join(pictures, "4.JPEG")]);
      assert.match(
        ran.stderr,
        /2\.jpg: .* \(IMAGE_UNREADABLE\)\n.*3\.jpg: .* \(IMAGE_UNREADABLE\)\n2 of 4 images failed\n$/,
      );
      assertNoStack(ran);
      assert.deepEqual((await readdir(drawn)).sort(), ["1.jpg", "4.jpg"]);
      const [line = ""] = ran.stdout.split("\n");
      const { detections } = JSON.parse(line) as {
        detections: { box: { left: number; top: number; height: number } }[];
      };
      const box = detections[0]?.box ?? { left: 0, top: 0, height: 0 };
      const [onFrame, aside] = [
        { left: box.left, top: box.top + box.height / 2 },
        { left: 20, top: 20 },
      ];
      assert.equal(await changeAt(onFrame, scene, join(drawn, "1.jpg")), "changed");
      assert.equal(await changeAt(aside, scene, join(drawn, "1.jpg")), "same");
    });

    it("names what is wrong with a model or a path in one line", async () => {
      const garbage = await writeFileIn("garbage.onnx", "hello");
      const cut = join(folder, "cut.onnx");
      await copyFile(model, cut);
      await truncate(cut, 3_000);
      const stranger = join(folder, "stranger.onnx");
      await writeFile(stranger, strangeModel());
      const empty = join(folder, "empty");
      await mkdir(empty);
      const cases: readonly (readonly [readonly string[], number, RegExp])[] = [
        [[scene, "--model", garbage], 1, /garbage\.onnx is not an ONNX file.*\(MODEL_NOT_ONNX\)/],
        [[scene, "--model", cut], 1, /cut\.onnx is not complete.*\(MODEL_TRUNCATED\)/],
        [[scene, "--model", stranger], 1, /\(MODEL_UNKNOWN_FAMILY\)/],
        [[scene, "--model", "nobody"], 1, /no model nobody: looked for .*\(MODEL_NOT_FOUND\)/],
        [[scene, "--model", model, "--manifest", join(folder, "none.json")], 1, /no manifest .*none\.json/],
        [[join(folder, "none.jpg"), "--model", model], 2, /none\.jpg: there is no such file or folder \(USAGE_PATH\)/],
        [[empty, "--model", model], 2, /no JPEG files in .*empty \(USAGE_PATH\)/],
        [
          [scene, "--model", model, "--annotate", join(scene, "x")],
          1,
          /a part of its path is a file.*\(OUTPUT_FAILED\)/,
        ],
      ];
      await inTurns(cases, async ([words, code, said]) => {
        const ran = await framepostInside(["detect", ...words]);
        assert.match(ran.stderr, said);
        assert.deepEqual([ran.code, ran.stdout], [code, ""], ran.stderr);
        assert.equal(ran.stderr.split("\n").filter((line) => line !== "" && !line.startsWith("  mend: ")).length, 1);
        assertNoStack(ran);
      });
    });
  });

  describe("sandbox iotown", () => {
    it("stands in for the platform until Ctrl-C, and never prints a token of yours", async () => {
      const env = { FRAMEPOST_SANDBOX_TOKEN: token };
      await using sandbox = new AgentProcess(["sandbox", "iotown"], { env });
      await sandbox.until("it says its address", () => sandbox.stdout.length > 0 && sandbox.stderr.length > 0);
      const url = /http:\/\/\S+:(\d+)/.exec(sandbox.stdoutText)?.[0].replace(/,$/, "") ?? "";
      const line = /as a target: (.*); Ctrl-C ends it/.exec(sandbox.stderr.join("\n"))?.[1] ?? "";
      const config = await writeFileIn(
        "sandbox.yaml",
        `cameras: [{ id: scene, driver: simulated }]\ntargets: [${line}]\n`,
      );
      const sent = await framepostInside(["capture", "--wait", "-c", config, ...data("sandbox")], env);
      assert.match(sent.stdout, /sandbox: accepted\n$/);
      const taken = await framepostInside(["sandbox", "iotown", "--port", new URL(url).port]);
      assert.equal(taken.code, 69);
      assert.match(taken.stderr, /cannot listen on port \d+ of 127\.0\.0\.1: another program listens there/);
      await sandbox.until("it counts", () => sandbox.stderr.some((text) => text.startsWith("1 image stored")));
      sandbox.kill("SIGINT");
      assert.equal((await sandbox.ended()).code, 130);
      assert.doesNotMatch(sandbox.stdoutText + sandbox.stderr.join("\n"), new RegExp(token));
      const own = await oneLineOf(["sandbox", "iotown", "--json"]);
      assert.deepEqual(Object.keys(JSON.parse(own) as object), ["kind", "url", "token"]);
    });

    async function oneLineOf(words: readonly string[]): Promise<string> {
      await using agent = new AgentProcess(words);
      await agent.until("it says its address", () => agent.stdout.length > 0);
      return agent.stdoutText;
    }
  });

  describe("doctor", () => {
    it("says of everything that is wrong how to mend it", async function () {
      needsProgram(this, "mosquitto", "mosquitto");
      this.timeout(60_000);
      const broker = await new Mosquitto({ lines: ["allow_anonymous false"] }).start();
      const sandbox = new IotownSandbox({ token });
      const { url } = await sandbox.start();
      try {
        const open = join(folder, "open-token");
        await writeFile(open, "wrong-token", { mode: 0o644 });
        const secret = `token: "\${file:${open}}"`;
        const config = await writeFileIn(
          "sick.yaml",
          `cameras:
  - { id: gone, driver: webcam, device: /dev/video987 }
  - { id: nowhere, driver: folder, path: /nowhere/pictures }
detector: { model: nobody }
targets:
  - { id: wrong-token, kind: iotown, url: "${url}", ${secret} }
  - { id: dead, kind: iotown, url: "http://127.0.0.1:${await unusedPort()}", ${secret} }
  - { id: public, kind: iotown, url: "http://town.invalid", ${secret} }
  - { id: broker, kind: mqtt, url: "${broker.url}", username: joe, password: plain-words }
  - { id: full, kind: folder, path: "${scene}/x" }
`,
        );
        const ran = await framepostInside(["doctor", "-c", config, ...data("sick")]);
        assert.deepEqual([ran.code, ran.stderr], [1, ""]);
        const expected = [
          /warning {2}config: .*open-token is readable by every user\n {9}mend: chmod 0600 .*open-token/,
          /warning {2}config: .*password: a secret in plain text\n {9}mend: .*\$\{file:/,
          /warning {2}config: public: the token and the pictures go to town\.invalid unencrypted.*\n {9}mend: use https/,
          /FAILED {3}model: no model nobody.*\n {9}mend: .*framepost models catalog/,
          /FAILED {3}camera gone: .*CAMERA_(NO_DEVICE\)\n {9}mend: .*framepost cameras|PROGRAM_MISSING\)\n {9}mend: sudo apt)/,
          /FAILED {3}camera nowhere: .*\(CAMERA_NO_FOLDER\)\n {9}mend: make the folder/,
          /FAILED {3}target wrong-token: .*HTTP 401.*\n {9}mend: put the right token/,
          /FAILED {3}target dead: .*connection refused.*\n {9}mend: check host and port/,
          /FAILED {3}name town\.invalid: .*needed by target public \(NET_DNS\)\n {9}mend: .*getent hosts town\.invalid/,
          /FAILED {3}target public: .*\(NET_.*\n {9}mend: /,
          /FAILED {3}target broker: .*\(MQTT_CREDENTIALS\)\n {9}mend: check username, password/,
          /FAILED {3}target full: .*\n {9}mend: /,
        ];
        for (const said of expected) assert.match(ran.stdout, said);
        assert.match(ran.stdout, /\n9 of \d\d checks failed\n$/);
        assertNoStack(ran);
        assert.doesNotMatch(ran.stdout, /plain-words|wrong-token\)/);
        const unwritable = await framepostInside(["doctor", "-c", config, "--data", join(scene, "x")]);
        assert.match(unwritable.stdout, /FAILED {3}disk: cannot write to .*\n {9}mend: make the data folder writable/);
        const noConfig = await framepost(["doctor"], { cwd: tinyModelsFolder });
        assert.match(noConfig.stdout, /FAILED {3}config: no config file.*\n {9}mend: write one with: framepost init/);
        assert.equal(noConfig.code, 1);
      } finally {
        await sandbox.stop();
        await broker.stop();
      }
    });
  });
});

/** Encoding once more changes a pixel a little, a line over it a lot. */
async function changeAt(
  point: { left: number; top: number },
  ...files: readonly string[]
): Promise<"changed" | "same"> {
  const area = { left: Math.round(point.left), top: Math.round(point.top), width: 1, height: 1 };
  const [before, after] = await Promise.all(files.map((file) => sharp(file).extract(area).raw().toBuffer()));
  const differences = [...(before ?? [])].map((value, channel) => Math.abs(value - (after?.[channel] ?? 0)));
  return Math.max(...differences) > 40 ? "changed" : "same";
}
