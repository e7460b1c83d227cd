import assert from "node:assert/strict";
import { describe, it } from "mocha";
import { Calendar } from "../../src/core/calendar.ts";
import { BudgetPeriod, type PeriodBooks } from "../../src/deliver/budget-period.ts";
import { SimulatedClock, seededRandom } from "../lib/seams.ts";

const berlin = "Europe/Berlin";
const at = (text: string): number => Date.parse(text);
const hour = 3_600_000;
const day = 24 * hour;

describe("days and months", () => {
  it("are named and end by local time, also where a day has 23 or 25 hours", () => {
    const calendar = new Calendar(berlin);
    for (const [moment, name, endsAt] of [
      ["2026-03-28T23:30:00+01:00", "2026-03-28", "2026-03-29T00:00:00+01:00"],
      ["2026-03-29T00:00:00+01:00", "2026-03-29", "2026-03-30T00:00:00+02:00"],
      ["2026-10-25T00:00:00+02:00", "2026-10-25", "2026-10-26T00:00:00+01:00"],
      ["2026-12-31T23:59:59.999+01:00", "2026-12-31", "2027-01-01T00:00:00+01:00"],
      ["2028-02-28T23:00:00Z", "2028-02-29", "2028-03-01T00:00:00+01:00"],
    ] as const) {
      assert.equal(calendar.nameOf("day", at(moment)), name);
      assert.equal(calendar.endMs("day", at(moment)), at(endsAt), moment);
    }
    assert.equal(calendar.nameOf("month", at("2026-02-28T23:30:00Z")), "2026-03");
    assert.equal(calendar.endMs("month", at("2026-10-01T00:00:00+02:00")), at("2026-11-01T00:00:00+01:00"));
    assert.equal(calendar.endMs("month", at("2026-02-10T12:00:00Z")), at("2026-03-01T00:00:00+01:00"));
  });

  it("end where a day begins at one o'clock, and where one was left out", () => {
    // Midnight is skipped when summer time begins in Beirut; Samoa had no 30 December 2011.
    assert.equal(new Calendar("Asia/Beirut").endMs("day", at("2026-03-28T12:00:00Z")), at("2026-03-28T22:00:00Z"));
    assert.equal(
      new Calendar("Pacific/Apia").endMs("day", at("2011-12-29T12:00:00-10:00")),
      at("2011-12-30T10:00:00Z"),
    );
  });
});

describe("a budget's day or month", () => {
  function periodOf(kind: "day" | "month", from: string, books?: PeriodBooks) {
    const clock = new SimulatedClock(at(from));
    const period = new BudgetPeriod(kind, 1_000, new Calendar(berlin), clock);
    period.open(books);
    return { clock, period };
  }

  it("renews at local midnight on the days of both changes of the clock", () => {
    for (const [from, hours] of [
      ["2026-03-29T00:00:00+01:00", 23],
      ["2026-10-25T00:00:00+02:00", 25],
    ] as const) {
      const { clock, period } = periodOf("day", from);
      period.count(1_200);
      assert.deepEqual([period.bytesLeft(), period.renewsInMs()], [-200, hours * hour]);
      clock.advance(hours * hour - 1);
      assert.equal(period.bytesLeft(), -200);
      assert.equal(period.spentForMs(), hours * hour - 1);
      clock.advance(1);
      assert.deepEqual([period.bytesLeft(), period.spentForMs()], [1_000, undefined]);
    }
  });

  it("renews with the month, goes on over a restart and takes a long stop for what it was", () => {
    const { clock, period } = periodOf("month", "2026-10-20T12:00:00+02:00");
    period.count(400);
    clock.advance(2 * day);
    const books = period.books();
    const again = periodOf("month", "2026-10-25T12:00:00+01:00", books);
    assert.equal(again.period.bytesLeft(), 600);
    assert.equal(again.period.renewsInMs(), at("2026-11-01T00:00:00+01:00") - at("2026-10-25T12:00:00+01:00"));
    assert.equal(periodOf("month", "2026-11-01T00:00:01+01:00", books).period.bytesLeft(), 1_000);
  });

  it("gives nothing for a clock that goes back, nor for one that goes back and forth", () => {
    const { clock, period } = periodOf("day", "2026-05-10T12:00:00+02:00");
    period.count(900);
    clock.jump(-3 * day);
    assert.equal(period.bytesLeft(), 100);
    clock.jump(3 * day);
    assert.equal(period.bytesLeft(), 100);
    // Forward once: that is a new day for all that is known. After it, back and forth is worth nothing.
    clock.jump(day);
    assert.equal(period.bytesLeft(), 1_000);
    period.count(1_000);
    for (let times = 0; times < 20; times += 1) {
      clock.jump(times % 2 === 0 ? -day : day);
      clock.advance(60_000);
      assert.equal(period.bytesLeft(), 0, `after ${times + 1} jumps`);
    }
  });

  for (const kind of ["day", "month"] as const) {
    it(`of a ${kind} is over in time after a clock that was years ahead for a moment`, () => {
      const { clock, period } = periodOf(kind, "2031-07-01T12:00:00+02:00");
      period.count(1_000);
      clock.jump(at("2026-05-10T12:00:00+02:00") - clock.nowMs());
      assert.equal(period.bytesLeft(), 0);
      const leftMs = period.renewsInMs();
      assert.ok(leftMs <= 1.5 * (kind === "day" ? 25 * hour : 31 * day + hour), `${leftMs} ms`);
      clock.advance(leftMs - 1);
      assert.equal(period.bytesLeft(), 0);
      clock.advance(1);
      assert.equal(period.bytesLeft(), 1_000);
      assert.equal(period.books().name, kind === "day" ? "2026-05-12" : "2026-06");
    });
  }

  it("is over for a gateway that runs some hours a day, too, once its own clock has gone on for as long", () => {
    let { clock, period } = periodOf("month", "2031-07-01T12:00:00+02:00");
    period.count(1_000);
    let books = period.books();
    for (let days = 0; days <= 48; days += 1) {
      const start = new Date(at("2026-05-10T08:00:00+02:00") + days * day).toISOString();
      ({ clock, period } = periodOf("month", start, books));
      clock.advance(4 * hour);
      books = period.books();
      assert.equal(period.bytesLeft(), days < 47 ? 0 : 1_000, `day ${days}`);
    }
  });

  it("is over each morning for a gateway that is off at night, and learns the date only after its start", () => {
    let books: PeriodBooks | undefined;
    let saved = "2026-05-10T18:00:00+02:00";
    for (let days = 1; days <= 9; days += 1) {
      // As systems without a battery clock do, it goes on where it was when it was switched off.
      const { clock, period } = periodOf("day", saved, books);
      clock.advance(60_000);
      clock.jump(at("2026-05-10T08:00:00+02:00") + days * day - clock.nowMs());
      assert.equal(period.bytesLeft(), 1_000, `day ${days}`);
      period.count(1_000);
      clock.advance(10 * hour);
      books = period.books();
      saved = new Date(clock.nowMs()).toISOString();
    }
  });

  it("is over where each start shows the same date, or an impossible one, after as long in running time", () => {
    for (const start of ["2026-05-10T08:00:00+02:00", "1970-01-01T00:00:00Z"]) {
      let books: PeriodBooks | undefined;
      let renewed = 0;
      for (let starts = 0; starts < 30; starts += 1) {
        const { clock, period } = periodOf("day", start, books);
        if (period.bytesLeft() > 0) {
          renewed += 1;
          period.count(1_000);
        }
        clock.advance(5 * hour);
        books = period.books();
      }
      // 150 hours are four times 37.5, of which each ends with a run of five.
      assert.equal(renewed, 4, start);
    }
  });

  it("takes the bytes that were sent before the clock was right with it", () => {
    const { clock, period } = periodOf("day", "1970-01-01T00:00:00Z");
    period.count(300);
    clock.jump(at("2026-05-10T12:00:00+02:00") - clock.nowMs());
    assert.equal(period.bytesLeft(), 700);
    assert.equal(period.books().name, "2026-05-10");
  });

  it("gives at most two budgets for each length of running time, whatever a clock does that leaps within a week", () => {
    for (let seed = 1; seed <= 12; seed += 1) {
      const random = seededRandom(seed);
      const { clock, period } = periodOf("day", "2026-05-10T12:00:00+02:00");
      const first = clock.nowMs();
      let sent = 0;
      const runMs = 60 * day;
      for (let ranMs = 0; ranMs < runMs; ranMs += hour) {
        clock.advance(hour);
        if (random() < 0.3) clock.jump(first + clock.monotonicMs() - clock.nowMs() + (random() - 0.5) * 7 * day);
        const left = period.bytesLeft();
        if (left > 0) {
          period.count(left);
          sent += 1;
        }
      }
      assert.ok(sent >= 38 && sent <= 2 * 60 + 8, `seed ${seed}: ${sent} budgets in 60 days`);
    }
  });
});
