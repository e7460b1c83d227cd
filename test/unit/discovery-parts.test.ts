import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, it } from "mocha";
import { AgentError } from "../../src/core/errors.ts";
import { discoveryLimits } from "../../src/core/remote-limits.ts";
import { Pictures } from "../../src/remote/discovery/pictures.ts";
import { both, goneFrom, PublishedFile } from "../../src/remote/discovery/published.ts";
import { RecordingLogger, SimulatedClock } from "../lib/seams.ts";
import { tempFolder } from "../lib/temp.ts";

const never = new AbortController().signal;

/** A source whose copies have these sizes in turn; `frames` counts what was kept of the camera. */
function picturesOf(copyBytes: readonly (number | AgentError)[]) {
  const clock = new SimulatedClock();
  const log = new RecordingLogger();
  const sizes = [...copyBytes];
  const sides: number[] = [];
  const source = {
    next: () => Buffer.alloc(1),
    thumbnail: async (_: Buffer, { sideMax }: { readonly sideMax: number }) => {
      sides.push(sideMax);
      const size = sizes.shift() ?? 0;
      if (size instanceof AgentError) throw size;
      return { jpeg: Buffer.alloc(size), width: 1, height: 1 };
    },
  };
  return { pictures: new Pictures(source, { clock, log }), clock, log, sides };
}

describe("pictures for Home Assistant", () => {
  it("are the largest copy that fits", async () => {
    const { pictures, sides } = picturesOf([300, 200, 100]);
    assert.equal((await pictures.make("front", 100, never))?.length, 100);
    assert.deepEqual(sides, [1_280, 960, 640]);
    assert.equal(pictures.last("front")?.length, 100);
  });

  it("come at their time, of each camera by itself", async () => {
    const { pictures, clock } = picturesOf([10, 20, 30]);
    const sizeOf = async (camera: string) => (await pictures.make(camera, 100, never))?.length;
    assert.equal(await sizeOf("front"), 10);
    clock.advance(discoveryLimits.pictureEveryMs - 1);
    assert.equal(await sizeOf("front"), undefined);
    assert.equal(await sizeOf("back"), 20);
    clock.advance(1);
    assert.equal(await sizeOf("front"), 30);
  });

  it("stay away where none fits or the vision process does, once said, and the last one stays", async () => {
    const away = new AgentError("VISION_UNAVAILABLE", "away", { disposition: "retry" });
    const { pictures, clock, log } = picturesOf([10, 200, 200, 200, 200, 200, away, away]);
    await pictures.make("front", 100, never);
    for (let round = 0; round < 3; round += 1) {
      clock.advance(discoveryLimits.pictureEveryMs);
      assert.equal(await pictures.make("front", 100, never), undefined);
    }
    assert.equal(pictures.last("front")?.length, 10);
    assert.deepEqual(
      log.lines.map(({ fields }) => fields["code"]),
      ["PICTURE_TOO_LARGE", "VISION_UNAVAILABLE"],
    );
  });

  it("are forgotten with their camera", async () => {
    const { pictures } = picturesOf([10]);
    await pictures.make("front", 100, never);
    pictures.forgetAllBut(["back"]);
    assert.equal(pictures.last("front"), undefined);
  });
});

describe("what was published to Home Assistant", () => {
  it("is known while it changes, and what has to go is told by its platform", () => {
    const before = { configs: { old: { a: "sensor" }, same: { a: "sensor", b: "switch" } }, topics: ["s/1", "s/2"] };
    const wanted = { configs: { same: { a: "sensor", b: "button", c: "sensor" } }, topics: ["s/2", "s/3"] };
    assert.deepEqual(both(before, wanted), {
      configs: { old: { a: "sensor" }, same: { a: "sensor", b: "switch", c: "sensor" } },
      topics: ["s/1", "s/2", "s/3"],
    });
    assert.deepEqual(goneFrom(before.configs.same, wanted.configs.same), { b: "switch" });
    assert.deepEqual(goneFrom(undefined, wanted.configs.same), {});
  });

  it("survives a start, and a file that is none is never taken for nothing", async () => {
    await using folder = await tempFolder();
    const file = new PublishedFile(folder.path);
    await file.open();
    const published = { configs: { "ha/device/gw/config": { a: "sensor" } }, topics: ["s/1"] };
    await file.note(published);
    const again = new PublishedFile(folder.path);
    await again.open();
    assert.deepEqual(again.read(), published);
    for (const name of ["discovery.json", "discovery.json.bak"]) await writeFile(join(folder.path, name), "{");
    await assert.rejects(new PublishedFile(folder.path).open(), { code: "STATE_UNREADABLE" });
  });
});
