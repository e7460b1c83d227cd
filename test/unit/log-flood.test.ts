import assert from "node:assert/strict";
import { AxiosError, AxiosHeaders } from "axios";
import { describe, it } from "mocha";
import { logLimits } from "../../src/core/limits.ts";
import { createControlledLogger, type LogLevel } from "../../src/log/logger.ts";
import { terminalLine } from "../../src/log/terminal-line.ts";
import { SimulatedClock } from "../lib/seams.ts";

type Logged = Readonly<Record<string, unknown>> & { readonly event: string; readonly level: string };

function longLog(level: LogLevel = "info") {
  const clock = new SimulatedClock();
  const lines: Logged[] = [];
  const destination = { write: (line: string) => void lines.push(JSON.parse(line) as Logged) };
  const { log, control } = createControlledLogger({ level, secrets: [], journald: false, destination, clock });
  const said = (event: string) => lines.filter((line) => line.event === event);
  return { clock, lines, log, control, said };
}

describe("a log that is written for years", () => {
  it("counts the same trouble instead of repeating it", () => {
    const { clock, log, said } = longLog();
    const camera = log.child({ camera: "front" });
    for (let second = 0; second < 600; second += 1) {
      camera.warn("camera.lost", { code: "CAMERA_LOST", message: `no frame for ${second} s`, restarts: second });
      clock.advance(1_000);
    }
    const shown = said("camera.lost");
    assert.equal(shown.length, 11);
    const seen = shown.reduce((sum, { repeated = 0 }) => sum + Number(repeated), shown.length);
    assert.equal(shown[0]?.["repeated"], undefined);
    assert.ok(seen > 540 && seen <= 600, `${seen} of 600 are told of so far`);
    assert.match(String(shown[1]?.["message"]), /no frame for 55 s/, "the latest stands for the others");
  });

  it("tells apart what differs in code, names or text", () => {
    const { log, lines } = longLog();
    log.error("delivery.failed", { code: "HTTP_500", target: "a" });
    log.error("delivery.failed", { code: "HTTP_503", target: "a" });
    log.error("delivery.failed", { code: "HTTP_503", target: "b" });
    log.warn("delivery.failed", { code: "HTTP_503", target: "b" });
    log.warn("spool.record.lost", { sequence: 1 });
    log.warn("spool.record.lost", { sequence: 2 });
    log.error("delivery.failed", { error: new Error("one") });
    log.error("delivery.failed", { error: new Error("other") });
    assert.equal(lines.length, 8);
    for (let times = 0; times < 5; times += 1) log.info("started", { cameras: 1 });
    assert.equal(lines.length, 13, "news are no troubles");
  });

  it("says what it counted when the trouble is over, and at the end", () => {
    const { clock, log, control, said } = longLog();
    for (let times = 0; times < 4; times += 1) log.warn("trouble", { code: "A", message: "x" });
    clock.advance(logLimits.repeatMs);
    log.info("health");
    assert.deepEqual(
      said("trouble").map(({ repeated }) => repeated),
      [undefined, 3],
    );
    for (let times = 0; times < 3; times += 1) log.warn("trouble", { code: "B" });
    control.sayCounted();
    assert.deepEqual(
      said("trouble").map(({ repeated }) => repeated),
      [undefined, 3, undefined, 2],
    );
    control.sayCounted();
    assert.equal(said("trouble").length, 4, "once");
  });

  it("in a flood writes so much a minute and no more, keeps room for troubles, and counts what it left out", () => {
    const { clock, log, said, lines } = longLog();
    const { troubles, news } = logLimits.linesPerMinuteMax;
    for (let line = 0; line < 10_000; line += 1) {
      log.info("chatter", { line });
      log.warn("spool.record.lost", { sequence: line });
    }
    assert.deepEqual([said("chatter").length, said("spool.record.lost").length], [news, troubles]);
    clock.advance(60_000);
    log.info("health");
    assert.deepEqual(
      said("log.left_out").map(({ lines: left }) => left),
      [{ info: 10_000 - news, warn: 10_000 - troubles }],
    );
    assert.equal(lines.at(-1)?.event, "health");
  });

  it("keeps back and leaves out nothing while somebody debugs", () => {
    const { log, lines } = longLog("debug");
    for (let times = 0; times < 2_000; times += 1) log.warn("trouble", { code: "A" });
    assert.equal(lines.length, 2_000);
  });

  it("remembers a bounded number of troubles", () => {
    const { log, control, said } = longLog();
    for (let camera = 0; camera < 3 * logLimits.troublesMax; camera += 1) {
      for (let times = 0; times < 2; times += 1) log.warn("trouble", { camera: `${camera}` });
    }
    const before = said("trouble").length;
    control.sayCounted();
    assert.equal(said("trouble").length - before, logLimits.troublesMax);
  });
});

describe("an error of the HTTP client in the log", () => {
  it("shows neither its Authorization header, nor another token header, nor the key in its URL, nor its body", () => {
    const { log, lines } = longLog();
    const canaries = [
      "canary-bearer-AAAA1111",
      "canary-header-BBBB2222",
      "canary-query-CCCC3333",
      "canary-body-DDDD4444",
    ];
    const [bearer = "", header = "", query = "", body = ""] = canaries;
    const headers = new AxiosHeaders({ Authorization: `Bearer ${bearer}`, "X-Custom-Token": header });
    const url = `https://platform.example/upload?api_key=${query}`;
    const config = { headers, url, data: JSON.stringify({ image: body.repeat(500) }), method: "post" };
    const error = new AxiosError(`Request failed: ${url}`, "ERR_BAD_REQUEST", config, {
      path: `/upload?api_key=${query}`,
    });
    assert.ok(
      canaries.every((canary) => JSON.stringify(error.toJSON()).includes(canary)),
      "they are all in it",
    );
    log.error("delivery.failed", { error });
    log.error("delivery.failed", { error: new Error("outer", { cause: error }), config });
    const text = JSON.stringify(lines);
    for (const canary of canaries.slice(0, 3)) assert.ok(!text.includes(canary), canary);
    assert.ok(!JSON.stringify(lines[0]).includes(body));
    assert.ok(text.includes("ERR_BAD_REQUEST") && text.length < 12_000);
  });
});

describe("a log line at a terminal", () => {
  const time = new Date(2026, 0, 2, 10, 15, 2).toISOString();

  it("is short, with the trouble in words at its end", () => {
    const json = JSON.stringify({
      ...{
        level: "warn",
        time,
        event: "camera.lost",
        camera: "front",
        repeated: 3,
        url: "rtsp://cam/1",
        why: "no power",
      },
      ...{ code: "CAMERA_LOST", message: "the program has ended" },
    });
    const text =
      '10:15:02 warn  camera.lost camera=front repeated=3 url=rtsp://cam/1 why="no power" the program has ended (CAMERA_LOST)';
    assert.equal(terminalLine(json, false), text);
    assert.equal(terminalLine(json, true).replaceAll(/\x1b\[\d*m/g, ""), text);
    const withError = JSON.stringify({
      level: "error",
      time,
      event: "crash",
      error: { code: "E1", message: "boom", stack: "at x" },
    });
    assert.equal(terminalLine(withError, false), "10:15:02 error crash boom (E1)");
  });

  it("steers no terminal, and shows what is no line of ours", () => {
    const json = JSON.stringify({
      level: "info",
      time,
      event: "a\x1b[2J",
      name: "b\x1b]0;title\x07",
      message: "c\r\nd",
    });
    assert.doesNotMatch(terminalLine(json, false), /[\x00-\x1f]/);
    assert.equal(terminalLine("not JSON\n", false), "not JSON");
  });
});
