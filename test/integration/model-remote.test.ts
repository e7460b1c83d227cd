import assert from "node:assert/strict";
import { describe, it } from "mocha";
import { modelPort } from "../../agent/remote/model-port.ts";
import type { ModelInfo } from "../../src/core/vision-port.ts";
import { AgentError } from "../../src/core/errors.ts";
import { modelCommands } from "../../src/remote/commands/model.ts";
import { FakeSwitch } from "../lib/fake-switch.ts";
import { InboxBench } from "../lib/inbox-bench.ts";
import { model as info } from "../lib/pipeline-bench.ts";
import { ReleaseServer } from "../lib/releases.ts";
import { RecordingLogger, seededRandom, SimulatedClock } from "../lib/seams.ts";
import { takeoverOf, updaterOf } from "../lib/takeover-bench.ts";
import { tempFolder } from "../lib/temp.ts";

interface BenchOptions {
  readonly pinnedTo?: string;
  readonly withoutOrigin?: true;
}

/** A release server, the model keeping of a device whose proofs say what the test says, and its commands. */
async function deviceOf({ pinnedTo, withoutOrigin }: BenchOptions = {}) {
  const folder = await tempFolder();
  const server = await ReleaseServer.open();
  const [clock, log, vision] = [new SimulatedClock(), new RecordingLogger(), new FakeSwitch()];
  const seams = { clock, random: seededRandom(1), log };
  const device = { proof: undefined as AgentError | undefined };
  const prove = async () => {
    if (device.proof !== undefined) throw device.proof;
    return Promise.resolve({ runMs: 5 });
  };
  const pinned = pinnedTo === undefined ? {} : { pinnedTo };
  const { store, takeover } = takeoverOf({ folder: folder.path, vision, seams, prove, probationMs: 1e12, ...pinned });
  const source = { url: server.url, publicKey: server.signer.publicKey, vision, seams };
  const updater = updaterOf({ store, takeover }, source);
  await takeover.guard();
  takeover.start();
  const nothing = { name: "", start: async () => undefined, stop: async () => undefined };
  const models = {
    ...{ choice: takeover, store, guard: nothing, updates: nothing, startWith: () => undefined, ...pinned },
    ...(withoutOrigin === true || pinnedTo !== undefined ? {} : { updater }),
    health: () => ({ updates: updater.health() }),
  };
  const model = (): ModelInfo => ({ ...info, name: vision.current });
  const bench = await InboxBench.open(modelCommands(modelPort({ models, vision: { model } }, clock)));
  return {
    ...{ bench, server, vision, store, takeover, device, updater },
    trusted: async () =>
      takeover.books.update(({ clockSeenMs, refused, fetched, last }) => ({
        ...{ clockSeenMs, refused, fetched },
        ...(last && { last }),
      })),
    async [Symbol.asyncDispose]() {
      await bench[Symbol.asyncDispose]();
      await updater.stop();
      await takeover.stop();
      await server[Symbol.asyncDispose]();
      await folder[Symbol.asyncDispose]();
    },
  };
}

const filesOf = (text: string): Record<string, Buffer> => ({
  "model.onnx": Buffer.from(`model ${text}`.repeat(2_000)),
  "golden.jpg": Buffer.from(`picture ${text}`),
  "golden.json": Buffer.from(`"golden ${text}"`),
});
const release = (sequence: number) => ({ version: String(sequence), sequence, files: filesOf(String(sequence)) });

describe("model.fetch", () => {
  it("takes the release of the configured origin, and says how far it is", async () => {
    await using opened = await deviceOf();
    const { bench, server, vision } = opened;
    server.publish(release(1));
    const replies = await bench.replies("model.fetch");
    assert.deepEqual(
      replies.map(({ state, data }) => (state === "progress" ? (data as { stage: string }).stage : state)),
      ["accepted", "looking", "fetching", "proving", "done"],
    );
    assert.deepEqual(replies.at(-1)?.data, { found: "in-use", model: "wasps@1" });
    assert.equal(vision.current, "wasps@1");
    const again = await bench.reply("model.fetch");
    assert.deepEqual([again.state, (again.data as { found: string }).found], ["done", "later"], "it is on probation");
  });

  it("on a dry run says what is there, and takes nothing", async () => {
    await using opened = await deviceOf();
    const { bench, server, vision, store } = opened;
    server.publish(release(3));
    const { state, data } = await bench.reply("model.fetch", {}, { dry: true });
    const bytes = Object.values(filesOf("3")).reduce((sum, { length }) => sum + length, 0);
    assert.deepEqual([state, data], ["done", { found: "new", model: "wasps@3", sequence: 3, bytes }]);
    assert.deepEqual([vision.current, await store.list(), bench.audits], ["tiny-end-to-end", [], []]);
  });

  it("says why a release is not taken, each reason with its code", async () => {
    await using opened = await deviceOf();
    const { bench, server, vision, device, trusted } = opened;
    const code = async () => {
      const { state, code: word, error } = await bench.reply("model.fetch");
      return [state, word, error];
    };
    assert.deepEqual(await code(), ["failed", "target_error", "RELEASE_UNAVAILABLE"]);
    server.publish(release(2));
    server.answers.set("/models/release.json.minisig", Buffer.from("no signature"));
    assert.deepEqual(await code(), ["failed", "model_refused", "RELEASE_SIGNATURE"]);
    server.publish({ ...release(2), expires: "2020-01-01T00:00:00Z" });
    assert.deepEqual(await code(), ["failed", "model_refused", "RELEASE_EXPIRED"]);
    server.publish(release(2));
    device.proof = new AgentError("MODEL_DEAD", "it sees nothing", { disposition: "reject" });
    assert.deepEqual(await code(), ["failed", "model_refused", "MODEL_DEAD"]);
    assert.equal(vision.current, "tiny-end-to-end", "the one in use stays");
    device.proof = undefined;
    const refused = await bench.reply("model.fetch");
    assert.equal((refused.data as { found: string }).found, "nothing-new");
    server.publish(release(4));
    assert.equal((await bench.reply("model.fetch")).state, "done");
    await trusted();
    server.publish(release(1));
    assert.deepEqual(await code(), ["failed", "model_refused", "RELEASE_REPLAYED"]);
  });

  it("takes no address, and needs an origin in the config that nothing overrides", async () => {
    await using opened = await deviceOf({ withoutOrigin: true });
    const { bench, server } = opened;
    server.publish(release(1));
    for (const args of [{ url: server.url }, { model: "wasps@1" }]) {
      assert.equal((await bench.reply("model.fetch", args)).code, "bad_args");
    }
    const { state, code, error } = await bench.reply("model.fetch");
    assert.deepEqual([state, code, error], ["refused", "not_found", "MODEL_NO_ORIGIN"]);
    assert.deepEqual(server.requests, []);
    await using pinned = await deviceOf({ pinnedTo: "yard@1" });
    const kept = await pinned.bench.reply("model.fetch");
    assert.deepEqual([kept.state, kept.code, kept.error], ["refused", "conflict", "MODEL_PINNED"]);
  });

  it("is refused while a look is under way", async () => {
    await using opened = await deviceOf();
    const { bench, server, updater } = opened;
    server.publish(release(1));
    let answer = () => {};
    server.answers.set("/models/release.json", (_request, response) => {
      answer = () => response.writeHead(404).end();
    });
    const first = updater.checkNow(new AbortController().signal, () => {}).catch((error: unknown) => error);
    const { state, code } = await bench.reply("model.fetch");
    assert.deepEqual([state, code], ["refused", "busy"]);
    while (server.requests.length === 0) await new Promise((resolve) => setTimeout(resolve, 5));
    answer();
    assert.equal(((await first) as AgentError).code, "RELEASE_UNAVAILABLE");
  });
});

describe("model.list, model.select and model.rollback", () => {
  it("list what is installed, and change what is in use", async () => {
    await using opened = await deviceOf();
    const { bench, server, vision, trusted } = opened;
    for (const sequence of [1, 2]) {
      server.publish(release(sequence));
      await bench.reply("model.fetch");
      await trusted();
    }
    const listed = (await bench.reply("model.list")).data as {
      inUse: string;
      models: { model: string; state: string }[];
    };
    assert.equal(listed.inUse, "wasps@2");
    assert.deepEqual(
      listed.models.map(({ model, state }) => [model, state]),
      [
        ["wasps@1", "previous"],
        ["wasps@2", "current"],
      ],
    );
    const would = await bench.reply("model.select", { model: "wasps@1" }, { dry: true });
    assert.deepEqual([would.data, vision.current], [{ to: "wasps@1", from: "wasps@2" }, "wasps@2"]);
    const selected = await bench.reply("model.select", { model: "wasps@1" });
    assert.deepEqual(selected.data, { to: "wasps@1", from: "wasps@2", runMs: 5, probationMs: 1e12, notes: [] });
    assert.equal(vision.current, "wasps@1");
    const back = await bench.reply("model.rollback", {}, { dry: true });
    assert.deepEqual([back.data, vision.current], [{ to: "wasps@2", from: "wasps@1" }, "wasps@1"]);
    assert.equal((await bench.reply("model.rollback")).state, "done");
    assert.equal(vision.current, "wasps@2");
  });

  it("refuse what is not there, not good, or not to be chosen", async () => {
    await using opened = await deviceOf();
    const { bench, server, device, vision, trusted } = opened;
    for (const model of [undefined, "", "../../etc", "a@b@c", "/models/x.onnx", "a b", 7]) {
      assert.equal((await bench.reply("model.select", { model })).code, "bad_args", String(model));
    }
    assert.equal((await bench.reply("model.rollback", { to: "x" })).code, "bad_args");
    assert.equal((await bench.reply("model.list", { all: true })).code, "bad_args");
    assert.deepEqual((await bench.reply("model.select", { model: "wasps" })).error, "MODEL_NOT_FOUND");
    assert.deepEqual((await bench.reply("model.select", { model: "wasps" }, { dry: true })).code, "not_found");
    for (const dry of [true, false]) {
      const { state, code } = await bench.reply("model.rollback", {}, { dry });
      assert.deepEqual([state, code], ["refused", "not_found"]);
    }
    for (const sequence of [1, 2]) {
      server.publish(release(sequence));
      await bench.reply("model.fetch");
      await trusted();
    }
    device.proof = new AgentError("MODEL_DIFFERENT", "it sees something else", { disposition: "reject" });
    const { state, code, error } = await bench.reply("model.select", { model: "wasps@1" });
    assert.deepEqual([state, code, error, vision.current], ["failed", "model_refused", "MODEL_DIFFERENT", "wasps@2"]);
    await using pinned = await deviceOf({ pinnedTo: "yard@1" });
    assert.equal((await pinned.bench.reply("model.select", { model: "wasps@1" })).code, "conflict");
    assert.equal((await pinned.bench.reply("model.rollback")).code, "conflict");
  });
});
