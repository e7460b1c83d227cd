import assert from "node:assert/strict";
import { describe, it } from "mocha";
import { weeklySchedule } from "../../src/config/schedule.ts";
import { Weekly, type WeeklyPlan } from "../../src/core/weekly.ts";

const berlin = "Europe/Berlin";
const at = (text: string) => Date.parse(text);
const hourMs = 3_600_000;

/** Local times of Berlin at which it is open, of every quarter of an hour between two moments. */
function openQuarters(plan: WeeklyPlan, from: string, to: string): readonly string[] {
  const weekly = new Weekly(plan);
  const local = new Intl.DateTimeFormat("en-GB", { timeZone: berlin, hour: "2-digit", minute: "2-digit" });
  const open: string[] = [];
  for (let ms = at(from); ms < at(to); ms += hourMs / 4) if (weekly.isOpen(ms)) open.push(local.format(ms));
  return open;
}

describe("weekly windows", () => {
  it("are open from their begin to before their end, on their days, in their time zone", () => {
    const weekly = new Weekly({
      timeZone: berlin,
      windows: [
        { days: ["mon", "fri"], from: "06:00", to: "20:00" },
        { days: ["sat"], from: "12:30", to: "12:31" },
      ],
    });
    for (const [moment, open] of [
      ["2026-11-23T05:59:59.999+01:00", false],
      ["2026-11-23T06:00:00+01:00", true],
      ["2026-11-23T19:59:59.999+01:00", true],
      ["2026-11-23T20:00:00+01:00", false],
      ["2026-11-24T12:00:00+01:00", false],
      ["2026-11-27T12:00:00+01:00", true],
      ["2026-11-28T12:30:30+01:00", true],
      ["2026-11-28T12:31:00+01:00", false],
      // Monday has begun in Auckland, not in Berlin.
      ["2026-11-23T09:00:00+13:00", false],
    ] as const) {
      assert.equal(weekly.isOpen(at(moment)), open, moment);
    }
  });

  it("past midnight belong to the day on which they begin", () => {
    const weekly = new Weekly({ timeZone: berlin, windows: [{ days: ["sun"], from: "22:00", to: "02:00" }] });
    for (const [moment, open] of [
      ["2026-11-22T01:00:00+01:00", false],
      ["2026-11-22T21:59:00+01:00", false],
      ["2026-11-22T22:00:00+01:00", true],
      ["2026-11-23T01:59:00+01:00", true],
      ["2026-11-23T02:00:00+01:00", false],
      ["2026-11-23T22:00:00+01:00", false],
    ] as const) {
      assert.equal(weekly.isOpen(at(moment)), open, moment);
    }
  });

  it("may last all day, and all week", () => {
    const always = new Weekly({ timeZone: berlin, windows: [{ from: "00:00", to: "24:00" }] });
    for (let ms = at("2026-03-27T00:00:00Z"); ms < at("2026-04-03T00:00:00Z"); ms += hourMs / 2) {
      assert.equal(always.isOpen(ms), true);
    }
    const saturday = new Weekly({ timeZone: berlin, windows: [{ days: ["sat"], from: "00:00", to: "24:00" }] });
    assert.equal(saturday.isOpen(at("2026-11-28T23:59:59+01:00")), true);
    assert.equal(saturday.isOpen(at("2026-11-29T00:00:00+01:00")), false);
  });

  it("follow the local time where the clock is set forward: 02:00 to 03:00 is not there", () => {
    const night = ["2026-03-29T00:00:00Z", "2026-03-29T04:00:00Z"] as const;
    const skipped = { timeZone: berlin, windows: [{ from: "02:15", to: "02:45" }] };
    assert.deepEqual(openQuarters(skipped, ...night), []);
    const half = { timeZone: berlin, windows: [{ from: "02:30", to: "03:30" }] };
    assert.deepEqual(openQuarters(half, ...night), ["03:00", "03:15"]);
    const across = { timeZone: berlin, windows: [{ from: "01:30", to: "03:15" }] };
    assert.deepEqual(openQuarters(across, ...night), ["01:30", "01:45", "03:00"]);
    const day = new Weekly({ timeZone: berlin, windows: [{ days: ["sun"], from: "06:00", to: "20:00" }] });
    assert.equal(day.isOpen(at("2026-03-29T04:00:00Z")), true, "06:00 is an hour sooner");
  });

  it("follow the local time where the clock is set back: 02:00 to 03:00 comes twice", () => {
    const night = ["2026-10-24T23:00:00Z", "2026-10-25T03:00:00Z"] as const;
    const doubled = { timeZone: berlin, windows: [{ from: "02:15", to: "02:45" }] };
    assert.deepEqual(openQuarters(doubled, ...night), ["02:15", "02:30", "02:15", "02:30"]);
    const across = { timeZone: berlin, windows: [{ from: "01:30", to: "02:30" }] };
    assert.deepEqual(openQuarters(across, ...night), ["01:30", "01:45", "02:00", "02:15", "02:00", "02:15"]);
  });

  it("name their next opening, as a look at every minute finds it", () => {
    const zones = [berlin, "America/St_Johns", "Australia/Lord_Howe", "Asia/Kathmandu", "UTC"];
    for (const [number, timeZone] of zones.entries()) {
      const windows = [
        { days: ["sun", "wed"], from: `0${number + 1}:07`, to: "03:00" },
        { days: ["sat"], from: "23:50", to: "00:10" },
      ] as const;
      const weekly = new Weekly({ timeZone, windows });
      for (const begin of ["2026-03-28T12:34:56Z", "2026-10-24T20:00:00Z", "2026-04-04T10:00:00Z"]) {
        let sought = at(begin);
        while (!weekly.isOpen(sought)) sought = (Math.floor(sought / 60_000) + 1) * 60_000;
        assert.equal(weekly.opensAtMs(at(begin)), sought, `${timeZone} ${begin}`);
      }
    }
  }).timeout(10_000);

  it("open now when they are open, and never when no day has them", () => {
    const weekly = new Weekly({ timeZone: "UTC", windows: [{ days: ["mon"], from: "06:00", to: "07:00" }] });
    const monday = at("2026-11-23T06:30:15Z");
    assert.equal(weekly.opensAtMs(monday), monday);
    assert.equal(weekly.opensAtMs(at("2026-11-23T07:00:00Z")), at("2026-11-30T06:00:00Z"));
    // The only Sunday in two weeks on which it would open has no such hour; the one after it has.
    const skipped = new Weekly({ timeZone: berlin, windows: [{ days: ["sun"], from: "02:15", to: "02:45" }] });
    assert.equal(skipped.opensAtMs(at("2026-03-28T12:00:00Z")), at("2026-04-05T00:15:00Z"));
  });
});

describe("a schedule in the config", () => {
  const day = { from: "06:00", to: "20:00" };

  it("takes windows with and without days and time zone", () => {
    for (const schedule of [
      { windows: [day] },
      { timeZone: "Europe/Berlin", windows: [{ days: ["mon", "sun"], from: "22:00", to: "06:00" }, day] },
      { timeZone: "UTC", windows: [{ from: "00:00", to: "24:00" }] },
    ]) {
      assert.deepEqual(weeklySchedule.parse(schedule), schedule);
    }
  });

  it("refuses what no clock shows, saying what it expects", () => {
    for (const [schedule, said] of [
      [{ windows: [] }, /Too small/],
      [{ timeZone: "Europe/Berln", windows: [day] }, /is no time zone that is known here/],
      [{ timeZone: "", windows: [day] }, /is no time zone that is known here/],
      [{ windows: [{ from: "24:00", to: "24:00" }] }, /00:00 to 23:59/],
      [{ windows: [{ from: "6:00", to: "20:00" }] }, /00:00 to 23:59/],
      [{ windows: [{ from: "06:00", to: "24:30" }] }, /up to|00:01 to 24:00/],
      [{ windows: [{ from: "06:00", to: "06:00" }] }, /write 00:00 to 24:00 for a whole day/],
      [{ windows: [{ ...day, days: [] }] }, /Too small/],
      [{ windows: [{ ...day, days: ["monday"] }] }, /Invalid option/],
      [{ windows: [{ from: 360, to: "20:00" }] }, /expected a time of day/],
    ] as const) {
      const result = weeklySchedule.safeParse(schedule);
      assert.match(result.error?.message ?? "accepted", said, JSON.stringify(schedule));
    }
  });
});
