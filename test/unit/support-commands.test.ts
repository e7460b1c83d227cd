import assert from "node:assert/strict";
import { describe, it } from "mocha";
import { remoteLimits } from "../../src/core/remote-limits.ts";
import { createControlledLogger, type LogLevel } from "../../src/log/logger.ts";
import { LogRing } from "../../src/log/ring.ts";
import { capabilitiesCommands } from "../../src/remote/commands/capabilities.ts";
import { logCommands } from "../../src/remote/commands/log.ts";
import { supportCommands, type SupportPort } from "../../src/remote/commands/support.ts";
import { LogLevelHold } from "../../agent/remote/log-port.ts";
import { capabilitiesPort } from "../../agent/remote/capabilities-port.ts";
import { InboxBench } from "../lib/inbox-bench.ts";
import { findings, planted } from "../lib/secret-search.ts";
import { VirtualClock } from "../lib/virtual-clock.ts";

function heldLog(level: LogLevel = "info") {
  const lines: string[] = [];
  const destination = { write: (line: string) => lines.push(line) };
  const { log, control } = createControlledLogger({ level, destination, secrets: [], journald: false });
  const clock = new VirtualClock();
  return { lines, log, control, clock, hold: new LogLevelHold(control, clock) };
}

describe("log.level", () => {
  it("sets the level for a while, and takes it back by itself", async () => {
    const { lines, log, control, clock, hold } = heldLog();
    await using bench = await InboxBench.open(logCommands(hold));
    log.child({ part: "before" }).debug("unheard");
    const answer = await bench.reply("log.level", { level: "debug", durationMs: 60_000 });
    assert.deepEqual(answer, {
      ...{ state: "done", code: "ok", data: { level: "debug", from: "info", durationMs: 60_000 } },
    });
    log.child({ part: "after" }).debug("heard");
    assert.deepEqual(
      lines.map((line) => (JSON.parse(line) as { event: string }).event),
      ["heard"],
    );
    await clock.run(59_000);
    assert.equal(control.level(), "debug");
    await clock.run(2_000);
    assert.equal(control.level(), "info");
  });

  it("goes back to the configured level, not to one that was set in between", async () => {
    const { control, clock, hold } = heldLog();
    await using bench = await InboxBench.open(logCommands(hold));
    await bench.reply("log.level", { level: "error" });
    await bench.reply("log.level", { level: "debug", durationMs: 5_000 });
    await bench.reply("log.level", { level: "warn", durationMs: 60_000 });
    await clock.run(30_000);
    assert.equal(control.level(), "warn", "the one before has forgotten to go back");
    await clock.run(60_000);
    assert.equal(control.level(), "info");
  });

  it("changes nothing on a dry run, and refuses what is no level", async () => {
    const { control, hold } = heldLog();
    await using bench = await InboxBench.open(logCommands(hold));
    const dry = await bench.reply("log.level", { level: "debug" }, { dry: true });
    assert.deepEqual([dry.state, dry.data, control.level()], ["done", { level: "debug", from: "info" }, "info"]);
    for (const args of [{}, { level: "silent" }, { level: "debug", durationMs: 1 }, { level: "debug", more: 1 }]) {
      assert.deepEqual((await bench.reply("log.level", args)).code, "bad_args", JSON.stringify(args));
    }
    assert.deepEqual([control.level(), bench.audits.length], ["info", 0]);
  });
});

describe("capabilities", () => {
  it("names what this version can do", async () => {
    await using bench = await InboxBench.open(capabilitiesCommands(capabilitiesPort()));
    const { data } = (await bench.reply("capabilities")) as { data: Record<string, readonly unknown[]> };
    assert.ok(data["drivers"]?.includes("webcam") && data["targetKinds"]?.includes("iotown"));
    assert.deepEqual(
      data["commands"]?.find((each) => (each as { name: string }).name === "model.fetch"),
      { name: "model.fetch", scope: "config", effect: true, slow: true },
    );
    assert.match(String(data["configSchema"]), /^[0-9a-f]{16}$/);
    assert.equal((await bench.reply("capabilities", { all: true })).code, "bad_args");
  });
});

describe("support.bundle", () => {
  const port = (change: Partial<SupportPort> = {}): SupportPort => ({
    parts: async () => ({ info: { v: 1 }, status: { v: 1 }, config: { cameras: [] } }),
    logLines: () => [],
    redacted: (text) => text,
    packetBytesMax: () => Infinity,
    ...change,
  });

  it("holds what helps, and the last lines of the log", async () => {
    const ring = new LogRing();
    const { log } = createControlledLogger({
      ...{ level: "info", destination: { write: () => undefined }, secrets: [], journald: true, ring },
    });
    log.info("one");
    log.warn("two", { figure: 2 });
    await using bench = await InboxBench.open(supportCommands(port({ logLines: () => ring.lines() })));
    const { data } = (await bench.reply("support.bundle")) as { data: Record<string, unknown> };
    const lines = data["log"] as readonly { readonly event: string; readonly figure?: number }[];
    assert.deepEqual(
      lines.map(({ event, figure }) => [event, figure]),
      [
        ["one", undefined],
        ["two", 2],
      ],
    );
    assert.deepEqual(data["leftOut"], { parts: [], logLines: 0 });
    assert.deepEqual(data["config"], { cameras: [] });
  });

  it("never exceeds what was asked for, or what the broker takes, and keeps the newest lines", async () => {
    const lines = Array.from({ length: 400 }, (_, at) => JSON.stringify({ at, text: "ü".repeat(200) }));
    const large = { parts: async () => ({ info: { v: 1 }, config: "x".repeat(20_000) }), logLines: () => lines };
    for (const [bytesMax, packetBytesMax] of [
      [65_536, Infinity],
      [remoteLimits.bundleBytesMin, Infinity],
      [65_536, 16_384],
    ] as const) {
      await using bench = await InboxBench.open(
        supportCommands(port({ ...large, packetBytesMax: () => packetBytesMax })),
      );
      const { data = {} } = await bench.reply("support.bundle", { bytesMax });
      const { log, leftOut } = data as {
        log: readonly { at: number }[];
        leftOut: { parts: string[]; logLines: number };
      };
      const bytes = Buffer.byteLength(JSON.stringify(data));
      assert.ok(bytes <= bytesMax && bytes <= packetBytesMax, `${bytes} bytes`);
      assert.ok(bytes > Math.min(bytesMax, packetBytesMax) - 3_000, `only ${bytes} bytes`);
      assert.equal(log.at(-1)?.at, 399);
      assert.equal(log.length + leftOut.logLines, 400);
      assert.deepEqual(leftOut.parts, bytesMax > 20_000 && packetBytesMax > 20_000 ? [] : ["config"]);
    }
  });

  it("shows no secret, also where another part has let one in", async () => {
    const secret = planted("platform token");
    const ring = new LogRing();
    const { log } = createControlledLogger({
      ...{ level: "debug", destination: { write: () => undefined }, secrets: [secret.text], journald: false, ring },
    });
    log.error(`leak ${secret.text}`, {
      token: secret.text,
      text: `Bearer ${secret.text}`,
      error: new Error(secret.text),
    });
    const parts = async () => ({
      status: { troubles: [`leak ${secret.text}`] },
      config: { deep: [{ url: secret.text }] },
    });
    const redacted = (text: string) => log.redacted(text);
    await using bench = await InboxBench.open(supportCommands(port({ parts, logLines: () => ring.lines(), redacted })));
    const answer = await bench.reply("support.bundle");
    assert.deepEqual(findings(new Map([["bundle", Buffer.from(JSON.stringify(answer))]]), [secret]), []);
    assert.match(JSON.stringify(answer.data), /leak \*\*\*/);
  });

  it("refuses sizes that hold nothing, or that no broker takes", async () => {
    await using bench = await InboxBench.open(supportCommands(port()));
    for (const bytesMax of [0, 100, 1e9, "64KB", 5_000.5]) {
      assert.equal((await bench.reply("support.bundle", { bytesMax })).code, "bad_args", String(bytesMax));
    }
  });
});

describe("the ring of log lines", () => {
  it("is bounded in lines and characters, and keeps the newest", () => {
    const ring = new LogRing();
    for (let at = 0; at < 2_000; at += 1) ring.add(`<6>{"at":${at}}\n`);
    assert.equal(ring.lines().length, 500);
    assert.equal(ring.lines().at(-1), '{"at":1999}');
    for (let at = 0; at < 50; at += 1) ring.add("x".repeat(20_000));
    assert.ok(ring.lines().length < 14 && ring.lines().length > 10);
  });
});
