import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { readdir, readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { describe, it } from "mocha";
import { SystemClock } from "../../src/core/clock.ts";
import { AgentError } from "../../src/core/errors.ts";
import { HttpStream, type HttpStreamOptions } from "../../src/link/http-stream.ts";
import {
  type Downloaded,
  type DownloadOptions,
  type DownloadRequest,
  ModelDownloads,
} from "../../src/models/download.ts";
import { modelServer, type ModelServer, sha256Of } from "../lib/model-server.ts";
import { until } from "../lib/poll.ts";
import { RecordingLogger } from "../lib/seams.ts";
import { tempFolder } from "../lib/temp.ts";

const content = randomBytes(300_000);
const bytesMax = 10_000_000;

interface Bench {
  readonly folder: string;
  readonly into: string;
  readonly server: ModelServer;
  readonly fetch: (request?: Partial<DownloadRequest>, options?: Partial<DownloadOptions>) => Promise<Downloaded>;
  readonly downloads: ModelDownloads;
  readonly left: () => Promise<readonly string[]>;
}

interface BenchOptions {
  readonly http?: HttpStreamOptions;
  readonly flushBytes?: number;
}

async function bench(work: (bench: Bench) => Promise<void>, options: BenchOptions = {}): Promise<void> {
  await using temp = await tempFolder();
  await using server = await modelServer(content);
  const folder = join(temp.path, "models");
  const http = new HttpStream({ idleTimeoutMs: 300, connectTimeoutMs: 1_000, ...options.http });
  const limits = {
    downloadBackoffFirstMs: 1,
    downloadBackoffMaxMs: 4,
    downloadFlushBytes: options.flushBytes ?? 50_000,
    downloadFailuresMax: 3,
    downloadTriesMax: 5,
  };
  const seams = { clock: new SystemClock(), random: Math.random, log: new RecordingLogger() };
  const downloads = new ModelDownloads({ folder, http, limits }, seams);
  const into = join(temp.path, "model.onnx");
  try {
    await work({
      folder,
      into,
      server,
      downloads,
      fetch: async (request, further) =>
        await downloads.fetch({ url: server.url, bytesMax, ...request }, into, {
          signal: new AbortController().signal,
          freeBytesMin: 0,
          ...further,
        }),
      left: async () => await readdir(folder),
    });
  } finally {
    http.close();
  }
}

async function failsWith(code: string, work: Promise<unknown>): Promise<AgentError> {
  const error = await work.then(
    () => assert.fail(`no ${code}`),
    (thrown: unknown) => thrown,
  );
  assert.ok(error instanceof AgentError);
  assert.equal(error.code, code, error.message);
  return error;
}

async function isWhole({ into, left }: Bench, done: Downloaded): Promise<void> {
  assert.deepEqual(done, { sha256: sha256Of(content), bytes: content.length });
  assert.ok((await readFile(into)).equals(content));
  assert.deepEqual(await left(), []);
}

/** Nothing arrived, and nothing lies about. */
async function isNothing({ into, left }: Bench): Promise<void> {
  await assert.rejects(stat(into), { code: "ENOENT" });
  assert.deepEqual(await left(), []);
}

describe("model downloads", () => {
  const sha256 = sha256Of(content);
  const bytes = content.length;

  it("bring the file and its checksum, and tell how far they are", async () => {
    await bench(async (b) => {
      const seen: number[] = [];
      const done = await b.fetch(
        {},
        { onProgress: ({ bytes: came, totalBytes }) => seen.push(came / (totalBytes ?? 0)) },
      );
      await isWhole(b, done);
      assert.equal(seen.at(-1), 1);
      assert.deepEqual(
        seen,
        seen.toSorted((a, c) => a - c),
      );
    });
  });

  it("go on where they were cut, of the same file", async () => {
    await bench(async (b) => {
      b.server.faults.push({ kind: "cut", afterBytes: 100_000 }, { kind: "cut", afterBytes: 90_000 });
      await isWhole(b, await b.fetch());
      const [first, second, third] = b.server.requests;
      assert.equal(first?.range, undefined);
      assert.match(second?.range ?? "", /^bytes=[1-9]\d+-$/);
      assert.match(second?.ifRange ?? "", /^"[0-9a-f]{16}"$/);
      assert.ok((third?.sentBytes ?? Infinity) < bytes - 100_000);
    });
  });

  it("go on by the date of the file where the server has no strong ETag", async () => {
    await bench(async (b) => {
      b.server.validator = "date";
      b.server.faults.push({ kind: "cut", afterBytes: 100_000 });
      await isWhole(b, await b.fetch());
      assert.match(b.server.requests[1]?.ifRange ?? "", /GMT$/);
    });
  });

  it("begin anew without anything that vouches for the bytes that are there", async () => {
    for (const validator of ["none", "weak"] as const) {
      await bench(async (b) => {
        b.server.validator = validator;
        b.server.faults.push({ kind: "cut", afterBytes: 100_000 });
        await isWhole(b, await b.fetch());
        assert.equal(b.server.requests[1]?.range, undefined);
      });
    }
  });

  it("go on without a validator where the checksum decides", async () => {
    await bench(async (b) => {
      b.server.validator = "none";
      b.server.faults.push({ kind: "cut", afterBytes: 100_000 });
      await isWhole(b, await b.fetch({ sha256 }));
      assert.match(b.server.requests[1]?.range ?? "", /^bytes=[1-9]/);
    });
  });

  it("begin anew when the file has changed meanwhile", async () => {
    await bench(async (b) => {
      b.server.faults.push({ kind: "cut", afterBytes: 100_000 });
      b.server.content = randomBytes(bytes);
      let isChanged = false;
      const onProgress = (): void => {
        if (!isChanged) b.server.content = content;
        isChanged = true;
      };
      await isWhole(b, await b.fetch({}, { onProgress }));
      assert.match(b.server.requests[1]?.range ?? "", /^bytes=[1-9]/);
      assert.equal(b.server.requests[1]?.sentBytes, bytes);
    });
  });

  it("take the whole file from a server that ignores ranges", async () => {
    await bench(async (b) => {
      b.server.faults.push({ kind: "cut", afterBytes: 100_000 }, { kind: "ignores-range" });
      await isWhole(b, await b.fetch());
    });
  });

  it("begin anew where another part comes than was asked for, or none is there any more", async () => {
    for (const fault of [{ kind: "wrong-range" }, { kind: "status", status: 416 }] as const) {
      await bench(async (b) => {
        b.server.faults.push({ kind: "cut", afterBytes: 100_000 }, fault);
        await isWhole(b, await b.fetch());
        assert.equal(b.server.requests[2]?.range, undefined);
      });
    }
  });

  it("know that a part was the whole file already", async () => {
    await bench(async (b) => {
      b.server.faults.push({ kind: "cut", afterBytes: bytes });
      await isWhole(b, await b.fetch());
    });
  });

  it("refuse other bytes than the checksum's, and keep nothing of them", async () => {
    await bench(async (b) => {
      b.server.faults.push({ kind: "wrong-byte", at: 200_000 });
      await failsWith("MODEL_CHECKSUM", b.fetch({ sha256 }));
      await isNothing(b);
      assert.equal(b.server.requests.length, 1);
    });
  });

  it("fetch the whole once more when pieces do not make the right file", async () => {
    await bench(async (b) => {
      b.server.validator = "none";
      b.server.content = randomBytes(bytes);
      b.server.faults.push({ kind: "cut", afterBytes: 100_000 });
      const onTrouble = (): void => void (b.server.content = content);
      await isWhole(b, await b.fetch({ sha256 }, { onTrouble }));
      assert.equal(b.server.requests.length, 3);
    });
  });

  it("refuse a file of another size before its first byte", async () => {
    for (const by of [-1, 1, 50_000]) {
      await bench(async (b) => {
        b.server.faults.push({ kind: "wrong-size", by });
        await failsWith("MODEL_CHECKSUM", b.fetch({ sha256, bytes }));
        await isNothing(b);
      });
    }
  });

  it("stop what is too large, said or not", async () => {
    await bench(async (b) => {
      await failsWith("MODEL_TOO_LARGE", b.fetch({ bytesMax: bytes - 1 }));
      await isNothing(b);
      b.server.faults.push({ kind: "endless" });
      await failsWith("MODEL_TOO_LARGE", b.fetch({ bytesMax: 1_000_000 }));
      await isNothing(b);
    });
  });

  it("tell a cut from the end where the server does not say how long the file is", async () => {
    await bench(async (b) => {
      b.server.faults.push({ kind: "cut-without-length", afterBytes: 100_000 });
      await failsWith("MODEL_NO_LENGTH", b.fetch());
      b.server.faults.push({ kind: "cut-without-length", afterBytes: 100_000 });
      await isWhole(b, await b.fetch({ sha256, bytes }));
    });
    await bench(async (b) => {
      b.server.faults.push({ kind: "no-length" });
      await isWhole(b, await b.fetch());
    });
  });

  it("give up a silent server, and go on with what came the next time", async () => {
    await bench(async (b) => {
      b.server.faults.push({ kind: "silent", afterBytes: 100_000 });
      for (let tries = 0; tries < 3; tries += 1) b.server.faults.push({ kind: "status", status: 503 });
      await failsWith("HTTP_503", b.fetch());
      const [part, ...others] = await b.downloads.unfinished();
      assert.deepEqual(others, []);
      assert.deepEqual(
        { shown: part?.shown, totalBytes: part?.totalBytes, state: part?.state },
        { shown: b.server.url, totalBytes: bytes, state: "cut" },
      );
      assert.ok((part?.bytes ?? 0) >= 50_000);
      await isWhole(b, await b.fetch());
      assert.match(b.server.requests.at(-1)?.range ?? "", /^bytes=[1-9]/);
    });
  });

  it("give up a server that drips", async () => {
    await bench(
      async (b) => {
        b.server.faults.push(...Array.from({ length: 5 }, () => ({ kind: "drip" }) as const));
        const error = await failsWith("NET_TIMEOUT", b.fetch());
        assert.match(error.message, /too slowly/);
      },
      { http: { slowAfterMs: 100 } },
    );
  });

  it("end what nobody will mend at once, and keep no empty part of it", async () => {
    await bench(async (b) => {
      b.server.faults.push({ kind: "status", status: 404 });
      await failsWith("HTTP_404", b.fetch());
      assert.equal(b.server.requests.length, 1);
      await isNothing(b);
    });
  });

  it("follow a redirect, but not for ever", async () => {
    await bench(async (b) => {
      const headers = { Location: b.server.url };
      b.server.faults.push({ kind: "status", status: 302, headers });
      await isWhole(b, await b.fetch());
      b.server.faults.push(...Array.from({ length: 6 }, () => ({ kind: "status", status: 302, headers }) as const));
      await failsWith("HTTP_REDIRECT", b.fetch());
    });
  });

  it("stop at once when asked to, and go on later", async () => {
    await bench(async (b) => {
      const stop = new AbortController();
      b.server.faults.push({ kind: "silent", afterBytes: 120_000 });
      const onProgress = ({ bytes: came }: { bytes: number }): void => {
        if (came >= 120_000) stop.abort();
      };
      await failsWith("ABORTED", b.fetch({}, { signal: stop.signal, onProgress }));
      await isWhole(b, await b.fetch());
      assert.equal(b.server.requests.at(-1)?.range, "bytes=120000-");
    });
  });

  it("take no more of the disk than is left", async () => {
    await bench(async (b) => {
      await failsWith("MODEL_NO_ROOM", b.fetch({}, { freeBytesMin: 2 ** 52 }));
      await isNothing(b);
      const used: number[] = [];
      const share = { uses: (taken: number) => void used.push(taken), mayGrow: (more: number) => more < bytes };
      await failsWith("MODEL_NO_ROOM", b.fetch({}, { share }));
      await isWhole(b, await b.fetch({}, { share: { ...share, mayGrow: () => true } }));
      assert.equal(Math.max(...used), bytes);
      assert.equal(used.at(-1), 0);
    });
  });

  it("take no more of the line than allowed", async () => {
    await bench(async (b) => {
      const startedMs = performance.now();
      await isWhole(b, await b.fetch({}, { bytesPerSecond: bytes * 4 }));
      assert.ok(performance.now() - startedMs >= 240);
    });
  });

  it("of two at once that want the same file, each gets it whole", async () => {
    await bench(async (b) => {
      b.server.faults.push({ kind: "cut", afterBytes: 100_000 }, { kind: "cut", afterBytes: 50_000 });
      const other = join(b.folder, "..", "other.onnx");
      const options = { signal: new AbortController().signal, freeBytesMin: 0 };
      const second = b.downloads.fetch({ url: b.server.url, bytesMax }, other, options);
      await isWhole(b, await b.fetch().finally(async () => await second));
      assert.ok((await readFile(other)).equals(content));
    });
  });

  it("forget what nobody went on with for a week", async () => {
    await bench(async (b) => {
      const stop = new AbortController();
      b.server.faults.push({ kind: "silent", afterBytes: 120_000 });
      const gone = b.fetch({}, { signal: stop.signal }).catch(() => undefined);
      await until(async () => (await b.downloads.unfinished()).some((part) => part.bytes > 0), "a flushed part");
      assert.equal((await b.downloads.unfinished())[0]?.state, "under way");
      stop.abort();
      await gone;
      await b.downloads.sweep();
      assert.equal((await b.left()).length, 1);
      const late = {
        nowMs: () => Date.now() + 8 * 24 * 60 * 60_000,
        monotonicMs: () => 0,
        sleep: async () => undefined,
      };
      const http = new HttpStream();
      const seams = { clock: late, random: Math.random, log: new RecordingLogger() };
      await new ModelDownloads({ folder: b.folder, http }, seams).sweep();
      await isNothing(b);
    });
  });
});
