import assert from "node:assert/strict";
import { getEventListeners } from "node:events";
import { chmod, mkdir, readFile, rm, symlink, utimes, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, it } from "mocha";
import { clockLimits } from "../../src/core/limits.ts";
import type { StoredRecord } from "../../src/core/types.ts";
import { bootId } from "../../src/state/boot.ts";
import { BootClock } from "../../src/state/boot-clock.ts";
import { type ClockAnchor, withAnchor } from "../../src/state/clock-anchors.ts";
import { SystemClockSigns } from "../../src/state/clock-signs.ts";
import { FakeClockSigns } from "../lib/clock-signs.ts";
import { sampleJpeg, sampleRecord } from "../lib/records.ts";
import { RecordingLogger } from "../lib/seams.ts";
import { SteppedClock } from "../lib/stepped-clock.ts";
import { tempFolder } from "../lib/temp.ts";
import { until } from "../lib/poll.ts";

const in2026 = Date.UTC(2026, 5, 1);
const year = 365 * 24 * 60 * 60_000;

/** A stepped clock whose wall clock somebody sets. */
class SetClock extends SteppedClock {
  #setMs = 0;

  override nowMs(): number {
    return super.nowMs() + this.#setMs;
  }

  set(ms: number): void {
    this.#setMs += ms - this.nowMs();
  }
}

/** A gateway without a battery clock, an hour after its boot. */
async function gateway(folder: string, startMs = 60 * 60_000) {
  const [clock, log, signs] = [new SetClock(startMs), new RecordingLogger(), new FakeClockSigns()];
  const open = async () => BootClock.open(folder, { clock, log }, signs);
  const boot = await open();
  let sequence = 0;
  const record = (now = boot): StoredRecord => {
    const stamp = { capturedAtMs: clock.nowMs(), monotonicMs: clock.monotonicMs() };
    const draft = { ...stamp, monotonicFrom: "boot", bootId: now.bootId, clockQuality: now.quality(stamp) } as const;
    return sampleRecord((sequence += 1), sampleJpeg(), draft);
  };
  const logged = (event: string) => log.lines.filter((line) => line.event === event);
  return { clock, signs, boot, open, record, logged };
}

describe("what the wall clock is worth", () => {
  it("marks what was taken before a time source set the clock, and tells its true time afterwards", async () => {
    await using folder = await tempFolder();
    const { clock, signs, boot, open, record, logged } = await gateway(folder.path);
    const early = record();
    assert.equal(early.clockQuality, "unsynchronised");
    assert.equal(boot.corrected(early), early);
    assert.equal(boot.health().plausible, false);
    await clock.advance(90_000);
    const second = record();
    clock.set(in2026);
    // Nobody has looked yet: what is taken now has the right time, and is not known to have it.
    const third = record();
    signs.markedMs = in2026;
    boot.look();
    const late = record();
    assert.deepEqual(
      [third, late].map(({ clockQuality }) => clockQuality),
      ["unknown", "synchronised"],
    );
    const told = [early, second, third, late].map((each) => boot.corrected(each));
    assert.deepEqual(
      told.map(({ capturedAtMs, clockQuality }) => [capturedAtMs - in2026, clockQuality]),
      [
        [-90_000, "corrected"],
        [0, "corrected"],
        [0, "corrected"],
        [0, "synchronised"],
      ],
    );
    assert.deepEqual(boot.health().lastJump, { byMs: in2026 - 60 * 60_000 - 90_000, agoMs: 0 });
    assert.equal(logged("clock.jumped").length, 1);
    assert.equal(logged("clock.synchronised").length, 1);

    // Written when it is watched; another process of this boot knows it then.
    boot.start();
    await until(async () => (await readFile(join(folder.path, "clock.json"), "utf8")).includes(boot.bootId), "written");
    await boot.stop();
    const again = await open();
    assert.equal(again.corrected(early).capturedAtMs, in2026 - 90_000);
    const other = { ...early, bootId: "another boot" };
    assert.equal(again.corrected(other), other, "nothing is known of another boot");
    const { monotonicFrom, ...old } = early;
    assert.equal(monotonicFrom, "boot");
    assert.equal(again.corrected(old), old, "in older versions monotonic time began with the process");
  });

  for (const [name, byMs] of [
    ["back to 1970", -56 * year],
    ["forward by 70 years", 70 * year],
  ] as const) {
    it(`trusts no clock that somebody set ${name}, and goes on by the one it knew`, async () => {
      await using folder = await tempFolder();
      const { clock, signs, boot, record } = await gateway(folder.path, in2026);
      signs.markedMs = in2026;
      boot.look();
      await clock.advance(60_000);
      clock.set(clock.nowMs() + byMs);
      const wrong = record();
      assert.equal(wrong.clockQuality, "unsynchronised", "before anybody has looked");
      boot.look();
      assert.equal(boot.quality(), "unsynchronised");
      assert.equal(boot.corrected(wrong).capturedAtMs, in2026 + 60_000);
      // The time source sets it right, and marks that.
      clock.set(in2026 + 120_000);
      signs.markedMs = in2026 + 120_000;
      boot.look();
      assert.equal(boot.quality(), "synchronised");
    });
  }

  it("sees a clock that was set while no process looked", async () => {
    await using folder = await tempFolder();
    const { clock, signs, boot, open } = await gateway(folder.path, in2026);
    signs.markedMs = in2026;
    boot.start();
    await until(async () => (await readFile(join(folder.path, "clock.json"), "utf8")).includes(boot.bootId), "written");
    await boot.stop();
    clock.set(in2026 + year);
    const again = await open();
    assert.equal(again.quality(), "unsynchronised", "the mark is older than the jump");
    assert.equal(again.health().lastJump?.byMs, year);
  });

  it("asks programs where there is no mark, later and later, and again after a jump", async () => {
    await using folder = await tempFolder();
    const { clock, signs, boot } = await gateway(folder.path, in2026);
    signs.answer = "unsynchronised";
    boot.start();
    await clock.advance(24 * 60 * 60_000);
    assert.equal(boot.quality(), "unsynchronised");
    const asked = signs.asked;
    assert.ok(asked > 90 && asked < 110, `asked ${asked} times in a day`);
    clock.set(in2026);
    signs.answer = "synchronised";
    await clock.advance(clockLimits.lookMs);
    assert.equal(boot.quality(), "synchronised");
    assert.equal(signs.asked, asked + 1);
    await clock.advance(60 * 60_000);
    assert.equal(signs.asked, asked + 1, "nobody is asked while it is right");
    await boot.stop();
  });

  it("where nobody knows anything, corrects by decades what a set clock proves wrong, and nothing else", async () => {
    await using folder = await tempFolder();
    const { clock, boot, record } = await gateway(folder.path);
    const early = record();
    clock.set(in2026);
    boot.look();
    const usual = record();
    assert.deepEqual([boot.corrected(early).capturedAtMs, usual.clockQuality], [in2026, "unknown"]);
    // A second change may be right or wrong.
    clock.set(in2026 + year);
    boot.look();
    assert.equal(boot.corrected(usual), usual);
    assert.equal(boot.corrected(early).capturedAtMs, in2026);
  });

  it("begins without what it cannot read, and says so", async () => {
    await using folder = await tempFolder();
    await writeFile(join(folder.path, "clock.json"), "{");
    const { signs, boot, logged } = await gateway(folder.path, in2026);
    signs.markedMs = in2026;
    assert.equal(boot.look().quality(), "synchronised");
    assert.equal(logged("clock.state_unusable").length, 1);
  });

  it("remembers the latest boots alone", async () => {
    let anchors: readonly ClockAnchor[] = [];
    for (let boot = 0; boot < clockLimits.anchorsMax + 5; boot += 1) {
      anchors = withAnchor(anchors, { bootId: `${boot}`, monotonicMs: 1, offsetMs: 1, confirmed: true });
    }
    assert.deepEqual([anchors.length, anchors[0]?.bootId], [clockLimits.anchorsMax, "5"]);
    assert.match(await bootId(), /^[0-9a-f-]{36}$/);
  });
});

describe("signs that a time source has set the clock", () => {
  const never = new AbortController().signal;

  it("reads the mark of systemd-timesyncd", async () => {
    await using folder = await tempFolder();
    const mark = join(folder.path, "synchronized");
    const signs = new SystemClockSigns(mark);
    assert.equal(signs.markedAtMs(), undefined);
    await writeFile(mark, "");
    await utimes(mark, 1_000, 1_000);
    assert.equal(signs.markedAtMs(), 1_000_000);
    await rm(mark);
    await symlink(mark, mark);
    assert.equal(signs.markedAtMs(), undefined, "what cannot be looked at is no mark, and ends nothing");
  });

  it("leaves nothing behind where there are no programs, however often it asks", async () => {
    const { signal } = new AbortController();
    const signs = new SystemClockSigns("/nowhere", "/nowhere");
    for (let times = 0; times < 3; times += 1) assert.equal(await signs.ask(signal), "unknown");
    assert.equal(getEventListeners(signal, "abort").length, 0);
  });

  it("stops at once when a program does not end", async () => {
    await using folder = await tempFolder();
    await writeFile(join(folder.path, "timedatectl"), "#!/bin/sh\nexec sleep 60\n", { mode: 0o755 });
    const stop = new AbortController();
    const asked = new SystemClockSigns("/nowhere", folder.path).ask(stop.signal);
    stop.abort();
    assert.equal(await asked, "unknown");
    assert.equal(await new SystemClockSigns("/nowhere", folder.path).ask(stop.signal), "unknown");
  });

  const chrony = (leap: string) =>
    `A29FC801,162.159.200.1,4,1763790000.1,0.0001,0.0002,0.0003,1.2,0.0,0.1,0.01,0.001,64.2,${leap}`;
  for (const [programs, expected] of [
    [{}, "unknown"],
    [{ timedatectl: "echo yes" }, "synchronised"],
    [{ timedatectl: "echo no" }, "unsynchronised"],
    [{ timedatectl: "echo 'System has not been booted with systemd' >&2; exit 1" }, "unknown"],
    [{ timedatectl: "exit 1", chronyc: `echo '${chrony("Normal")}'` }, "synchronised"],
    [{ chronyc: `echo '${chrony("Not synchronised")}'` }, "unsynchronised"],
    [{ chronyc: "echo '506 Cannot talk to daemon'; exit 1" }, "unknown"],
  ] as const) {
    it(`takes ${JSON.stringify(programs).slice(0, 70)} for ${expected}`, async () => {
      await using folder = await tempFolder();
      const bin = join(folder.path, "bin");
      await mkdir(bin);
      for (const [name, script] of Object.entries(programs)) {
        await writeFile(join(bin, name), `#!/bin/sh\n${script}\n`);
        await chmod(join(bin, name), 0o755);
      }
      assert.equal(await new SystemClockSigns("/nowhere", bin).ask(never), expected);
    });
  }
});
