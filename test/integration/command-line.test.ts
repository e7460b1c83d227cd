import assert from "node:assert/strict";
import { mkdir, readFile, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, describe, it } from "mocha";
import sharp from "sharp";
import { AgentProcess } from "../lib/agent.ts";
import { framepostInside } from "../lib/command-inside.ts";
import { assertNoStack, framepost, inTurns, program, type Ran } from "../lib/command.ts";
import { needsProgram } from "../lib/programs.ts";
import { tempFolder } from "../lib/temp.ts";
import { tinyModelsFolder } from "../lib/vision.ts";

const model = join(tinyModelsFolder, "tiny-yolo8.onnx");

/** The built program as a stranger meets it: words in, text and exit code out. */
describe("the command line", function () {
  this.timeout(30_000);
  let folder = "";
  let cleanup: AsyncDisposable | undefined;

  before(async () => {
    const temp = await tempFolder();
    cleanup = temp;
    folder = temp.path;
  });

  after(async () => cleanup?.[Symbol.asyncDispose]());

  const data = (name: string): readonly string[] => ["--data", join(folder, "data", name)];

  async function writeFileIn(name: string, text: string): Promise<string> {
    const file = join(folder, name);
    await writeFile(file, text, { mode: 0o600 });
    return file;
  }

  it("explains every command, with the options that all share", async () => {
    const commands = [
      ...["demo", "run", "sandbox", "init", "capture", "send", "detect", "cameras", "doctor"],
      ...["config check", "config show", "config schema", "queue stats", "queue ls", "queue show"],
      ...["queue sent", "queue retry", "queue prioritize", "queue drop", "queue verify", "dataset export"],
    ];
    for (const name of commands) {
      const { code, stdout, stderr } = await framepostInside([...name.split(" "), "--help"]);
      assert.deepEqual([code, stderr], [0, ""], name);
      assert.match(stdout, new RegExp(`^Usage: framepost ${name} `));
      for (const option of ["--config", "--data", "--json", "--log-level"]) assert.match(stdout, new RegExp(option));
    }
    const help = await framepost(["--help"]);
    assert.equal(help.code, 0);
    for (const name of commands) assert.match(help.stdout, new RegExp(`^  ${name.split(" ")[0] ?? ""} `, "m"));
    const { version } = JSON.parse(await readFile(join(program, "../../../package.json"), "utf8")) as {
      version: string;
    };
    assert.deepEqual(await framepost(["--version"]), { code: 0, stdout: `${version}\n`, stderr: "" });
  });

  it("answers wrong words with what is right, and 2", async () => {
    const wrong: readonly (readonly [readonly string[], RegExp])[] = [
      [[], /^Usage: framepost/],
      [["doctro"], /unknown command 'doctro'\n\(Did you mean doctor\?\)/],
      [["nothing"], /unknown command 'nothing'\n\(framepost --help/],
      [["run", "--confg", "x"], /unknown option '--confg'\n\(Did you mean --config\?\)/],
      [["queue"], /stats/],
      [["queue", "ls", "--limit", "none"], /'none' is invalid. expected a whole number/],
      [["queue", "ls", "--state", "lost"], /Allowed choices are pending, quarantined, held/],
      [["queue", "show"], /missing required argument 'record'/],
      [["queue", "retry"], /name records, .* --target ID, .* --all \(USAGE_SELECTION\)/],
      [["queue", "drop"], /name records, .* --target ID, .* --all \(USAGE_SELECTION\)/],
      [["queue", "drop", "--all"], /add --yes .*\(USAGE_YES\)/],
      [["config", "show", "more"], /too many arguments for 'show'/],
      [["send", "scene.jpg"], /'--target <id>' not specified\n\(framepost send --help/],
      [["detect", "scene.jpg", "--model", model, "--threshold", "2"], /expected a number from 0 to 1/],
      [["sandbox", "nowhere"], /no sandbox "nowhere"; there is iotown/],
      [["sandbox", "iotown", "--port", "70000"], /expected a port from 1 to 65535/],
      [["run", "--log-level", "loud"], /Allowed choices are debug, info/],
      [["dataset", "export", "--from", "a", "--to", "b", "--format", "csv"], /Allowed choices are coco, yolo, voc/],
      [["cameras", "--shot", "/dev/video0;id"], /is no device name/],
    ];
    const answers = ({ code, stdout, stderr }: Ran, words: readonly string[], said: RegExp): void => {
      assert.deepEqual([code, stdout], [2, ""], words.join(" "));
      assert.match(stderr, said);
      assertNoStack({ code, stdout, stderr });
    };
    for (const [words, said] of wrong) answers(await framepostInside(words), words, said);
    // As the program itself: an answer of the parser, and an error of ours.
    for (const [words, said] of wrong.filter(([[first, second]]) => first === "doctro" || second === "nowhere")) {
      answers(await framepost(words), words, said);
    }
  });

  describe("config", () => {
    const good = "cameras:\n  - id: gate\n    driver: simulated\ntargets:\n";
    const iotown = "  - id: town\n    kind: iotown\n    url: https://town.example\n";

    it("check says where each mistake is, and what was probably meant", async () => {
      const file = await writeFileIn(
        "wrong.yaml",
        "camras: 1\ncameras:\n  - id: gate\n    drvier: simulated\n  - id: Gate 2\n    driver: folder\n    mode: wach\n",
      );
      const checked = await framepostInside(["config", "check", "-c", file]);
      assert.equal(checked.code, 78);
      assert.deepEqual(checked.stdout.trimEnd().split("\n"), [
        `${file}:1:1: camras: unknown key "camras"; did you mean "cameras"?`,
        `${file}:4:5: cameras.0.drvier: unknown key "drvier"; did you mean "driver"?`,
        `${file}:5:5: cameras.1.path: missing; expected string`,
        `${file}:5:9: cameras.1.id: expected 1 to 32 of a-z, 0-9, - and _, starting with a letter or digit`,
        `${file}:7:11: cameras.1.mode: expected one of once, loop, watch; did you mean "watch"?`,
      ]);
      const twice = await writeFileIn("twice.yaml", "cameras: []\ncameras: []\n");
      assert.match((await framepostInside(["config", "check", "-c", twice])).stdout, /twice\.yaml:2:1: .*cameras/);
      const missing = await framepostInside(["run", "-c", join(folder, "nowhere.yaml")]);
      assert.equal(missing.code, 78);
      assert.match(missing.stderr, /^framepost: .*nowhere\.yaml:1:1: cannot be read: there is no such file/);
      const none = await framepost(["config", "check"], { cwd: tinyModelsFolder });
      assert.equal(none.code, 78);
      assert.match(none.stderr, /looked for framepost\.yaml and .*\(CONFIG_NOT_FOUND\)\n {2}mend: .*framepost init/);
    });

    it("show is the whole config, works as one again, and names secrets without showing them", async () => {
      const secretFile = await writeFileIn("its-token", "hidden-1");
      const text = `${good}${iotown}    token: \${file:${secretFile}}\n    proxy: http://joe:hidden-2@proxy:3128\n`;
      const file = await writeFileIn("good.yaml", text);
      const checked = await framepostInside(["config", "check", "-c", file]);
      assert.deepEqual([checked.code, checked.stdout], [0, `${file}: valid, 1 camera, 1 target\n`]);
      assert.match(checked.stderr, /^warning: .*good\.yaml:9:12: targets\.0\.proxy: a secret in plain text/);
      const shown = await framepostInside(["config", "show", "-c", file]);
      assert.equal(shown.code, 0);
      assert.doesNotMatch(shown.stdout, /hidden/);
      assert.match(shown.stdout, /interval: 5s/);
      assert.match(shown.stdout, new RegExp(`token: \\$\\{file:${secretFile}\\}`));
      const again = await writeFileIn("again.yaml", shown.stdout);
      assert.equal((await framepostInside(["config", "check", "-c", again])).code, 0);
      assert.equal((await framepostInside(["config", "show", "-c", again])).stdout, shown.stdout);
      const json = JSON.parse((await framepostInside(["config", "show", "--json", "-c", file])).stdout) as object;
      const asYaml = await writeFileIn("again.json", JSON.stringify(json));
      assert.equal((await framepostInside(["config", "show", "-c", asYaml])).stdout, shown.stdout);
    });

    it("schema is JSON Schema", async () => {
      const { code, stdout } = await framepostInside(["config", "schema"]);
      const schema = JSON.parse(stdout) as { readonly $schema: string; readonly properties: object };
      assert.equal(code, 0);
      assert.match(schema.$schema, /json-schema\.org/);
      assert.deepEqual(Object.keys(schema.properties).slice(0, 4), ["version", "device", "dataDir", "cameras"]);
    });
  });

  describe("init", () => {
    it("never replaces a config unasked, and asks nobody who cannot answer", async () => {
      const file = await writeFileIn("mine.yaml", "mine\n");
      const kept = await framepostInside(["init", "--yes", "--output", file]);
      assert.equal(kept.code, 2);
      assert.match(kept.stderr, /exists; --force replaces it \(USAGE_EXISTS\)/);
      assert.equal(await readFile(file, "utf8"), "mine\n");
      const deaf = await framepostInside(["init", "--output", join(folder, "deaf.yaml")]);
      assert.equal(deaf.code, 2);
      assert.match(deaf.stderr, /^framepost: init asks questions and this is no terminal; --yes asks none/);
    });

    it("asks in a terminal, checks each answer, and shows no secret", async function () {
      needsProgram(this, "script", "bsdutils");
      const file = join(folder, "asked", "framepost.yaml");
      await mkdir(join(folder, "asked"));
      await using agent = new AgentProcess(["init", "--output", file], {
        inside: ["script", "-qec", "@", "/dev/null"],
      });
      const answer = async (question: string, text: string) => {
        await agent.until(question, () => agent.stdoutText.includes(question));
        agent.stdoutText = agent.stdoutText.slice(agent.stdoutText.indexOf(question) + question.length);
        agent.type(`${text}\n`);
      };
      const shown: string[] = [];
      const steps: readonly (readonly [string, string])[] = [
        ["Name of this device", "Gate One"],
        ["Name of this device", "gate-1"],
        ["Address of the IoT.own server", "town.example"],
        ["Address of the IoT.own server", "http://127.0.0.1:8888"],
        ["API token (not shown): ", ""],
        ["API token (not shown): ", "token-never-shown"],
        ["Address of an MQTT broker", "mqtt://127.0.0.1"],
        ["User name at the broker", "joe"],
        ["Password (not shown): ", "password-never-shown"],
      ];
      for (const [question, text] of steps) {
        await answer(question, text);
        shown.push(agent.stdoutText);
      }
      assert.equal((await agent.ended()).code, 0);
      const everything = shown.join("") + agent.stdout.join("\n");
      assert.match(everything, /framepost\.yaml written; next: framepost doctor/);
      assert.doesNotMatch(everything, /never-shown/);
      assert.match(everything, /gate-1/, "what is no secret is echoed");
      const secrets = join(folder, "asked", "framepost-secrets");
      assert.equal((await stat(secrets)).mode & 0o777, 0o700);
      for (const name of ["iotown-token", "mqtt-password"]) {
        assert.equal((await stat(join(secrets, name))).mode & 0o777, 0o600);
        assert.match(await readFile(join(secrets, name), "utf8"), /^(token|password)-never-shown$/);
      }
      assert.doesNotMatch(await readFile(file, "utf8"), /never-shown/);
      assert.equal((await framepostInside(["config", "check", "-c", file])).code, 0);
    });
  });

  describe("cameras", () => {
    it("lists what is there, and says in plain words when nothing is", async () => {
      const { code, stdout, stderr } = await framepostInside(["cameras", "--json"]);
      const { cameras } = JSON.parse(stdout) as { readonly cameras: readonly unknown[] };
      assert.deepEqual([code, stderr], [0, ""]);
      const text = await framepostInside(["cameras"]);
      if (cameras.length > 0) assert.match(text.stdout, /^camera +stable name +now at/);
      else assert.match(text.stderr, /^no camera found/);
    });

    it("takes a picture with the real fswebcam", async function () {
      needsProgram(this, "fswebcam", "fswebcam");
      const output = join(folder, "test-picture.jpg");
      const ran = await framepost(["cameras", "--shot", "TEST:", "--output", output]);
      assert.equal(ran.code, 0, ran.stderr);
      assert.match(ran.stdout, /test-picture\.jpg: 1280×720, \d+ bytes\n$/);
      assert.equal((await sharp(await readFile(output)).metadata()).width, 1280);
    });

    it("says at once what is wrong, instead of waiting like the daemon", async () => {
      const config = await writeFileIn(
        "no-camera.yaml",
        "cameras: [{ id: gone, driver: webcam, device: /dev/video987 }]\n",
      );
      const folderless = await writeFileIn(
        "no-folder.yaml",
        "cameras: [{ id: gone, driver: folder, path: /nowhere/pictures }]\n",
      );
      const cases: readonly (readonly [readonly string[], number, RegExp])[] = [
        [
          ["cameras", "--shot", "/dev/video987"],
          69,
          /\/dev\/video987:? (?:it )?is not there \(CAMERA_NO_DEVICE\)|CAMERA_PROGRAM_MISSING/,
        ],
        [["capture", "-c", config, ...data("gone")], 69, /is not there \(CAMERA_NO_DEVICE\)|CAMERA_PROGRAM_MISSING/],
        [["capture", "--dry-run", "-c", folderless, ...data("gone2")], 69, /CAMERA_NO_FOLDER/],
        [["cameras", "--shot", "nobody", "-c", config, ...data("gone3")], 2, /no camera nobody; the config has gone/],
        [
          ["cameras", "--shot", "TEST:", "--output", join(folder, "nowhere", "x.jpg")],
          1,
          /there is no such file or folder|CAMERA_PROGRAM_MISSING/,
        ],
        [["capture", "--save", join(config, "x"), "-c", config, ...data("gone4")], 1, /a part of its path is a file/],
        [
          ["capture", "-c", config, "--data", join(config, "x")],
          1,
          /data folder .* is a file, not a folder \(DATA_FOLDER\)/,
        ],
      ];
      await inTurns(cases, async ([words, code, said]) => {
        const startedMs = performance.now();
        // One of them as the program itself.
        const ran = await (words[0] === "capture" && words.includes(config) && code === 69
          ? framepost(words)
          : framepostInside(words));
        assert.match(ran.stderr, said);
        assert.equal(ran.code, code, ran.stderr);
        assert.equal(performance.now() - startedMs < 15_000, true, words.join(" "));
        assertNoStack(ran);
      });
    });
  });
});
