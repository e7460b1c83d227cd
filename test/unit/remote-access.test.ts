import assert from "node:assert/strict";
import { describe, it } from "mocha";
import type { Scope } from "../../src/remote/command.ts";
import { newKeyTexts, privateKeyOf, sign } from "../../src/remote/signature.ts";
import { RequestBench, type RequestBenchOptions } from "../lib/request-bench.ts";
import { tempFolder } from "../lib/temp.ts";
import { TraceCommands } from "../lib/trace-commands.ts";

const texts = { ops: newKeyTexts(), eye: newKeyTexts(), stranger: newKeyTexts() };

type Signer = keyof typeof texts;

const keys = [
  { id: "ops", publicKey: texts.ops.publicKey, scopes: ["capture", "queue"] as Scope[] },
  { id: "eye", publicKey: texts.eye.publicKey, scopes: ["read"] as Scope[] },
];

function signed(
  by: Signer,
  command: string,
  envelope: Readonly<Record<string, unknown>> & { readonly seq: number },
  to = "gw",
) {
  const recipient = { root: "framepost", to, command };
  return sign({ key: by, ...envelope }, recipient, privateKeyOf(texts[by].privateKey));
}

type Options = Partial<Omit<RequestBenchOptions, "folder" | "commands">>;

async function withInbox(
  body: (bench: RequestBench, trace: TraceCommands, restarted: () => Promise<RequestBench>) => Promise<void>,
  options: Options = { access: { keys } },
): Promise<void> {
  await using folder = await tempFolder();
  const trace = new TraceCommands();
  const open = async () => new RequestBench({ ...options, commands: trace.commands, folder: folder.path }).start();
  const benches = [await open()];
  const restarted = async () => {
    await benches.at(-1)?.ledger.flush();
    benches.push(await open());
    return benches.at(-1) ?? open();
  };
  const [bench] = benches;
  if (bench === undefined) return;
  try {
    await body(bench, trace, restarted);
  } finally {
    for (const each of benches) await each.stop();
  }
}

describe("remote access: without signatures", () => {
  const cases: readonly (readonly [string, RequestBenchOptions["access"], readonly string[]])[] = [
    ["everything where there are no keys", {}, ["done/ok", "done/ok", "done/ok"]],
    ["only questions where there are keys", { keys }, ["done/ok", "refused/unauthorized", "refused/unauthorized"]],
    [
      "what is set, with keys",
      { keys, unsigned: ["capture"] },
      ["refused/unauthorized", "done/ok", "refused/unauthorized"],
    ],
    ["what is set, without keys", { unsigned: [] }, Array<string>(3).fill("refused/unauthorized")],
  ];
  for (const [what, access, words] of cases) {
    it(`may do ${what}`, async () => {
      await withInbox(
        async (bench) => {
          await bench.ask("look");
          await bench.ask("mark", { id: "a" });
          await bench.ask("secret", { id: "b" });
          assert.deepEqual(bench.words(), words);
        },
        { access: access ?? {} },
      );
    });
  }

  it("may only ask many at once, until that is allowed", async () => {
    for (const groupEffects of [false, true]) {
      await withInbox(
        async (bench, trace) => {
          await bench.take("framepost/all/cmd/look", "{}");
          await bench.take("framepost/group/yard/cmd/mark", '{"id":"a"}');
          await bench.take("framepost/all/cmd/mark", '{"id":"b","dry":true}');
          await bench.untilFinals(3);
          const effect = groupEffects ? "done/ok" : "refused/forbidden";
          assert.deepEqual(bench.words().toSorted(), ["done/ok", effect, effect]);
          assert.equal(trace.numbers().length, groupEffects ? 1 : 0);
        },
        { access: { groupEffects } },
      );
    }
  });
});

describe("remote access: with signatures", () => {
  it("a key may do what its scopes say, and what needs no signature", async () => {
    await withInbox(async (bench, trace) => {
      await bench.ask("mark", signed("ops", "mark", { id: "a", seq: 1 }));
      await bench.ask("look", signed("ops", "look", { seq: 2 }));
      await bench.ask("secret", signed("ops", "secret", { id: "b", seq: 3 }));
      await bench.ask("mark", signed("eye", "mark", { id: "c", seq: 1 }));
      assert.deepEqual(bench.words(), ["done/ok", "done/ok", "refused/forbidden", "refused/forbidden"]);
      assert.equal(trace.traces.length, 2);
      assert.equal(bench.audits[0]?.key, "ops");
      assert.deepEqual(
        trace.traces.map(({ call }) => call.may("queue")),
        [true, true],
      );
      assert.deepEqual(
        trace.traces.map(({ call }) => call.may("admin")),
        [false, false],
      );
    });
  });

  const good = signed("ops", "mark", { id: "a", seq: 5, args: { n: 1 } });
  const wrong: readonly (readonly [string, string, object])[] = [
    ["of another command", "again", good],
    ["of an unknown key", "mark", signed("stranger", "mark", { id: "a", seq: 5 })],
    ["by a stranger in the name of a key", "mark", { ...signed("stranger", "mark", { id: "a", seq: 5, key: "ops" }) }],
    ["for another device", "mark", signed("ops", "mark", { id: "a", seq: 5 }, "gw2")],
    ["for a group", "mark", signed("ops", "mark", { id: "a", seq: 5 }, "group/gw")],
    ["over other arguments", "mark", { ...good, args: { n: 2 } }],
    ["over another counter", "mark", { ...good, seq: 6 }],
    ["over a field less", "mark", { ...good, dry: false }],
    ["with no counter", "mark", { ...good, seq: undefined }],
    ["with no key", "mark", { ...good, key: undefined }],
    ["left out, with its key and counter there", "mark", { ...good, sig: undefined }],
    ["of the right form and wrong", "mark", { ...good, sig: `${"A".repeat(86)}==` }],
  ];
  for (const [what, command, request] of wrong) {
    it(`a signature ${what} is refused, also where none is needed`, async () => {
      for (const unsigned of [["read"], ["read", "capture"]] as const) {
        await withInbox(
          async (bench, trace) => {
            await bench.ask(command, request);
            assert.deepEqual(bench.words(), ["refused/unauthorized"]);
            assert.deepEqual(trace.traces, []);
            // The real one has lost nothing.
            await bench.ask("mark", good);
            assert.deepEqual(trace.numbers(), [1]);
          },
          { access: { keys, unsigned: [...unsigned] } },
        );
      }
    });
  }

  it("an unknown key and a wrong signature look alike, and nothing is told of earlier requests", async () => {
    await withInbox(async (bench) => {
      await bench.ask("mark", good);
      const unknown = await bench.ask("mark", signed("stranger", "mark", { id: "a", seq: 9 }));
      const forged = await bench.ask("mark", { ...good, sig: `${"A".repeat(86)}==` });
      assert.deepEqual(unknown, forged);
    });
  });

  it("holds for a group and for all under their names", async () => {
    await withInbox(
      async (bench) => {
        await bench.take(
          "framepost/group/yard/cmd/mark",
          JSON.stringify(signed("ops", "mark", { id: "a", seq: 1 }, "group/yard")),
        );
        await bench.take("framepost/all/cmd/mark", JSON.stringify(signed("ops", "mark", { id: "b", seq: 2 }, "all")));
        await bench.take(
          "framepost/all/cmd/mark",
          JSON.stringify(signed("ops", "mark", { id: "c", seq: 3 }, "group/all")),
        );
        await bench.untilFinals(3);
        assert.deepEqual(bench.words().toSorted(), ["done/ok", "done/ok", "refused/unauthorized"]);
      },
      { access: { keys, groupEffects: true } },
    );
  });

  it("ids of two keys are two requests", async () => {
    await withInbox(
      async (bench, trace) => {
        await bench.ask("mark", signed("ops", "mark", { id: "a", seq: 1, args: { n: 1 } }));
        await bench.ask("mark", signed("eye", "mark", { id: "a", seq: 1, args: { n: 2 } }));
        await bench.ask("mark", { id: "a", args: { n: 3 } });
        assert.deepEqual(trace.numbers(), [1, 2, 3]);
      },
      { access: { keys, unsigned: ["capture"] } },
    );
  });
});

describe("remote access: counters", () => {
  it("go up, with gaps, for each key alone; one that does not is stale", async () => {
    await withInbox(async (bench, trace) => {
      await bench.ask("mark", signed("ops", "mark", { id: "a", seq: 10, args: { n: 1 } }));
      await bench.ask("mark", signed("ops", "mark", { id: "b", seq: 9, args: { n: 2 } }));
      await bench.ask("mark", signed("ops", "mark", { id: "c", seq: 10, args: { n: 3 } }));
      await bench.ask("look", signed("eye", "look", { seq: 1 }));
      await bench.ask("mark", signed("ops", "mark", { id: "d", seq: 999, args: { n: 4 } }));
      assert.deepEqual(bench.words(), ["done/ok", "refused/stale", "refused/stale", "done/ok", "done/ok"]);
      assert.deepEqual(trace.numbers(), [1, 4]);
    });
  });

  it("a replay gets the first answer, also after later requests; a new one of the same name does not", async () => {
    await withInbox(async (bench, trace) => {
      const first = signed("ops", "mark", { id: "a", seq: 1, args: { n: 1 } });
      await bench.ask("mark", first);
      await bench.ask("mark", signed("ops", "mark", { id: "b", seq: 2 }));
      const again = await bench.ask("mark", first);
      assert.deepEqual([again.state, again.data, bench.finals().at(-1)?.duplicate], ["done", { n: 1 }, true]);
      await bench.ask("mark", signed("ops", "mark", { id: "a", seq: 3, args: { n: 1 } }));
      assert.equal(bench.finals().at(-1)?.duplicate, true);
      await bench.ask("mark", signed("ops", "mark", { id: "a", seq: 4, args: { n: 2 } }));
      await bench.ask("mark", signed("ops", "mark", { id: "a", seq: 1, args: { n: 2 } }));
      assert.deepEqual(bench.words().slice(-2), ["refused/id_reused", "refused/stale"]);
      assert.deepEqual(trace.numbers(), [1, 0]);
    });
  });

  it("survive a restart, of effects, of questions and of what was refused", async () => {
    await withInbox(async (bench, trace, restarted) => {
      await bench.ask("mark", signed("ops", "mark", { id: "a", seq: 1 }));
      const second = await restarted();
      await second.ask("mark", signed("ops", "mark", { id: "b", seq: 1 }));
      await second.ask("look", signed("ops", "look", { seq: 2 }));
      const third = await restarted();
      await third.ask("mark", signed("ops", "mark", { id: "c", seq: 2 }));
      const conflict = signed("ops", "mark", { id: "d", seq: 3, ifRevision: 99 });
      await third.ask("mark", conflict);
      const fourth = await restarted();
      await fourth.ask("mark", conflict);
      const words = [second, third, fourth].map((each) => each.words().join(" "));
      assert.deepEqual(words, ["refused/stale done/ok", "refused/stale refused/conflict", "refused/stale"]);
      assert.deepEqual(trace.numbers(), [0]);
    });
  });

  it("are written before the effect begins", async () => {
    await withInbox(async (bench, trace, restarted) => {
      await bench.send("wait", signed("ops", "wait", { id: "a", seq: 1 }));
      assert.equal(trace.traces.length, 1);
      const next = await restarted();
      assert.equal(next.ledger.lastOf("ops")?.seq, 1);
      await next.untilFinals(1);
      assert.equal((await next.ask("mark", signed("ops", "mark", { id: "b", seq: 1 }))).code, "stale");
    });
  });

  it("let a question through that the broker brings twice, and no older one", async () => {
    await withInbox(async (bench) => {
      const first = signed("eye", "look", { seq: 1 });
      const second = signed("eye", "look", { seq: 2 });
      for (const request of [first, second, second, first]) await bench.ask("look", request);
      await bench.ask("look", signed("eye", "look", { seq: 2, args: { n: 1 } }));
      assert.deepEqual(bench.words(), ["done/ok", "done/ok", "done/ok", "refused/stale", "refused/stale"]);
    });
  });

  it("are not moved by a wrong signature", async () => {
    await withInbox(async (bench) => {
      await bench.ask("look", { ...signed("eye", "look", { seq: 1 }), seq: 1_000_000 });
      await bench.ask("look", signed("eye", "look", { seq: 1 }));
      assert.deepEqual(bench.words(), ["refused/unauthorized", "done/ok"]);
    });
  });
});
