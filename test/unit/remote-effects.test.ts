import assert from "node:assert/strict";
import { mkdir, open, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, it } from "mocha";
import { AgentError } from "../../src/core/errors.ts";
import { remoteLimits } from "../../src/core/remote-limits.ts";
import { withInterposed } from "../lib/interposed.ts";
import { RequestBench, type RequestBenchOptions } from "../lib/request-bench.ts";
import { settle } from "../lib/stepped-clock.ts";
import { tempFolder } from "../lib/temp.ts";
import { TraceCommands } from "../lib/trace-commands.ts";

/** Over one folder: each `life` is a process that ended without a word when the next begins. */
class Lives implements AsyncDisposable {
  readonly trace = new TraceCommands();
  readonly path: string;
  readonly #folder: AsyncDisposable;
  readonly #benches: RequestBench[] = [];

  private constructor(folder: AsyncDisposable & { readonly path: string }) {
    this.#folder = folder;
    this.path = folder.path;
  }

  static async begin(): Promise<Lives> {
    return new Lives(await tempFolder());
  }

  async life(options: Partial<Omit<RequestBenchOptions, "folder" | "commands">> = {}): Promise<RequestBench> {
    await this.#benches.at(-1)?.ledger.flush();
    const bench = new RequestBench({ ...options, commands: this.trace.commands, folder: this.path });
    this.#benches.push(bench);
    return await bench.start();
  }

  /** The state cannot be written from now on: a file stands where its folder was. */
  async breakDisk(): Promise<void> {
    await rm(this.path, { recursive: true });
    await writeFile(this.path, "");
  }

  async mendDisk(): Promise<void> {
    await rm(this.path);
    await mkdir(this.path);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const bench of this.#benches) await bench.stop();
    await this.#folder[Symbol.asyncDispose]();
  }
}

function entryOf(id: string) {
  return { id, command: "mark", digest: "d", waiting: [{ address: { command: "mark" } }] } as const;
}

async function entriesOf(path: string): Promise<readonly Readonly<Record<string, unknown>>[]> {
  const file = JSON.parse(await readFile(join(path, "commands.json"), "utf8")) as {
    readonly state: { readonly entries: readonly string[] };
  };
  return file.state.entries.map((entry) => JSON.parse(entry) as Readonly<Record<string, unknown>>);
}

describe("remote effects: once", () => {
  it("one that comes again gets the first answer, marked, wherever it wants it", async () => {
    await using lives = await Lives.begin();
    const bench = await lives.life();
    await bench.ask("mark", { id: "a", args: { n: 1 } });
    await bench.ask("mark", { id: "a", args: { n: 1 } }, { responseTopic: "framepost/reply/me" });
    assert.deepEqual(lives.trace.numbers(), [1]);
    const [first, second] = bench.finals();
    assert.deepEqual(second?.answer, first?.answer);
    assert.deepEqual([first?.duplicate, second?.duplicate], [false, true]);
    assert.equal(second?.address.responseTopic, "framepost/reply/me");
    assert.equal(bench.inbox.counts().duplicates, 1);
  });

  it("the same id with something else is refused; the order of arguments is nothing else", async () => {
    await using lives = await Lives.begin();
    const bench = await lives.life();
    await bench.ask("mark", { id: "a", args: { n: 1, secret: "s" } });
    await bench.ask("mark", { args: { secret: "s", n: 1 }, id: "a" });
    await bench.ask("mark", { id: "a", args: { n: 2, secret: "s" } });
    await bench.ask("mark", { id: "a", args: { n: 1, secret: "s" }, ifRevision: 3 });
    await bench.ask("again", { id: "a", args: { n: 1, secret: "s" } });
    assert.deepEqual(bench.words(), ["done/ok", "done/ok", ...Array<string>(3).fill("refused/id_reused")]);
    assert.deepEqual(lives.trace.numbers(), [1]);
  });

  it("a dry run is none: it needs no id, leaves no trace, and the effect comes afterwards", async () => {
    await using lives = await Lives.begin();
    const bench = await lives.life();
    await bench.ask("mark", { dry: true });
    await bench.ask("mark", { id: "a", dry: true });
    assert.deepEqual(
      bench.finals().map(({ dry }) => dry),
      [true, true],
    );
    assert.deepEqual(lives.trace.numbers(), []);
    assert.deepEqual(bench.audits, []);
    await bench.ask("mark", { id: "a" });
    assert.deepEqual(lives.trace.numbers(), [0]);
  });

  it("those that come while it is under way get the final answer too, each at its own place", async () => {
    await using lives = await Lives.begin();
    const bench = await lives.life();
    await bench.send("wait", { id: "a" });
    await bench.send("wait", { id: "a" }, { responseTopic: "framepost/reply/b" });
    await bench.send("wait", { id: "a" }, { correlationData: Buffer.from("c") });
    assert.deepEqual(bench.words(), []);
    lives.trace.traces[0]?.end();
    await bench.untilFinals(3);
    await settle();
    assert.deepEqual(
      bench
        .finals()
        .map(({ address, duplicate }) => [address.responseTopic, address.correlationData?.toString(), duplicate]),
      [
        [undefined, undefined, false],
        ["framepost/reply/b", undefined, true],
        [undefined, "c", true],
      ],
    );
    assert.equal(lives.trace.traces.length, 1);
  });

  it("not more of them than there is room for", async () => {
    await using lives = await Lives.begin();
    const bench = await lives.life();
    for (let count = 0; count < remoteLimits.followersMax + 2; count += 1) await bench.send("wait", { id: "a" });
    assert.deepEqual(bench.words(), ["refused/busy"]);
    lives.trace.traces[0]?.end();
    await bench.untilFinals(remoteLimits.followersMax + 2);
  });

  it("is told with what it did, and without what its command does not show", async () => {
    await using lives = await Lives.begin();
    const bench = await lives.life();
    await bench.ask("look", { id: "q" });
    await bench.ask("mark", { id: "a", args: { n: 1 } });
    await bench.ask("secret", { id: "b", args: { secret: "hunter2" } });
    await bench.ask("fail", { id: "c" });
    await bench.ask("mark", { id: "d", args: { secret: "x".repeat(2_000), n: 1 } });
    await bench.ask("mark", { id: "a", args: { n: 1 } });
    assert.deepEqual(bench.audits, [
      { command: "mark", id: "a", state: "done", code: "ok", args: { n: 1 } },
      { command: "secret", id: "b", state: "done", code: "ok", args: ["/secret"] },
      { command: "fail", id: "c", state: "failed", code: "camera_unavailable", error: "CAMERA_GONE", args: {} },
      { command: "mark", id: "d", state: "done", code: "ok", paths: ["/secret", "/n"] },
    ]);
    assert.equal(bench.log.lines.filter(({ event }) => event === "remote.effect").length, 4);
    assert.doesNotMatch(JSON.stringify(bench.log.lines), /hunter2/);
  });
});

describe("remote effects: across a restart", () => {
  it("one that comes again gets the first answer", async () => {
    await using lives = await Lives.begin();
    await (await lives.life()).ask("mark", { id: "a", args: { n: 1 } });
    const next = await lives.life();
    assert.deepEqual(next.replies, []);
    const { data } = await next.ask("mark", { id: "a", args: { n: 1 } });
    assert.deepEqual(data, { n: 1 });
    assert.deepEqual(lives.trace.numbers(), [1]);
  });

  it("one that was cut off is answered, to all who wait, and is not run again", async () => {
    await using lives = await Lives.begin();
    const first = await lives.life();
    await first.send(
      "wait",
      { id: "a" },
      { responseTopic: "framepost/reply/a", correlationData: Buffer.from([0, 255]) },
    );
    await first.send("wait", { id: "a" }, { responseTopic: "framepost/reply/b" });
    const next = await lives.life();
    await next.untilFinals(2);
    assert.deepEqual(next.words(), ["failed/interrupted", "failed/interrupted"]);
    assert.deepEqual(
      next.finals().map(({ address, duplicate }) => [address.responseTopic, duplicate]),
      [
        ["framepost/reply/a", false],
        ["framepost/reply/b", true],
      ],
    );
    assert.deepEqual(next.finals()[0]?.address.correlationData, Buffer.from([0, 255]));
    assert.deepEqual(next.audits, [{ command: "wait", id: "a", state: "failed", code: "interrupted" }]);
    await next.ask("wait", { id: "a" });
    assert.equal(next.words().at(-1), "failed/interrupted");
    assert.equal(lives.trace.traces.length, 1);
  });

  it("a reply that the broker has not taken is sent again until it has", async () => {
    await using lives = await Lives.begin();
    await (await lives.life({ confirms: false })).ask("mark", { id: "a" }, { responseTopic: "framepost/reply/a" });
    for (let count = 0; count < 2; count += 1) {
      const next = await lives.life({ confirms: false });
      await next.untilFinals(1);
      assert.deepEqual(next.words(), ["done/ok"]);
      assert.equal(next.finals()[0]?.address.responseTopic, "framepost/reply/a");
    }
    await (await lives.life()).untilFinals(1);
    const last = await lives.life();
    await settle();
    assert.deepEqual(last.replies, []);
    assert.deepEqual(lives.trace.numbers(), [0]);
  });

  it("a repeatable one is run again, but not where it may be too late by now", async () => {
    await using lives = await Lives.begin();
    const first = await lives.life({ parts: { outcomeOf: () => undefined } });
    const started = (id: string, args: object) => ({
      ...{ id, command: "again", digest: "d", waiting: [{ address: { command: "again" } }] },
      ...args,
    });
    await first.ledger.start(started("a", { args: { n: 7 } }));
    await first.ledger.start(started("b", {}));
    await first.ledger.start(started("c", { args: { n: "not a number" } }));
    const next = await lives.life();
    await next.untilFinals(3);
    const words = next.finals().map(({ id, answer: { state, code } }) => `${id} ${state}/${code}`);
    assert.deepEqual(words.sort(), ["a done/ok", "b failed/interrupted", "c failed/interrupted"]);
    assert.deepEqual(lives.trace.numbers(), [7]);
  });

  it("keeps the arguments of a repeatable one without a time to live, and of no other", async () => {
    await using lives = await Lives.begin();
    const bench = await lives.life();
    const started: string[] = [];
    const start = bench.ledger.start.bind(bench.ledger);
    bench.ledger.start = async (entry) => {
      if (entry.args !== undefined) started.push(entry.id);
      await start(entry);
    };
    await bench.ask("again", { id: "a", args: { n: 1 } });
    await bench.ask("again", { id: "b", ttlMs: 1_000 });
    await bench.ask("again", { id: "c" }, { expirySeconds: 9 });
    await bench.ask("again", { id: "d", args: { secret: "x".repeat(remoteLimits.resultBytesMax) } });
    await bench.ask("mark", { id: "e" });
    assert.deepEqual(started, ["a"]);
    assert.ok((await entriesOf(lives.path)).every((entry) => !("args" in entry)));
  });

  it("leaves to the next start what outlives a stop", async () => {
    await using lives = await Lives.begin();
    let end: (data: object) => void = () => {};
    const going = new Promise<object>((resolve) => (end = resolve));
    const outcomeOf = (request: string) => (request === "a" ? going : undefined);
    const first = await lives.life({ parts: { outcomeOf } });
    await first.send("wait", { id: "a" });
    await first.send("wait", { id: "b" });
    await first.stop();
    assert.deepEqual(
      first.finals().map(({ id }) => id),
      ["b"],
    );
    const second = await lives.life({ parts: { outcomeOf } });
    await second.stop();
    assert.deepEqual(second.replies, []);
    const third = await lives.life({ parts: { outcomeOf } });
    end({ revision: 4 });
    await third.untilFinals(1);
    assert.deepEqual(third.finals()[0]?.answer, { state: "done", code: "ok", data: { revision: 4 } });
    assert.equal(third.audits.length, 1);
  });
});

describe("remote effects: the ledger", () => {
  it("is written before the effect begins, and again before the answer is told", async () => {
    await using lives = await Lives.begin();
    const bench = await lives.life();
    await bench.send("wait", { id: "a" });
    const before = await entriesOf(lives.path);
    assert.equal(before.length, 1);
    assert.ok(before[0] !== undefined && before[0]["id"] === "a" && !("answer" in before[0]));
    lives.trace.traces[0]?.end();
    await bench.untilFinals(1);
    await bench.ledger.flush();
    const [after] = await entriesOf(lives.path);
    assert.deepEqual(after?.["answer"], { state: "done", code: "ok", data: { n: 0 } });
    assert.deepEqual(after["waiting"], []);
  });

  it("without it nothing is begun, but questions are answered", async () => {
    await using lives = await Lives.begin();
    const bench = await lives.life();
    await lives.breakDisk();
    await bench.ask("mark", { id: "a" });
    await bench.ask("look", {});
    assert.deepEqual(bench.words(), ["refused/storage_full", "done/ok"]);
    assert.deepEqual(lives.trace.numbers(), []);
    assert.deepEqual(bench.audits, []);
    await lives.mendDisk();
    await bench.ask("mark", { id: "a" });
    assert.deepEqual(bench.words().at(-1), "done/ok");
    assert.deepEqual(lives.trace.numbers(), [0]);
  });

  it("has nothing of a request that could not be booked safely, so that no start answers it a second time", async () => {
    await using lives = await Lives.begin();
    const bench = await lives.life();
    // The new file is in its place, and its folder cannot be flushed.
    let failures = 0;
    const failOnce = (real: typeof open): typeof open =>
      async function (path, ...more) {
        if (path === lives.path && (failures += 1) === 1) throw new Error("EIO: scripted");
        return real(path, ...more);
      };
    await withInterposed("open", failOnce, async () => {
      await assert.rejects(bench.ledger.start(entryOf("a")), { code: "STATE_UNWRITABLE" });
    });
    assert.deepEqual(await entriesOf(lives.path), []);
  });

  it("still owes a reply that was given up for want of room, and the next start sends it", async () => {
    await using lives = await Lives.begin();
    const first = await lives.life({ confirms: false });
    for (const id of ["full", "never"]) await first.ask("mark", { id });
    const giveUp = (code: string) => new AgentError(code, "scripted", { disposition: "reject" });
    first.finals()[0]?.settled?.(giveUp("OUTBOX_FULL"));
    first.finals()[1]?.settled?.(giveUp("MQTT_POISON"));
    const next = await lives.life();
    await next.untilFinals(1);
    await settle();
    assert.deepEqual(
      next.finals().map(({ id, answer: { state } }) => [id, state]),
      [["full", "done"]],
    );
    assert.equal(lives.trace.numbers().length, 2, "and neither is done again");
  });

  it("where it fails after the effect the answer is the effect's, now and later", async () => {
    await using lives = await Lives.begin();
    const bench = await lives.life();
    await bench.send("wait", { id: "a" });
    await lives.breakDisk();
    lives.trace.traces[0]?.end();
    await bench.untilFinals(1);
    await bench.ask("wait", { id: "a" });
    await lives.mendDisk();
    await bench.ask("mark", { id: "b" });
    assert.deepEqual(bench.words(), ["done/ok", "done/ok", "done/ok"]);
    const next = await lives.life();
    assert.equal((await next.ask("wait", { id: "a" })).state, "done");
    assert.equal(lives.trace.traces.length, 2);
  });

  it("remembers the latest, never forgets what is under way, and stays within its size", async () => {
    await using lives = await Lives.begin();
    const bench = await lives.life();
    await bench.send("wait", { id: "first" });
    const long = '"\\'.repeat(70);
    const entry = (count: number) => ({
      ...{ id: `${count}`.padEnd(64, "x"), key: "k".repeat(64), command: "mark", digest: "d".repeat(22) },
      waiting: [{ address: { command: "mark", responseTopic: `framepost/reply/${"t".repeat(240)}` } }],
      answer: { state: "done", code: "ok", message: long, data: [...Array(140).keys()] } as const,
    });
    const counts = [...Array(remoteLimits.resultsMax + 4).keys()];
    await Promise.all(counts.map(async (count) => bench.ledger.start(entry(count))));
    const entries = await entriesOf(lives.path);
    assert.equal(entries.length, remoteLimits.resultsMax);
    assert.deepEqual([entries[0]?.["id"], entries[1]?.["id"]], ["first", "5".padEnd(64, "x")]);
    lives.trace.traces[0]?.end();
    await bench.untilFinals(1);
  });

  it("forgets those whose reply was taken before those who still wait for theirs", async () => {
    await using lives = await Lives.begin();
    const bench = await lives.life();
    const entry = (id: string, waiting: readonly string[]) => ({
      ...{ id, command: "mark", digest: "d", answer: { state: "done", code: "ok" } as const },
      waiting: waiting.map((command) => ({ address: { command } })),
    });
    await bench.ledger.start(entry("owed", ["mark"]));
    await bench.ledger.start(entry("told", []));
    const counts = [...Array(remoteLimits.resultsMax - 1).keys()];
    await Promise.all(counts.map(async (count) => bench.ledger.start(entry(`${count}`, []))));
    assert.ok(bench.ledger.find({ id: "owed" }));
    assert.equal(bench.ledger.find({ id: "told" }), undefined);
  });
});
