import assert from "node:assert/strict";
import { describe, it } from "mocha";
import { remoteLimits } from "../../src/core/remote-limits.ts";
import { RequestBench, type RequestBenchOptions } from "../lib/request-bench.ts";
import { settle } from "../lib/stepped-clock.ts";
import { tempFolder } from "../lib/temp.ts";
import { TraceCommands } from "../lib/trace-commands.ts";

interface Scene {
  readonly bench: RequestBench;
  readonly trace: TraceCommands;
}

async function withInbox(
  body: (scene: Scene) => Promise<void>,
  options: Partial<Omit<RequestBenchOptions, "folder" | "commands">> = {},
): Promise<void> {
  await using folder = await tempFolder();
  const trace = new TraceCommands();
  const bench = await new RequestBench({ ...options, commands: trace.commands, folder: folder.path }).start();
  try {
    await body({ bench, trace });
  } finally {
    await bench.stop();
  }
}

const nested = (depth: number) => `${'{"a":'.repeat(depth)}1${"}".repeat(depth)}`;

describe("remote inbox: what is answered", () => {
  const nonsense: readonly (readonly [string, string, string | Buffer, string])[] = [
    ["no JSON", "look", "{", "refused/bad_json"],
    ["no UTF-8", "look", Buffer.from([0x7b, 0xff, 0x7d]), "refused/bad_json"],
    ["an array", "look", "[]", "refused/bad_json"],
    ["null", "look", "null", "refused/bad_json"],
    ["an unknown field", "look", '{"idd":"a"}', "refused/bad_json"],
    ["a field of the wrong type", "look", '{"id":7}', "refused/bad_json"],
    ["another version", "look", '{"v":2}', "refused/bad_json"],
    ["too deep", "look", `{"args":${nested(40)}}`, "refused/bad_json"],
    ["far too deep", "look", `{"args":${nested(8_000)}}`, "refused/bad_json"],
    ["a number that two read differently", "mark", '{"id":"a","args":{"n":9007199254740993}}', "refused/bad_json"],
    ["too large", "look", `{"id":"${"x".repeat(64 * 1024)}"}`, "refused/too_large"],
    ["an unknown command", "shell", "{}", "refused/unknown_command"],
    ["a command with a strange name", "Restart;ls", "{}", "refused/unknown_command"],
    ["unknown arguments", "look", '{"args":{"m":1}}', "refused/bad_args"],
    ["wrong arguments", "look", '{"args":{"n":"1"}}', "refused/bad_args"],
    ["an effect without an id", "mark", '{"args":{"n":1}}', "refused/bad_args"],
    ["another revision", "mark", '{"id":"a","ifRevision":2}', "refused/conflict"],
    ["a failure", "fail", '{"id":"a"}', "failed/camera_unavailable"],
    ["a bug", "break", '{"id":"a"}', "failed/internal"],
  ];
  for (const [what, name, payload, word] of nonsense) {
    it(`${what}: once, and without an effect`, async () => {
      await withInbox(async ({ bench, trace }) => {
        await bench.take(`framepost/gw/cmd/${name}`, payload);
        await bench.untilFinals(1);
        await settle();
        assert.deepEqual(bench.words(), [word]);
        assert.deepEqual(trace.numbers(), []);
      });
    });
  }

  it("nothing on topics that are none of its requests", async () => {
    await withInbox(async ({ bench }) => {
      for (const topic of [
        "framepost/gw/res/look",
        "framepost/other/cmd/look",
        "other/gw/cmd/look",
        "framepost/gw/cmd",
      ]) {
        await bench.take(topic, "{}");
      }
      assert.deepEqual(bench.replies, []);
    });
  });

  it("a retained command is refused and not run; the message that clears it is none", async () => {
    await withInbox(async ({ bench, trace }) => {
      await bench.send("mark", { id: "a" }, { retain: true });
      await bench.take("framepost/gw/cmd/mark", "", { retain: true });
      assert.deepEqual(bench.words(), ["refused/retained_refused"]);
      assert.match(bench.finals()[0]?.answer.message ?? "", /framepost\/gw\/cmd\/mark/);
      assert.deepEqual(trace.numbers(), []);
    });
  });

  it("at the caller's topic with its correlation data, where that topic is allowed", async () => {
    await withInbox(async ({ bench }) => {
      const correlationData = Buffer.from([0, 255, 7]);
      await bench.ask("look", {}, { responseTopic: "framepost/reply/me", correlationData });
      await bench.ask("look", {}, { responseTopic: "framepost/gw2/cmd/restart", correlationData });
      assert.deepEqual(
        bench.replies.map(({ address }) => address),
        [
          { command: "look", responseTopic: "framepost/reply/me", correlationData },
          { command: "look", correlationData },
        ],
      );
    });
  });

  it("an empty message is a request without arguments, as a person sends it by hand", async () => {
    await withInbox(async ({ bench }) => {
      await bench.take("framepost/gw/cmd/look", "");
      await bench.untilFinals(1);
      assert.deepEqual(bench.words(), ["done/ok"]);
    });
  });

  it("a request that tells its id, also where the rest of it is no good", async () => {
    await withInbox(async ({ bench }) => {
      await bench.send("look", { id: "a", nonsense: true });
      await bench.send("look", { id: "b", args: { n: 1e300 } });
      assert.deepEqual(
        bench.finals().map(({ id }) => id),
        ["a", "b"],
      );
    });
  });

  it("data that is too long is left out and said", async () => {
    await withInbox(async ({ bench }) => {
      const { state, data } = await bench.ask("large");
      assert.equal(state, "done");
      assert.deepEqual(data, { leftOut: true, sizeBytes: 300_047 });
    });
    await withInbox(
      async ({ bench }) => {
        assert.deepEqual((await bench.ask("look", { args: { n: 1 } })).data, { leftOut: true, sizeBytes: 43 });
      },
      { parts: { replyBytesMax: () => 40 } },
    );
  });
});

describe("remote inbox: time", () => {
  it("a request whose time is over when its turn comes is not run", async () => {
    await withInbox(async ({ bench, trace }) => {
      await bench.send("slow", { id: "a", args: { n: 1 } });
      await bench.send("slow", { id: "b", ttlMs: 1_000, args: { n: 2 } });
      await bench.send("slow", { id: "c", args: { n: 3 } }, { expirySeconds: 2 });
      await bench.send("slow", { id: "d", ttlMs: 1_001, args: { n: 4 } }, { expirySeconds: 2 });
      await bench.clock.advance(1_001);
      trace.traces[0]?.end();
      await bench.untilFinals(2);
      assert.deepEqual(bench.words(), ["done/ok", "expired/expired"]);
      await settle();
      await bench.clock.advance(1_000);
      trace.traces[1]?.end();
      await bench.untilFinals(4);
      assert.deepEqual(bench.words(), ["done/ok", "expired/expired", "done/ok", "expired/expired"]);
      assert.deepEqual(trace.numbers(), [1, 3]);
    });
  });

  it("the shorter of its own time and the broker's counts, and the wall clock does not", async () => {
    await withInbox(async ({ bench, trace }) => {
      await bench.send("slow", { id: "a" });
      await bench.send("slow", { id: "b", ttlMs: 5_000 }, { expirySeconds: 1 });
      await bench.send("slow", { id: "c", ttlMs: 1_000 }, { expirySeconds: 5 });
      await bench.clock.advance(1_001);
      trace.traces[0]?.end();
      await bench.untilFinals(3);
      assert.deepEqual(bench.words(), ["done/ok", "expired/expired", "expired/expired"]);
    });
  });

  it("counts from when the request came, also where that was long before it is read", async () => {
    await withInbox(async ({ bench, trace }) => {
      await bench.clock.advance(10_000);
      const arrivedMs = bench.clock.monotonicMs() - 5_000;
      await bench.send("mark", { id: "a", ttlMs: 4_999, args: { n: 1 } }, { arrivedMs });
      await bench.send("mark", { id: "b", args: { n: 2 } }, { arrivedMs, expirySeconds: 4 });
      await bench.send("mark", { id: "c", ttlMs: 5_001, args: { n: 3 } }, { arrivedMs });
      await bench.untilFinals(3);
      assert.deepEqual(bench.words(), ["expired/expired", "expired/expired", "done/ok"]);
      assert.deepEqual(trace.numbers(), [3]);
    });
  });

  it("a command that does not end in its time is answered, and heard no more", async () => {
    await withInbox(async ({ bench, trace }) => {
      await bench.send("wait", { id: "a" });
      await bench.clock.advance(remoteLimits.commandTimeoutMs - 1);
      assert.deepEqual(bench.words(), []);
      await bench.clock.advance(1);
      await bench.untilFinals(1);
      const [traced] = trace.traces;
      assert.ok(traced?.call.signal.aborted);
      traced.call.progress({ late: true });
      traced.end();
      await settle();
      assert.deepEqual(bench.words(), ["failed/timeout"]);
      assert.equal(bench.replies.length, 1);
    });
  });

  it("a slow one has longer, says that it is taken, and how far it is", async () => {
    await withInbox(async ({ bench, trace }) => {
      await bench.send("slow", { id: "a" });
      trace.traces[0]?.call.progress({ percent: 50 });
      await bench.clock.advance(remoteLimits.slowTimeoutMs - 1);
      trace.traces[0]?.end();
      await bench.untilFinals(1);
      assert.deepEqual(
        bench.replies.map(({ answer }) => answer.state),
        ["accepted", "progress", "done"],
      );
    });
  });

  it("a group's request waits for a random part of its spread; one to the device alone does not", async () => {
    const access = { groupEffects: true };
    await withInbox(
      async ({ bench, trace }) => {
        await bench.take("framepost/group/x/cmd/look", '{"spreadMs":10000}');
        await bench.take("framepost/all/cmd/mark", '{"id":"a","spreadMs":20000}');
        await bench.send("look", { spreadMs: 10_000, args: { n: 1 } });
        await bench.untilFinals(1);
        assert.equal(trace.traces.length, 1);
        await bench.clock.advance(2_499);
        assert.equal(trace.traces.length, 1);
        await bench.clock.advance(1);
        await bench.untilFinals(2);
        await bench.clock.advance(2_500);
        await bench.untilFinals(3);
        assert.deepEqual(
          trace.traces.map(({ name }) => name),
          ["look", "look", "mark"],
        );
      },
      { access, random: () => 0.25 },
    );
  });

  it("those that wait for their spread are bounded, and hold up no other", async () => {
    await withInbox(async ({ bench }) => {
      for (let count = 0; count <= remoteLimits.spreadingMax; count += 1) {
        await bench.take("framepost/all/cmd/look", '{"spreadMs":1000}');
      }
      assert.deepEqual(bench.words(), ["refused/busy"]);
      assert.equal((await bench.ask("look")).state, "done");
    });
  });
});

describe("remote inbox: turns", () => {
  it("slow ones run one after another, quick ones beside them", async () => {
    await withInbox(async ({ bench, trace }) => {
      for (const id of ["a", "b", "c"]) await bench.send("slow", { id });
      await bench.ask("look");
      const slow = () => trace.traces.filter(({ name }) => name === "slow");
      for (let count = 1; count <= 3; count += 1) {
        assert.equal(slow().length, count);
        slow().at(-1)?.end();
        await bench.untilFinals(1 + count);
        await settle();
      }
    });
  });

  it("more than may wait are refused, and there is room again later", async () => {
    await withInbox(async ({ bench, trace }) => {
      for (let count = 0; count <= remoteLimits.slowWaitingMax; count += 1)
        await bench.send("slow", { id: `s${count}` });
      assert.deepEqual(bench.words(), ["refused/busy"]);
      trace.traces[0]?.end();
      await bench.untilFinals(2);
      await bench.send("slow", { id: "late" });
      await settle();
      assert.deepEqual(bench.words(), ["refused/busy", "done/ok"]);
    });
  });

  it("so are more than may run at once", async () => {
    await withInbox(async ({ bench }) => {
      for (let count = 0; count <= remoteLimits.runningMax; count += 1) await bench.send("wait", { id: `w${count}` });
      assert.deepEqual(bench.words(), ["refused/busy"]);
      assert.equal(bench.inbox.counts().underWay, remoteLimits.runningMax);
    });
  });

  it("a stop interrupts what runs, and begins nothing that waits", async () => {
    await withInbox(async ({ bench, trace }) => {
      await bench.send("slow", { id: "a" });
      await bench.send("slow", { id: "b" });
      await bench.take("framepost/all/cmd/look", '{"spreadMs":3600000}');
      await bench.inbox.stop();
      await bench.send("mark", { id: "c" });
      assert.deepEqual(bench.words(), Array(4).fill("failed/interrupted"));
      assert.equal(trace.traces.length, 1);
      assert.ok(trace.traces[0]?.call.signal.aborted);
    });
  });
});

describe("remote inbox: floods", () => {
  const rate = { perSecond: 1, burst: 10 };

  it("answers the burst, and one reply a second speaks for the rest", async () => {
    await withInbox(
      async ({ bench, trace }) => {
        for (let count = 0; count < 110; count += 1) await bench.send("look", { args: { n: count } });
        await bench.untilFinals(11);
        assert.deepEqual(
          bench.words().filter((word) => word !== "done/ok"),
          ["refused/busy"],
        );
        assert.equal(trace.traces.length, 10);
        await bench.clock.advance(remoteLimits.busyEveryMs);
        await bench.untilFinals(12);
        const unanswered = bench.finals().map(({ answer }) => (answer.data as { unanswered?: number }).unanswered ?? 0);
        assert.equal(
          unanswered.reduce((sum, each) => sum + each, 0),
          100,
        );
        const { received, done, refused, unanswered: counted } = bench.inbox.counts();
        assert.deepEqual({ received, done, refused, counted }, { received: 110, done: 10, refused: 2, counted: 98 });
        await bench.clock.advance(10 * remoteLimits.busyEveryMs);
        assert.equal(bench.finals().length, 12);
        assert.equal((await bench.ask("look")).state, "done");
      },
      { parts: { rate } },
    );
  });

  it("speaks for what the link had no room for, and takes nothing of the rate for it", async () => {
    await withInbox(
      async ({ bench, trace }) => {
        const missed = {
          topic: "framepost/gw/cmd/look",
          payload: Buffer.from("{}"),
          qos: 1,
          retain: false,
          arrivedMs: 0,
        } as const;
        for (let count = 0; count < 20; count += 1) bench.inbox.missed(missed);
        bench.inbox.missed({ ...missed, topic: "elsewhere" });
        bench.inbox.missed({ ...missed, payload: Buffer.alloc(0), retain: true });
        await bench.clock.advance(remoteLimits.busyEveryMs);
        await bench.untilFinals(2);
        const unanswered = bench.finals().map(({ answer }) => (answer.data as { unanswered?: number }).unanswered ?? 0);
        assert.deepEqual([bench.words(), unanswered], [Array(2).fill("refused/busy"), [1, 19]]);
        assert.equal(bench.inbox.counts().received, 20);
        for (let count = 0; count < 10; count += 1) await bench.send("look");
        await bench.untilFinals(12);
        assert.equal(trace.traces.length, 10);
      },
      { parts: { rate } },
    );
  });

  it("says at a stop what it has not said yet", async () => {
    await withInbox(
      async ({ bench }) => {
        for (let count = 0; count < 13; count += 1) await bench.send("look");
        await bench.inbox.stop();
        assert.deepEqual(
          bench.words().filter((word) => word !== "done/ok"),
          ["refused/busy", "refused/busy"],
        );
      },
      { parts: { rate } },
    );
  });
});
