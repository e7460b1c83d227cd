import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { once } from "node:events";
import { chmod, stat, writeFile } from "node:fs/promises";
import { connect, createServer, type Socket } from "node:net";
import { join } from "node:path";
import { describe, it } from "mocha";
import { ControlClient } from "../../src/control/client.ts";
import { ControlServer } from "../../src/control/server.ts";
import { AgentError } from "../../src/core/errors.ts";
import { controlLimits } from "../../src/core/limits.ts";
import type { ModelChoice } from "../../src/core/model-choice.ts";
import type { MovedRecord, Queue, QueueStats } from "../../src/core/queue.ts";
import type { DiskSpool } from "../../src/spool/spool.ts";
import { openSpool } from "../lib/disk-spool.ts";
import { draftOf, imageOf } from "../lib/drafts.ts";
import { until } from "../lib/poll.ts";
import { missing } from "../lib/programs.ts";
import { RecordingLogger } from "../lib/seams.ts";
import { tempFolder } from "../lib/temp.ts";

const nobody = 65_534;
const never = new AbortController().signal;

/** Knows two models. */
const models: ModelChoice = {
  async use(reference) {
    if (reference !== "wasps") {
      throw new AgentError("MODEL_NOT_FOUND", `no model ${reference} is installed`, { disposition: "reject" });
    }
    return { to: "wasps@2", from: "bees@1", runMs: 12.5, probationMs: 1_000, notes: ["a note"] };
  },
  async rollback() {
    return { to: "bees@1", probationMs: 0, notes: [] };
  },
};

interface Bench extends AsyncDisposable {
  readonly folder: string;
  readonly path: string;
  readonly spool: DiskSpool;
  readonly server: ControlServer;
  readonly client: ControlClient;
  readonly log: RecordingLogger;
}

const cameras = [
  { id: "front", state: "running" },
  { id: "yard", state: "backoff", error: { code: "CAMERA_LOST", message: "it is gone" } },
] as const;

/** A spool with one record, served; `change` replaces methods of its queue. */
async function bench(change: Partial<Queue> = {}): Promise<Bench> {
  const temp = await tempFolder();
  const { spool } = await openSpool(join(temp.path, "spool"));
  await spool.append(draftOf(), imageOf(2_000), ["a"]);
  const path = join(temp.path, "control.sock");
  const log = new RecordingLogger();
  const offer = {
    queue: overlaid(spool.queue, change),
    deliveries: () => [],
    upload: () => ({ limitBytesPerSecond: 9 }),
    cameras: () => cameras,
    models,
  };
  const server = new ControlServer(path, offer, log);
  await server.start(never);
  return {
    folder: temp.path,
    path,
    spool,
    server,
    client: new ControlClient(path, never),
    log,
    async [Symbol.asyncDispose]() {
      await server.stop();
      await spool.stop();
      await temp[Symbol.asyncDispose]();
    },
  };
}

function overlaid(queue: Queue, change: Partial<Queue>): Queue {
  return new Proxy(queue, {
    get(target, name) {
      const replaced: unknown = Reflect.get(change, name);
      if (replaced !== undefined) return replaced;
      const method: unknown = Reflect.get(target, name);
      return typeof method === "function" ? (method.bind(target) as unknown) : method;
    },
  });
}

async function rawSocket(path: string, text: string): Promise<Socket> {
  const socket = connect({ path });
  socket.on("error", () => undefined);
  await once(socket, "connect");
  socket.write(text);
  return socket;
}

/** All that came until the other side closed. */
async function answerTo(path: string, text: string): Promise<string> {
  const socket = await rawSocket(path, text);
  let answer = "";
  socket.on("data", (chunk: Buffer) => (answer += chunk.toString()));
  await new Promise<void>((resolve) => socket.once("close", () => resolve()));
  return answer;
}

function codeOfRefusal(answer: string): string | undefined {
  return /"code":"(\w+)"/.exec(answer)?.[1];
}

describe("the control socket", () => {
  it("carries the queue's own answers", async () => {
    await using opened = await bench();
    const { client, spool } = opened;
    const { queue } = spool;
    assert.equal(await client.reaches(), true);
    const { oldestAgeMs = -1, ...stats } = await client.stats();
    const { oldestAgeMs: ownAgeMs = -1, ...own } = await queue.stats();
    assert.ok(oldestAgeMs >= 0 && ownAgeMs >= oldestAgeMs);
    assert.deepEqual(stats, { ...own, deliveries: [], upload: { limitBytesPerSecond: 9 }, cameras });
    const none = { changed: 0, busy: 0, lastSequence: 1, done: true };
    const camera = { cameraId: "gate", upToSequence: 1 };
    assert.deepEqual(await client.count(camera, 0), { ...none, changed: 1 });
    assert.deepEqual(await client.hasten({ label: "person", targetId: "a" }, 0), none);
    assert.deepEqual(await client.prioritize({ ...camera, label: "person" }, 0), { ...none, changed: 1 });
    const page = { afterSequence: 0, recordsMax: 10, targetId: "a", state: "pending" } as const;
    assert.deepEqual(await client.list(page), await queue.list(page));
    assert.deepEqual(await client.find("1"), await queue.find("1"));
    assert.equal(await client.find("2"), undefined);
    assert.deepEqual(await client.image(1), imageOf(2_000));
    await assert.rejects(client.image(2), { code: "RECORD_UNREADABLE", disposition: "reject" });
    assert.deepEqual(await client.verify(0, false), await queue.verify(0, false));
    const [delivery] = await spool.lease("a", { recordsMax: 1, bytesMax: Infinity });
    assert.deepEqual(await client.drop({ sequence: 1 }, 0), { changed: 0, busy: 1, lastSequence: 1, done: true });
    await spool.settle("a", delivery?.record.id ?? "", { kind: "accepted", remoteId: "r-1" });
    const [entry] = await client.sent({ entriesMax: 10, targetId: "a", record: delivery?.record.name ?? "" });
    assert.deepEqual([entry?.remoteId, entry?.sequence], ["r-1", 1]);
    assert.deepEqual(await client.retry({}, 0), { changed: 0, busy: 0, lastSequence: 0, done: true });
  });

  it("has the daemon take another model over, and carries what came of it", async () => {
    await using opened = await bench();
    const { client } = opened;
    const change = { to: "wasps@2", from: "bees@1", runMs: 12.5, probationMs: 1_000, notes: ["a note"] };
    assert.deepEqual(await client.useModel("wasps"), change);
    assert.deepEqual(await client.rollBackModel(), { to: "bees@1", probationMs: 0, notes: [] });
    await assert.rejects(client.useModel("hornets"), { code: "MODEL_NOT_FOUND", disposition: "reject" });
  });

  it("leaves nothing of the figures out", async () => {
    const target = { targetId: "a", pending: 1, leased: 2, quarantined: 3, accepted: 4, removedForMs: 5.5 };
    const stats: QueueStats = {
      ...{
        records: 6,
        bytes: 7,
        lastSequence: 8,
        oldestAgeMs: 13,
        damaged: 9,
        missing: 10,
        encrypted: 11,
        targets: [target],
      },
      lost: [{ targetId: "a", priority: -1, reason: "dropped", deliveries: 12 }],
    };
    await using opened = await bench({ stats: async () => await Promise.resolve(stats) });
    assert.deepEqual(await opened.client.stats(), {
      ...stats,
      deliveries: [],
      upload: { limitBytesPerSecond: 9 },
      cameras,
    });
  });

  it("carries moved records, bytes and all", async () => {
    const envelope = Buffer.from([0, 10, 13, 255, 10]);
    const deliveries = [{ targetId: "a", state: "quarantined", attempts: 2, cursor: "c", error: "E: no" }] as const;
    const moved: MovedRecord = { envelope, from: "0abcdefg-7", deliveries, keyCheck: "f0" };
    const request = { exportId: "e", folder: "/f", recordsMax: 7, targetId: "a" };
    const held = { sequence: 7, id: "id", heldBefore: true };
    const seen: unknown[] = [];
    await using opened = await bench({
      hold: async (wanted) => {
        seen.push(await Promise.resolve(wanted));
        return [held];
      },
      held: async (sequence) =>
        await Promise.resolve({ ...moved, envelope: Buffer.concat([envelope, Buffer.from([sequence])]) }),
      release: async (sequence) => {
        seen.push(await Promise.resolve(sequence));
      },
      giveBack: async (sequences) => {
        seen.push(await Promise.resolve(sequences));
      },
      takeIn: async (taken) => {
        seen.push(await Promise.resolve(taken));
        return true;
      },
    });
    const { client } = opened;
    assert.deepEqual(await client.hold(request), [held]);
    assert.deepEqual(await client.held(9), { ...moved, envelope: Buffer.from([0, 10, 13, 255, 10, 9]) });
    await client.release(5);
    await client.giveBack([6, 7]);
    assert.equal(await client.takeIn(moved), true);
    assert.deepEqual(seen, [request, 5, [6, 7], moved]);
    const large = { ...moved, envelope: Buffer.alloc(32 * 1024 * 1024, 10) };
    assert.equal(await client.takeIn(large), true);
  });

  it("is its user's alone", async function () {
    await using opened = await bench();
    assert.equal((await stat(opened.path)).mode & 0o777, 0o600);
    assert.ok((await stat(opened.path)).isSocket());
    if (process.getuid?.() !== 0) missing(this, "root");
    await chmod(opened.folder, 0o755);
    const asking = `
      process.setgroups([]); process.setgid(${nobody}); process.setuid(${nobody});
      require("node:net").connect(process.argv[1])
        .on("error", (error) => console.log(error.code))
        .on("connect", () => { console.log("connected"); process.exit(); });`;
    const { stdout } = spawnSync(process.execPath, ["-e", asking, opened.path], { encoding: "utf8" });
    assert.equal(stdout, "EACCES\n");
  });

  it("refuses what it does not know, and goes on", async () => {
    await using opened = await bench();
    const { path, client } = opened;
    const post = (method: string, body: string, bytes = Buffer.byteLength(body)): string =>
      `POST /queue/${method} HTTP/1.1\r\nHost: x\r\nContent-Length: ${bytes}\r\n\r\n${body}`;
    assert.match(await answerTo(path, "\0\xff garbage\r\n\r\n"), /^HTTP\/1\.1 400 /);
    const refused = [
      ["GET /queue/stats HTTP/1.1\r\nHost: x\r\n\r\n", "CONTROL_UNKNOWN"],
      ["POST /etc/passwd HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n", "CONTROL_UNKNOWN"],
      [post("constructor", "{}\n"), "CONTROL_MALFORMED"],
      [post("stats/../drop", "{}\n"), "CONTROL_MALFORMED"],
      [post("drop", ""), "CONTROL_MALFORMED"],
      [post("drop", "{"), "CONTROL_MALFORMED"],
      [post("drop", "[]\n"), "CONTROL_MALFORMED"],
      [post("drop", '{"afterSequence":0}\n'), "CONTROL_MALFORMED"],
      [post("drop", '{"selection":{"sequence":"1"},"afterSequence":0}\n'), "CONTROL_MALFORMED"],
      [post("drop", '{"selection":{"state":"all"},"afterSequence":0}\n'), "CONTROL_MALFORMED"],
      [post("drop", '{"selection":{},"afterSequence":-1}\n'), "CONTROL_MALFORMED"],
      [post("list", '{"afterSequence":0,"recordsMax":null}\n'), "CONTROL_MALFORMED"],
    ] as const;
    for (const [text, code] of refused) assert.equal(codeOfRefusal(await answerTo(path, text)), code, text);
    // More than a request may hold, in full and only announced.
    await answerTo(path, post("drop", `{"selection":{},"afterSequence":0,"x":"${"x".repeat(200_000)}"}\n`));
    await answerTo(path, `POST /queue/stats HTTP/1.1\r\nHost: x\r\n${"a: b\r\n".repeat(5_000)}\r\n`);
    assert.equal((await client.stats()).records, 1);
    assert.deepEqual(opened.log.lines, []);
  });

  it("is held up by nobody who is slow, who goes away, or who asks too much", async () => {
    let answer = (): void => undefined;
    const answered = new Promise<void>((resolve) => (answer = resolve));
    let asked = 0;
    await using opened = await bench({
      sent: async () => {
        asked += 1;
        await answered;
        return [];
      },
    });
    const { path, client } = opened;
    const slow = await Promise.all([
      rawSocket(path, "POST /queue/st"),
      rawSocket(path, "POST /queue/stats HTTP/1.1\r\nHost: x\r\nContent-Length: 20\r\n\r\n{"),
    ]);
    assert.equal((await client.stats()).records, 1);
    const gone = new AbortController();
    const abandoned = new ControlClient(path, gone.signal).sent({ entriesMax: 1 });
    await until(() => asked === 1, "the abandoned request is under way");
    gone.abort();
    await assert.rejects(abandoned, { name: "AbortError" });
    const waiting = [1, 2].map(async () => await client.sent({ entriesMax: 1 }));
    await until(() => asked === 3, "the others are under way");
    await assert.rejects(client.stats(), { code: "CONTROL_BUSY", disposition: "retry" });
    for (const socket of slow) socket.destroy();
    answer();
    assert.deepEqual(await Promise.all(waiting), [[], []]);
    await until(
      async () =>
        await client.stats().then(
          ({ records }) => records === 1,
          () => false,
        ),
      "it answers again",
    );
  });

  it("ends with the daemon: what is under way fails, and nobody is there", async () => {
    let asked = 0;
    await using opened = await bench({
      sent: async () => {
        asked += 1;
        return await new Promise(() => undefined);
      },
    });
    const waiting = assert.rejects(opened.client.sent({ entriesMax: 1 }), { code: "CONTROL_FAILED" });
    await until(() => asked === 1, "a request is under way");
    await opened.server.stop();
    await waiting;
    assert.equal(await opened.client.reaches(), false);
    await assert.rejects(stat(opened.path), { code: "ENOENT" });
    await opened.server.stop();
  });

  it("takes the place of whatever a killed daemon left, and of nothing that it may not", async () => {
    await using temp = await tempFolder();
    const log = new RecordingLogger();
    const path = join(temp.path, "control.sock");
    await writeFile(path, "stale");
    assert.equal(await new ControlClient(path, never).reaches(), false);
    await using opened = await openSpool(join(temp.path, "spool"));
    const offer = {
      queue: opened.spool.queue,
      deliveries: () => [],
      upload: () => ({ limitBytesPerSecond: 9 }),
      cameras: () => cameras,
      models,
    };
    const server = new ControlServer(path, offer, log);
    await server.start(never);
    assert.equal(await new ControlClient(path, never).reaches(), true);
    await server.stop();
    const tooLong = join(temp.path, "x".repeat(controlLimits.pathBytesMax), "control.sock");
    const blocked = join(temp.path, "spool");
    for (const unusable of [tooLong, blocked]) {
      const without = new ControlServer(unusable, offer, log);
      await without.start(never);
      assert.equal(await new ControlClient(unusable, never).reaches(), false);
      await without.stop();
    }
    assert.deepEqual(
      log.lines.map(({ event }) => event),
      ["control.unavailable", "control.unavailable"],
    );
  });
});

describe("a command that asks over the socket", () => {
  it("believes nothing that is no answer of this program", async () => {
    await using temp = await tempFolder();
    const path = join(temp.path, "control.sock");
    const head = (extra: string, body: string): string =>
      `HTTP/1.1 200 OK\r\n${extra}Content-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`;
    const own = "framepost-control: 2\r\n";
    const answers = [
      [head("", "{}\n"), "CONTROL_VERSION"],
      [head("framepost-control: 1\r\n", "{}\n"), "CONTROL_VERSION"],
      [head(own, "{}\n"), "CONTROL_MALFORMED"],
      [head(own, '{"records":"many"}\n'), "CONTROL_MALFORMED"],
      [head(own, "no line"), "CONTROL_MALFORMED"],
      [`HTTP/1.1 500 No\r\n${own}Content-Length: 3\r\n\r\n{}\n`, "CONTROL_MALFORMED"],
      [`HTTP/1.1 200 OK\r\n${own}Content-Length: 9\r\n\r\n{}`, "CONTROL_FAILED"],
      ["nonsense\r\n\r\n", "CONTROL_FAILED"],
      ["", "CONTROL_FAILED"],
    ] as const;
    let answer = "";
    const server = createServer((socket) => {
      socket.on("error", () => undefined);
      socket.once("data", () => socket.end(answer));
    });
    server.listen(path);
    await once(server, "listening");
    try {
      for (const [text, code] of answers) {
        answer = text;
        await assert.rejects(new ControlClient(path, never).stats(), (error: unknown) => {
          assert.ok(error instanceof AgentError, text);
          assert.equal(error.code, code, text);
          return true;
        });
      }
    } finally {
      server.close();
    }
  });
});
