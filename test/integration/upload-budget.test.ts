import assert from "node:assert/strict";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, it } from "mocha";
import type { Outcome } from "../../src/core/outcome.ts";
import { DeliveryLoop } from "../../src/deliver/loop.ts";
import { UploadControl, type UploadPlan, type UploadTarget } from "../../src/deliver/upload-control.ts";
import { accepted, answers, hour, minute } from "../lib/deliver-bench.ts";
import { draftOf, imageOf } from "../lib/drafts.ts";
import { JumpingClock } from "../lib/jumping-clock.ts";
import { MemorySpool } from "../lib/memory-spool.ts";
import { each, ScriptedTarget } from "../lib/scripted-target.ts";
import { until } from "../lib/poll.ts";
import { RecordingLogger, seededRandom } from "../lib/seams.ts";
import { tempFolder } from "../lib/temp.ts";

const timeZone = "Europe/Berlin";
const at = (text: string): number => Date.parse(text);
const day = 24 * hour;
const nights = { timeZone, windows: [{ from: "22:00", to: "06:00" }] };

/** Targets behind a control, on virtual time; what a call sends is told to the meter, as links do. */
class Bench implements AsyncDisposable {
  readonly clock: JumpingClock;
  readonly log = new RecordingLogger();
  readonly spool: MemorySpool;
  readonly sent: { readonly atMs: number; readonly target: string; readonly bytes: number }[] = [];
  readonly loops: DeliveryLoop[] = [];
  control: UploadControl;
  readonly #parts: { stateFolder: string; targets: readonly UploadTarget[]; plan: UploadPlan };

  constructor(folder: string, from: string, plan: UploadPlan, targets: readonly Partial<UploadTarget>[] = [{}]) {
    this.clock = new JumpingClock(at(from));
    this.spool = new MemorySpool({ clock: this.clock });
    const named = targets.map((target, index) => ({ id: "abcdef"[index] ?? "z", enabled: true, ...target }));
    this.#parts = { stateFolder: folder, targets: named, plan: { timeZone, ...plan } };
    this.control = new UploadControl(this.#parts, this.#seams());
  }

  get ids(): readonly string[] {
    return this.#parts.targets.map(({ id }) => id);
  }

  /** `sends`: the bytes of a call, and how it ends. */
  async start(
    sends: (imageBytes: number) => { readonly bytes: number; readonly forMs?: number; readonly outcome?: Outcome },
    { recordsPerCallMax = 1, callsInFlightMax = 1 } = {},
  ): Promise<void> {
    await this.control.start();
    for (const id of this.ids) {
      const answer = async (deliveries: Parameters<ScriptedTarget["deliver"]>[0], signal: AbortSignal) => {
        const imageBytes = deliveries.reduce((sum, { record }) => sum + record.imageBytes, 0);
        const { bytes, forMs = 100, outcome = accepted } = sends(imageBytes);
        await this.clock.sleep(forMs, signal);
        this.sent.push({ atMs: this.clock.nowMs(), target: id, bytes });
        this.control.meter(bytes);
        return each(() => outcome)(deliveries, signal);
      };
      const target = new ScriptedTarget(id, answer, { recordsPerCallMax, callsInFlightMax });
      const loop = new DeliveryLoop(target, this.spool, this.#seams(), this.control.gateOf(id));
      loop.start();
      this.loops.push(loop);
    }
  }

  async append(count: number, bytes = 1_000): Promise<void> {
    for (let n = 0; n < count; n += 1) await this.spool.append(draftOf(), imageOf(bytes, n), [...this.ids]);
  }

  /** As at a new start of the process; without `stop` before it, as after kill -9. */
  renew(): void {
    this.loops.length = 0;
    this.control = new UploadControl(this.#parts, this.#seams());
  }

  async stop(): Promise<void> {
    const stopped = Promise.all(this.loops.map(async (loop) => await loop.stop()));
    await this.clock.run(minute);
    await stopped;
    await this.control.stop();
  }

  sentBetween(from: string, to: string): number {
    const within = this.sent.filter(({ atMs }) => atMs >= at(from) && atMs < at(to));
    return within.reduce((sum, { bytes }) => sum + bytes, 0);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }

  #seams() {
    return { clock: this.clock, random: seededRandom(7), log: this.log };
  }
}

describe("upload windows", function () {
  this.timeout(20_000);

  it("open and close by local time, over the change of the clock and the end of the month", async () => {
    await using temp = await tempFolder();
    await using bench = new Bench(temp.path, "2026-03-27T12:00:00+01:00", { schedule: nights });
    await bench.start(() => ({ bytes: 1 }));
    for (let hours = 0; hours < 6 * 24; hours += 1) {
      await bench.append(1);
      await bench.clock.run(hour);
    }
    const local = new Intl.DateTimeFormat("en-GB", { timeZone, hour: "2-digit", hourCycle: "h23" });
    const hours = [...new Set(bench.sent.map(({ atMs }) => Number(local.format(atMs))))].sort((a, b) => a - b);
    assert.deepEqual(hours, [0, 1, 2, 3, 4, 5, 22, 23]);
    assert.ok(bench.sent.length > 130, `${bench.sent.length} of 144`);
    const firstOfNight = bench.sent.filter(({ atMs }, n) => atMs - (bench.sent[n - 1]?.atMs ?? 0) > 10 * hour);
    const begins = ["2026-03-27T22:00:00+01:00", "2026-03-28T22:00:00+01:00", "2026-03-29T22:00:00+02:00"];
    for (const [night, begin] of begins.entries()) {
      assert.ok(Math.abs((firstOfNight[night]?.atMs ?? 0) - at(begin)) < minute, `${night}: opens at ${begin}`);
    }
    const health = bench.loops[0]?.health();
    assert.deepEqual(
      [health?.state, health?.opensInMs],
      ["window", at("2026-04-02T22:00:00+02:00") - bench.clock.nowMs()],
    );
  });

  it("let a flush pass, once, and close nothing for a clock that is plainly wrong", async () => {
    await using temp = await tempFolder();
    await using bench = new Bench(temp.path, "2026-05-10T12:00:00+02:00", { schedule: nights });
    await bench.start(() => ({ bytes: 1 }));
    await bench.append(3);
    await bench.clock.run(hour);
    assert.equal(bench.sent.length, 0);
    bench.loops[0]?.flush(2);
    await bench.clock.run(hour);
    assert.equal(bench.sent.length, 2);
    bench.clock.set(0);
    await bench.clock.run(minute);
    assert.deepEqual([bench.sent.length, bench.loops[0]?.health().state], [3, "up"]);
  });

  it("of a target go before that for all, and that for all leaves folders alone", async () => {
    await using temp = await tempFolder();
    const always = { windows: [{ from: "00:00", to: "24:00" }] };
    const targets = [{}, { schedule: always }, { isLocal: true }, { isLocal: true, schedule: nights }];
    await using bench = new Bench(temp.path, "2026-05-10T12:00:00+02:00", { schedule: nights }, targets);
    await bench.start(() => ({ bytes: 1 }));
    await bench.append(1);
    await bench.clock.run(minute);
    assert.deepEqual(
      bench.loops.map((loop) => loop.health().state),
      ["window", "up", "up", "window"],
    );
    assert.deepEqual(bench.sent.map(({ target }) => target).sort(), ["b", "c"]);
    const held = bench.log.lines.filter(({ event }) => event === "upload.held").map(({ fields }) => fields["target"]);
    assert.deepEqual(held, ["a", "d"], "each said once");
  });
});

describe("upload budgets", function () {
  this.timeout(20_000);

  it("hold a day's and a month's over weeks, with a restart in mid month", async () => {
    await using temp = await tempFolder();
    const plan = { bytesPerDay: 100_000, bytesPerMonth: 300_000 };
    await using bench = new Bench(temp.path, "2026-03-26T00:00:00+01:00", plan);
    await bench.start(() => ({ bytes: 1_500 }));
    await bench.append(400);
    await bench.clock.run(1.5 * day);
    const { monthBytesLeft: before = 0 } = bench.control.health().budget ?? {};
    await bench.stop();
    bench.renew();
    await bench.start(() => ({ bytes: 1_500 }));
    const { monthBytesLeft: after = 0 } = bench.control.health().budget ?? {};
    assert.equal(after, before, "nothing is forgotten over a restart");
    // Three days use up the month's.
    await bench.clock.run(at("2026-03-31T12:00:00+02:00") - bench.clock.nowMs());
    const march = bench.sentBetween("2026-03-01T00:00:00+01:00", "2026-04-01T00:00:00+02:00");
    assert.ok(march >= 300_000 && march < 301_500, `${march} bytes in March`);
    const health = bench.loops[0]?.health();
    assert.equal(health?.state, "budget");
    assert.equal(health.opensInMs, 12 * hour);
    assert.equal(bench.control.health().budget?.monthBytesLeft, 0);
    await bench.clock.run(2 * day);
    for (let date = 1; date <= 2; date += 1) {
      const [from, to] = [`2026-04-0${date}T00:00:00+02:00`, `2026-04-0${date + 1}T00:00:00+02:00`];
      const sent = bench.sentBetween(from, to);
      assert.ok(sent >= 100_000 && sent < 101_500, `${sent} bytes on ${date} April`);
    }
    const days = new Map<string, number>();
    const local = new Intl.DateTimeFormat("en-CA", { timeZone });
    for (const { atMs, bytes } of bench.sent) {
      days.set(local.format(atMs), (days.get(local.format(atMs)) ?? 0) + bytes);
    }
    for (const [date, bytes] of days) assert.ok(bytes < 101_500, `${bytes} on ${date}`);
  });

  it("count failed tries, and let a flush go beyond only when it is told", async () => {
    await using temp = await tempFolder();
    await using bench = new Bench(temp.path, "2026-05-10T12:00:00+02:00", { bytesPerMonth: 10_000 });
    let fails = true;
    await bench.start(() => ({ bytes: 1_500, ...(fails ? { outcome: answers("HTTP_503") } : {}) }));
    await bench.append(10);
    await bench.clock.run(day);
    assert.deepEqual([bench.sent.length, bench.loops[0]?.health().state], [7, "budget"]);
    fails = false;
    bench.loops[0]?.flush(10);
    await bench.clock.run(hour);
    assert.equal(bench.sent.length, 7, "a flush alone does not go beyond it");
    bench.loops[0]?.flush(4, { overBudget: true });
    await bench.clock.run(hour);
    assert.equal(bench.sent.length, 11);
    await bench.clock.run(day);
    assert.deepEqual([bench.sent.length, bench.loops[0]?.health().state], [11, "budget"]);
  });

  it("are written seldom, and a kill forgets a bounded part that is in nobody's disfavour", async () => {
    await using temp = await tempFolder();
    const path = join(temp.path, "upload-usage.json");
    const bytesPerMonth = 100_000_000;
    const bench = new Bench(temp.path, "2026-05-10T12:00:00+02:00", { bytesPerMonth });
    await bench.control.start();
    const written = new Set<string>();
    let told = 0;
    for (let n = 0; n < 200; n += 1) {
      bench.control.meter(40_000);
      told += 40_000;
      await bench.clock.run(1_000);
      await new Promise((resolve) => setTimeout(resolve, 1));
      written.add(await readFile(path, "utf8"));
    }
    // Every half percent is 13 of them; the clock is virtual, the disk is not.
    const noted = 40_000 * 13 * Math.floor(200 / 13);
    await until(async () => (await readFile(path, "utf8")).includes(`"bytes": ${noted}`), `${noted} bytes are noted`);
    assert.ok(written.size <= 18, `${written.size} versions for 200 calls`);
    bench.renew();
    await bench.control.start();
    const left = bench.control.health().budget?.monthBytesLeft ?? 0;
    const forgotten = told - (bytesPerMonth - left);
    assert.ok(forgotten >= 0 && forgotten <= bytesPerMonth * 0.005 + 40_000, `${forgotten} bytes forgotten`);
    await bench.control.stop();
  });

  it("begin anew where what was counted cannot be read, which is kept, and said", async () => {
    await using temp = await tempFolder();
    const path = join(temp.path, "upload-usage.json");
    for (const each of [path, `${path}.bak`]) await writeFile(each, "\0\0\0");
    const bench = new Bench(temp.path, "2026-05-10T12:00:00+02:00", { bytesPerDay: 1_000_000 });
    const { log } = bench;
    await bench.control.start();
    bench.control.meter(400_000);
    assert.equal(bench.control.health().budget?.dayBytesLeft, 600_000);
    await bench.control.stop();
    const said = log.lines.filter(({ event }) => event === "upload.usage_lost");
    assert.deepEqual(
      said.map(({ level, fields }) => [level, fields["code"]]),
      [["error", "STATE_UNREADABLE"]],
    );
    assert.equal(await readFile(`${path}.damaged`, "utf8"), "\0\0\0");
    bench.renew();
    await bench.control.start();
    assert.equal(bench.control.health().budget?.dayBytesLeft, 600_000, "it is counted on the disk again");
    await bench.control.stop();
  });

  it("leave folders alone", async () => {
    await using temp = await tempFolder();
    const targets = [{}, { isLocal: true }];
    await using bench = new Bench(temp.path, "2026-05-10T12:00:00+02:00", { bytesPerDay: 1 }, targets);
    await bench.start(() => ({ bytes: 10 }));
    await bench.append(5);
    await bench.clock.run(hour);
    const sent = ["a", "b"].map((id) => bench.sent.filter(({ target }) => target === id).length);
    assert.ok(sent[0] !== undefined && sent[0] <= 1, `${sent[0]} calls`);
    assert.equal(sent[1], 5);
  });

  for (let seed = 1; seed <= 3; seed += 1) {
    it(`let no more than the budget and one call out in a period, seed ${seed}`, async () => {
      await using temp = await tempFolder();
      const random = seededRandom(seed);
      const bytesPerDay = 200_000 + Math.floor(random() * 2_000_000);
      const targets = Array.from({ length: 1 + Math.floor(random() * 4) }, () => ({}));
      await using bench = new Bench(temp.path, "2026-10-23T20:00:00+02:00", { bytesPerDay }, targets);
      // Up to what is kept free for a call: base64 twice, or something else thrice.
      let largest = 0;
      const sends = (imageBytes: number) => {
        const bytes = Math.floor(imageBytes * (0.2 + 2.8 * random()) + random() * 64_000);
        largest = Math.max(largest, bytes);
        const outcome = random() < 0.2 ? { outcome: answers("HTTP_503") } : {};
        return { bytes, forMs: random() * 20_000, ...outcome };
      };
      const capacity = {
        recordsPerCallMax: 1 + Math.floor(random() * 4),
        callsInFlightMax: 1 + Math.floor(random() * 4),
      };
      await bench.start(sends, capacity);
      for (let n = 0; n < 400; n += 1) await bench.append(1, 300 + Math.floor(random() * 30_000));
      for (let hours = 0; hours < 60; hours += 1) {
        await bench.clock.run(hour);
        // A time source that sets a poor clock right, a few minutes at a time.
        if (random() < 0.2) bench.clock.jump((random() - 0.6) * 10 * minute);
      }
      const days = new Map<string, number>();
      const local = new Intl.DateTimeFormat("en-CA", { timeZone });
      // Going back over midnight: what goes then is of the period that has begun.
      let latest = "";
      for (const { atMs, bytes } of bench.sent) {
        const date = local.format(atMs);
        if (date > latest) latest = date;
        days.set(latest, (days.get(latest) ?? 0) + bytes);
      }
      for (const [date, bytes] of days) {
        assert.ok(bytes <= bytesPerDay + largest, `${bytes} on ${date}, of ${bytesPerDay} and ${largest} for a call`);
      }
      assert.ok(days.size >= 2, [...days.keys()].join());
    });
  }
});
