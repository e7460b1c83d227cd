import assert from "node:assert/strict";
import { describe, it } from "mocha";
import { AgentError } from "../../src/core/errors.ts";
import { accepted, answers } from "../lib/deliver-bench.ts";
import { until } from "../lib/poll.ts";
import { queueDevice } from "../lib/queue-device.ts";

interface Counted {
  readonly deliveries: number;
  readonly busy: number;
  readonly token: string;
}

interface Listed {
  readonly records: readonly { readonly sequence: number; readonly owed: readonly object[]; readonly labels: object }[];
  readonly next?: number;
}

describe("commands for the queue", function () {
  this.timeout(10_000);

  it("refuse what does not fit, each with one reply, and do nothing", async () => {
    await using device = await queueDevice();
    await device.append(2);
    const { bench, pending } = device;
    const wrong: readonly (readonly [string, object, string])[] = [
      ["queue.stats", { all: true }, "bad_args"],
      ["queue.list", { limit: 1_000 }, "bad_args"],
      ["queue.list", { after: -1 }, "bad_args"],
      ["queue.list", { state: "lost" }, "bad_args"],
      ["queue.list", { target: "nix" }, "not_found"],
      ["queue.flush", { target: "../a" }, "bad_args"],
      ["queue.flush", { target: "nix" }, "not_found"],
      ["queue.prioritize", {}, "bad_args"],
      ["queue.prioritize", { target: "a" }, "bad_args"],
      ["queue.prioritize", { records: [] }, "bad_args"],
      ["queue.prioritize", { records: ["a/b"] }, "bad_args"],
      ["queue.prioritize", { records: [1, 99] }, "not_found"],
      ["queue.purge", {}, "bad_args"],
      ["queue.purge", { token: "2.4.abcdefghijklmnopqrstuv" }, "bad_args"],
      ["queue.purge", { target: "a" }, "bad_args"],
      ["queue.purge", { target: "a", token: "yes" }, "bad_args"],
      ["queue.purge", { target: "a", token: "2.2.abcdefghijklmnopqrstuv" }, "bad_args"],
      ["quarantine.list", { state: "pending" }, "bad_args"],
      ["quarantine.requeue", { target: "nix" }, "not_found"],
      ["quarantine.purge", {}, "bad_args"],
      ["target.list", { target: "a" }, "bad_args"],
      ["target.test", {}, "bad_args"],
      ["target.test", { target: "nix" }, "not_found"],
      ["target.enable", { target: "nix" }, "not_found"],
      ["target.disable", { target: "a", until: 7 }, "bad_args"],
      ["upload.pause", { durationMs: 10 }, "bad_args"],
      ["upload.pause", { durationMs: "1h" }, "bad_args"],
      ["upload.pause", { target: "nix" }, "not_found"],
      ["upload.resume", { target: "nix" }, "not_found"],
      ["upload.limit", {}, "bad_args"],
      ["upload.limit", { bytesPerSecond: 3 }, "bad_args"],
      ["upload.limit", { bytesPerSecond: -1 }, "bad_args"],
      ["explain.upload", { target: "nix" }, "not_found"],
    ];
    for (const [name, args, code] of wrong) {
      const reply = await bench.reply(name, args);
      assert.deepEqual([reply.state, reply.code], ["refused", code], `${name} ${JSON.stringify(args)}`);
    }
    assert.deepEqual([await pending(), device.patches, device.upload.paused()], [[2, 2], [], []]);
  });

  it("list in pages of bounded size, with what is owed", async () => {
    await using device = await queueDevice();
    await device.append(3, ["a"]);
    await device.append(2, ["b"], { cameraId: "yard" });
    const first = await device.done<Listed>("queue.list", { limit: 3 });
    assert.deepEqual([first.records.map(({ sequence }) => sequence), first.next], [[1, 2, 3], 3]);
    assert.deepEqual(first.records.at(0)?.owed, [{ target: "a", state: "pending", attempts: 0 }]);
    assert.deepEqual(first.records[0]?.labels, ["person"]);
    const rest = await device.done<Listed>("queue.list", { limit: 3, after: first.next });
    assert.deepEqual([rest.records.map(({ sequence }) => sequence), rest.next], [[4, 5], undefined]);
    const ofB = await device.done<Listed>("queue.list", { target: "b" });
    assert.deepEqual(
      ofB.records.map(({ sequence }) => sequence),
      [4, 5],
    );
    // 50 records of 64 labels each would be far more than a reply may hold.
    const long = "x".repeat(120);
    const detections = Array.from({ length: 64 }, (_, at) => ({
      ...{ label: `${at} ${long}`, score: 0.9, box: { left: 1, top: 1, width: 9, height: 9 } },
    }));
    await device.append(50, ["a"], { detections });
    const large = await device.done<Listed>("queue.list", { limit: 50, after: 5 });
    assert.ok(Buffer.byteLength(JSON.stringify(large)) < 33 * 1024);
    assert.equal(large.next, large.records.at(-1)?.sequence);
    assert.ok(large.records.length > 10);
    const stats = await device.done<{ records: number; targets: { target: string; state: string; pending: number }[] }>(
      "queue.stats",
    );
    assert.equal(stats.records, 55);
    assert.deepEqual(
      stats.targets.map(({ target, state, pending }) => [target, state, pending]),
      [
        ["a", "stopped", 53],
        ["b", "stopped", 2],
      ],
    );
  });

  it("put records first, by name, camera or label, and on a dry run only count them", async () => {
    await using device = await queueDevice();
    await device.append(3, ["a"]);
    await device.append(1, ["a", "b"], { cameraId: "yard" });
    await device.append(1, ["a"]);
    const dry = { dry: true };
    assert.deepEqual(await device.done("queue.prioritize", { camera: "yard" }, dry), { deliveries: 2, busy: 0 });
    assert.deepEqual(await device.done("queue.prioritize", { camera: "yard", target: "b" }), {
      deliveries: 1,
      busy: 0,
    });
    const fifth = (await device.spool.queue.find("5"))?.record;
    assert.deepEqual(await device.done("queue.prioritize", { records: [5, fifth?.id, fifth?.name] }), {
      deliveries: 1,
      busy: 0,
    });
    const leased = await device.spool.lease("a", { recordsMax: 9, bytesMax: Infinity });
    assert.deepEqual(
      leased.map(({ record }) => record.sequence),
      [4, 5, 1, 2, 3],
    );
  });

  it("purge what a dry run has counted, and nothing else", async () => {
    await using device = await queueDevice();
    const { bench, done, append, pending } = device;
    await append(4);
    const selector = { target: "a", state: "pending" };
    const { deliveries, token } = await done<Counted>("queue.purge", selector, { dry: true });
    assert.deepEqual([deliveries, await pending()], [4, [4, 4]]);
    for (const other of [{ target: "b", state: "pending" }, { target: "a" }, { ...selector, records: [1] }]) {
      const reply = await bench.reply("queue.purge", { ...other, token });
      assert.deepEqual([reply.code, reply.data], ["bad_args", { path: "/args/token" }], "a token of other arguments");
    }
    await append(2);
    const [leased] = await device.spool.lease("a", { recordsMax: 1, bytesMax: Infinity });
    await device.spool.settle("a", leased?.record.id ?? "", { kind: "accepted" });
    const changed = await bench.reply("queue.purge", { ...selector, token });
    assert.deepEqual([changed.state, changed.code, changed.error], ["refused", "conflict", "QUEUE_CHANGED"]);
    assert.deepEqual(await pending(), [5, 6]);
    const again = await done<Counted>("queue.purge", selector, { dry: true });
    await append(3);
    const purged = await done<Counted>("queue.purge", { ...selector, token: again.token });
    assert.deepEqual([purged, await pending()], [{ deliveries: 5, busy: 0 }, [3, 9]], "what came later stays");
    const { lost } = await device.spool.stats();
    assert.deepEqual(lost, [{ targetId: "a", priority: 0, reason: "dropped", deliveries: 5 }]);
    const once = await bench.reply("queue.purge", { ...selector, token: again.token });
    assert.equal(once.code, "conflict", "a token is good for one purge");
  });

  it("list, requeue and purge what was set aside", async () => {
    await using device = await queueDevice();
    const { done, append, spool } = device;
    await append(3, ["a"]);
    for (const { record } of await spool.lease("a", { recordsMax: 9, bytesMax: Infinity })) {
      await spool.settle("a", record.id, { kind: "rejected", code: "HTTP_413", message: "too large" });
    }
    await append(1, ["a"]);
    const listed = await done<Listed>("quarantine.list");
    assert.deepEqual(
      listed.records.map(({ sequence, owed }) => [sequence, owed]),
      [1, 2, 3].map((at) => [at, [{ target: "a", state: "quarantined", attempts: 0, error: "HTTP_413: too large" }]]),
    );
    assert.deepEqual(await done("quarantine.requeue", {}, { dry: true }), { deliveries: 3, busy: 0 });
    assert.deepEqual(await done("quarantine.requeue", { records: [2] }), { deliveries: 1, busy: 0 });
    const { token } = await done<Counted>("quarantine.purge", {}, { dry: true });
    assert.deepEqual(await done("quarantine.purge", { token }), { deliveries: 2, busy: 0 });
    const [backlog] = (await spool.stats()).targets;
    assert.deepEqual([backlog?.pending, backlog?.quarantined], [2, 0]);
  });
});

describe("commands for uploads", function () {
  this.timeout(10_000);

  it("pause, flush once, and resume; on a dry run nothing changes", async () => {
    await using device = await queueDevice();
    const { done, append, pending, targets } = device;
    assert.deepEqual(await done("upload.pause", {}, { dry: true }), { paused: ["a", "b"] });
    assert.deepEqual(device.upload.paused(), []);
    assert.deepEqual(await done("upload.pause", { target: "a" }), { paused: ["a"] });
    assert.deepEqual(await done("upload.pause", { target: "b", durationMs: 60_000 }), {
      paused: ["b"],
      durationMs: 60_000,
    });
    device.start();
    await append(3);
    assert.deepEqual([await device.reason("a"), await device.reason("b")], ["paused", "paused"]);
    assert.deepEqual(await done("queue.flush", { target: "a" }, { dry: true }), {
      targets: [{ target: "a", state: "paused", waiting: 3 }],
    });
    assert.deepEqual(await done("queue.flush", { target: "a" }), {
      targets: [{ target: "a", state: "paused", waiting: 3, hastened: 0 }],
    });
    await until(() => targets[0]?.accepted.length === 3, "the flush is through");
    await append(1);
    await until(async () => (await pending())[0] === 1, "what comes later waits");
    assert.equal(await device.reason("a"), "paused");
    assert.deepEqual(await done("upload.resume", {}, { dry: true }), { resumed: ["a", "b"] });
    assert.deepEqual(await done("upload.resume"), { resumed: ["a", "b"] });
    assert.deepEqual(await done("upload.resume"), { resumed: [] });
    await until(async () => (await pending()).join() === "0,0", "all is sent");
    assert.deepEqual([await device.reason("a"), await device.reason("b")], ["empty", "empty"]);
  });

  it("send at once what was put off, and what a target that is away would be asked much later", async () => {
    await using device = await queueDevice();
    const { done, append, says, targets } = device;
    says["a"] = answers("HTTP_401");
    device.start();
    await append(2, ["a"]);
    await until(async () => (await device.reason("a")) === "credentials", "nobody but a person can mend it");
    says["a"] = accepted;
    await done("queue.flush");
    await until(() => targets[0]?.accepted.length === 2, "both are sent");
  });

  it("say that a record of its own waits after a failure, and until when", async () => {
    await using device = await queueDevice();
    const { done, append, spool } = device;
    await append(1, ["a"]);
    const [leased] = await spool.lease("a", { recordsMax: 1, bytesMax: Infinity });
    const later = { kind: "retry", afterMs: 600_000, charged: true, code: "HTTP_500", message: "no" } as const;
    await spool.settle("a", leased?.record.id ?? "", later);
    device.start();
    await until(async () => (await device.reason("a")) === "backoff", "it is put off");
    const { targets } = await done<{ targets: { nextTryInMs: number; pending: number }[] }>("explain.upload", {
      target: "a",
    });
    const { nextTryInMs = 0, pending = 0 } = targets[0] ?? {};
    assert.ok(nextTryInMs > 590_000 && nextTryInMs <= 600_000 && pending === 1, JSON.stringify(targets));
    const flushed = await done<{ targets: object[] }>("queue.flush", { target: "a" });
    assert.deepEqual(flushed.targets, [{ target: "a", state: "up", waiting: 1, hastened: 1 }]);
    await until(() => device.targets[0]?.accepted.length === 1, "it is sent");
  });

  it("limit and unlimit, and tell it in the figures", async () => {
    await using device = await queueDevice();
    const { done, append, targets } = device;
    assert.deepEqual(await done("upload.limit", { bytesPerSecond: 2_000 }, { dry: true }), {
      bytesPerSecond: 2_000,
      before: 0,
    });
    assert.deepEqual(device.upload.health(), {});
    await done("upload.limit", { bytesPerSecond: 1_024 });
    await append(6, ["a"]);
    device.start();
    await until(async () => (await device.reason("a")) === "limit", "the limit is used up");
    const { upload } = await done<{ upload: { limitBytesPerSecond: number } }>("queue.stats");
    assert.equal(upload.limitBytesPerSecond, 1_024);
    assert.ok((targets[0]?.accepted.length ?? 0) < 6);
    assert.deepEqual(await done("upload.limit", { bytesPerSecond: 0 }), { bytesPerSecond: 0, before: 1_024 });
    await until(() => targets[0]?.accepted.length === 6, "the rest goes at once");
  });

  it("name a disabled target, which a flush leaves alone, and change the config to enable it", async () => {
    await using device = await queueDevice({ disabled: ["b"] });
    const { done, append, patches, targets } = device;
    device.start();
    await append(2);
    await until(() => targets[0]?.accepted.length === 2, "the other is served");
    assert.equal(await device.reason("b"), "disabled");
    const { targets: flushed } = await done<{ targets: object[] }>("queue.flush");
    assert.deepEqual(flushed[1], { target: "b", state: "disabled" });
    const { targets: listed } = await done<{ targets: { id: string; state: string; pending: number }[] }>(
      "target.list",
    );
    assert.deepEqual(
      listed.map(({ id, state, pending }) => [id, state, pending]),
      [
        ["a", "up", 0],
        ["b", "disabled", 2],
      ],
    );
    await done("target.enable", { target: "b" }, { dry: true });
    assert.deepEqual(patches, []);
    await done("target.enable", { target: "b" });
    await done("target.disable", { target: "a" });
    assert.deepEqual(patches, [{ targets: { b: { enabled: true } } }, { targets: { a: { enabled: false } } }]);
    assert.deepEqual(targets[1]?.calls, []);
  });

  it("test a target without sending it anything", async () => {
    await using device = await queueDevice();
    const { done, bench, targets } = device;
    const good = await done<{ target: string; tookMs: number }>("target.test", { target: "a" });
    assert.deepEqual([good.target, good.tookMs < 1_000], ["a", true]);
    const [target] = targets;
    assert.ok(target);
    target.probe = async () => {
      throw await Promise.resolve(new AgentError("IOTOWN_TOKEN", "the token is refused", { disposition: "retry" }));
    };
    const { state, code, error, message } = await bench.reply("target.test", { target: "a" });
    assert.deepEqual([state, code, error], ["failed", "target_error", "TARGET_TEST_FAILED"]);
    assert.equal(message, "a: the token is refused (IOTOWN_TOKEN)");
    assert.deepEqual(target.calls, []);
  });
});
