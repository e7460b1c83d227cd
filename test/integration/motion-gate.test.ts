import assert from "node:assert/strict";
import { after, before, describe, it } from "mocha";
import { street } from "../../src/capture/simulated/street.ts";
import { gateByMotion, runStreet, streetRuns, type StreetFigures } from "../lib/street-run.ts";
import { never, tinyModel, visionProcess } from "../lib/vision.ts";

describe("motion gate in the vision process", () => {
  const [width, height] = [640, 360];
  let vision: ReturnType<typeof visionProcess>;
  before(async () => {
    vision = visionProcess({ model: await tinyModel() });
    await vision.start(never);
  });
  after(async () => vision.stop());

  const picture = async (index: number, change: { readonly width?: number; readonly height?: number } = {}) => {
    const { svg } = street({ seed: 3, index, width, height, periodFrames: 10_000, ...change });
    return (await vision.render(svg, { quality: 85 }, never)).jpeg;
  };
  const look = async (jpeg: Buffer, more: { force?: boolean; exact?: boolean; cameraId?: string } = {}) => {
    const options = {
      exact: false,
      cameraId: "gate",
      monotonicMs: 0,
      gate: gateByMotion,
      force: false,
      measure: true,
      ...more,
    };
    return vision.watch(jpeg, options, never);
  };

  it("keeps none of 20 objects from the model that enter the street, in noise and changing light", async function () {
    this.timeout(60_000);
    const all: StreetFigures[] = [];
    for (const run of streetRuns(480, 270)) {
      // Where the light jumps, the model sees some only later.
      const entries = run.light === "sudden" ? 4 : 2;
      const periodFrames = (run.periodFrames ?? 16) > 16 ? 16 : 12;
      all.push(await runStreet(vision, { ...run, periodFrames }, { seed: 21, entries }));
    }
    const sum = (of: (figures: StreetFigures) => number) => all.reduce((total, figures) => total + of(figures), 0);
    assert.equal(
      sum(({ missed }) => missed),
      0,
      JSON.stringify(all),
    );
    assert.ok(sum(({ visible }) => visible) >= 16, JSON.stringify(all));
    assert.ok(sum(({ still }) => still) > 0.3 * sum(({ frames }) => frames), JSON.stringify(all));
  });

  it("would be caught if it were too coarse", async () => {
    const [run] = streetRuns(480, 270);
    assert.ok(run !== undefined);
    const gate = { ...gateByMotion, minAreaShare: 0.4 };
    const { missed } = await runStreet(
      vision,
      { ...run, name: "coarse", entries: ["appear"], periodFrames: 12 },
      { seed: 21, entries: 4, gate },
    );
    assert.ok(missed >= 3, `${missed}`);
  });

  it("looks at the same pixels whether they were reduced or not, and takes the other for another scene", async () => {
    const size = { width: 800, height: 450 };
    const kinds: string[] = [];
    for (const exact of [false, false, true, true])
      kinds.push((await look(await picture(kinds.length, size), { exact })).kind);
    assert.deepEqual(kinds, ["detected", "still", "detected", "still"]);
  });

  it("gives what detect gives, and the measures, with a still picture too", async () => {
    const jpeg = await picture(20);
    const watched = await look(jpeg, { cameraId: "measured", force: true });
    assert.ok(watched.kind === "detected");
    const { detections } = await vision.detect(jpeg, { exact: false }, never);
    assert.deepEqual(watched.detections, detections);
    const still = await look(await picture(21), { cameraId: "measured" });
    assert.ok(still.kind === "still" && still.measures !== undefined);
    assert.deepEqual(
      [still.width, still.height, still.measures.width, still.measures.height],
      [width, height, width, height],
    );
    assert.ok((still.measures.changedShare ?? 0) > 0.5, "noise is no frozen picture");
    assert.equal((await look(await picture(21), { cameraId: "measured" })).measures?.changedShare, 0);
    assert.equal((await look(await picture(22), { cameraId: "measured", force: true })).kind, "detected");
  });

  it("measures a picture without a model, and compares it only with one of the same camera", async () => {
    await using bare = visionProcess({ model: undefined });
    await bare.start(never);
    await assert.rejects(
      bare.watch(await picture(1), { exact: false, cameraId: "a", monotonicMs: 0, force: false, measure: true }, never),
      {
        code: "MODEL_NONE",
      },
    );
    const first = await bare.measure(await picture(1), never);
    assert.deepEqual([first.width, first.height, first.changedShare], [width, height, undefined]);
    assert.ok((first.sharpness ?? 0) > 0.5 && first.flatShare < 0.9 && first.lumaMean > 60);
    assert.equal((await bare.measure(await picture(1), never, "a")).changedShare, undefined);
    assert.equal((await bare.measure(await picture(1), never, "a")).changedShare, 0);
    await assert.rejects(bare.measure(Buffer.from("no picture"), never), { code: "IMAGE_UNREADABLE" });
  });

  it("detects the first picture after the process has died", async function () {
    this.timeout(30_000);
    await using mortal = visionProcess({ model: await tinyModel(), backoffFirstMs: 1 });
    await mortal.start(never);
    const jpeg = await picture(1);
    const watch = async () =>
      mortal.watch(
        jpeg,
        { exact: false, cameraId: "a", monotonicMs: 0, gate: gateByMotion, force: false, measure: true },
        never,
      );
    assert.deepEqual([(await watch()).kind, (await watch()).kind], ["detected", "still"]);
    process.kill(mortal.health().pid ?? 0, "SIGKILL");
    const deadline = performance.now() + 20_000;
    let kind = "away";
    while (kind === "away" && performance.now() < deadline) {
      kind = await watch().then(
        (answer) => answer.kind,
        () => new Promise<string>((resolve) => setTimeout(() => resolve("away"), 20)),
      );
    }
    assert.equal(kind, "detected");
  });
});
