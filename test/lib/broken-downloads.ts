import { spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { SystemClock } from "../../src/core/clock.ts";
import { AgentError } from "../../src/core/errors.ts";
import type { Random } from "../../src/core/ports.ts";
import { HttpStream } from "../../src/link/http-stream.ts";
import { ModelDownloads } from "../../src/models/download.ts";
import { modelFileName, ModelStore } from "../../src/models/store.ts";
import { modelServer, type ModelServer, type ServerFault, sha256Of } from "./model-server.ts";
import { until } from "./poll.ts";
import { RecordingLogger, seededRandom } from "./seams.ts";
import { tempFolder } from "./temp.ts";

/**
 * Models that come in over a bad line or from a bad server, again and again: each round breaks one in some way, and an
 * oracle that knows the right bytes looks at what is in use, and at what lies about.
 */

/** What a round came to. */
export type Ending =
  /** The right model is in use. */
  | "installed"
  /** The one before is in use still, and nothing of the new one is left. */
  | "refused";

export interface BrokenRound {
  readonly store: ModelStore;
  readonly server: ModelServer;
  /** What the server is to deliver. */
  readonly content: Buffer;
  readonly version: string;
  readonly random: Random;
  /** Bytes that the first request brought. Node forgets what it had not handed on when the connection is cut. */
  firstBytes: number;
  /** As a process that has just started has them. */
  readonly downloads: () => ModelDownloads;
}

export interface BrokenKind {
  readonly name: string;
  readonly ends: Ending;
  /** True when it has to go on with the bytes it has, and not begin anew. */
  readonly resumes?: boolean;
  /** Brings the model in, or fails with the reason why not; the oracle looks when this has ended. */
  readonly run: (round: BrokenRound) => Promise<void>;
}

export interface BrokenCounts {
  readonly name: string;
  rounds: number;
  installed: number;
  refused: number;
  resumed: number;
}

export interface BrokenResult {
  readonly kinds: readonly BrokenCounts[];
  /** Each is a broken promise. */
  readonly activated: string[];
  readonly leftBehind: string[];
  readonly notResumed: string[];
  readonly wrongEnding: string[];
}

const childFile = join(import.meta.dirname, "download-child.js");
const flushBytes = 8_192;
const failuresMax = 3;

/** Brings the model in as an update does: nothing is in use before it is whole and proven. */
export async function bringIn(round: BrokenRound): Promise<void> {
  const { store, server, content, version, downloads } = round;
  const expected = { sha256: sha256Of(content), bytes: content.length };
  const staged = await store.stage({ name: "model", version });
  try {
    const into = join(staged.folder, modelFileName);
    const onProgress = ({ bytes }: { readonly bytes: number }): void => {
      if (server.requests.length === 1) round.firstBytes = bytes;
    };
    const options = { signal: new AbortController().signal, freeBytesMin: 0, onProgress };
    await downloads().fetch({ url: server.url, ...expected, bytesMax: 2 * expected.bytes }, into, options);
    await store.use(await store.install(staged));
  } finally {
    await store.discard(staged);
  }
}

function within(random: Random, from: number, below: number): number {
  return from + Math.floor(random() * (below - from));
}

function someCuts({ random, content }: BrokenRound, count: number): ServerFault[] {
  return Array.from({ length: count }, () => ({ kind: "cut", afterBytes: within(random, 1, content.length - 1) }));
}

/** Cut so late that something was flushed, and sooner than the file ends. */
function lateCut({ random, content }: BrokenRound): ServerFault {
  return { kind: "cut", afterBytes: within(random, content.length >> 1, content.length - 1) };
}

export const downloadKinds: readonly BrokenKind[] = [
  {
    name: "cut at random, some times",
    ends: "installed",
    resumes: true,
    run: async (round) => {
      round.server.faults.push(lateCut(round), ...someCuts(round, within(round.random, 0, 4)));
      await bringIn(round);
    },
  },
  {
    name: "cut, given up, and tried again by a new process",
    ends: "installed",
    resumes: true,
    run: async (round) => {
      const down = Array.from({ length: failuresMax }, () => ({ kind: "status", status: 503 }) as const);
      round.server.faults.push(lateCut(round), ...down);
      await mustFail(bringIn(round), "HTTP_503");
      await bringIn(round);
    },
  },
  {
    name: "cut without a word of the length",
    ends: "installed",
    run: async (round) => {
      const afterBytes = within(round.random, 1, round.content.length - 1);
      round.server.faults.push({ kind: "cut-without-length", afterBytes });
      await bringIn(round);
    },
  },
  {
    name: "one byte is wrong",
    ends: "refused",
    run: async (round) => {
      round.server.faults.push({ kind: "wrong-byte", at: within(round.random, 0, round.content.length) });
      await mustFail(bringIn(round), "MODEL_CHECKSUM");
    },
  },
  {
    name: "the rest after a cut is wrong, the whole then right",
    ends: "installed",
    resumes: true,
    run: async (round) => {
      // On a busy machine Node may hand nothing on before the cut: then there is no rest, and the whole is asked for.
      const wrong: ServerFault = { kind: "wrong-byte", at: round.content.length - 1, ofRest: true };
      round.server.faults.push(lateCut(round), wrong);
      await bringIn(round);
    },
  },
  {
    name: "the rest after a cut is wrong, and so is the whole",
    ends: "refused",
    run: async (round) => {
      const wrong: ServerFault = { kind: "wrong-byte", at: round.content.length - 1 };
      round.server.faults.push(lateCut(round), wrong, wrong);
      await mustFail(bringIn(round), "MODEL_CHECKSUM");
    },
  },
  {
    name: "longer or shorter than it should be",
    ends: "refused",
    run: async (round) => {
      const by = within(round.random, 1, 5_000) * (round.random() < 0.5 ? 1 : -1);
      round.server.faults.push({ kind: "wrong-size", by });
      await mustFail(bringIn(round), "MODEL_CHECKSUM");
    },
  },
  {
    name: "without end",
    ends: "refused",
    run: async (round) => {
      round.server.faults.push({ kind: "endless" });
      await mustFail(bringIn(round), "MODEL_CHECKSUM");
    },
  },
];

/** A process of its own, which is killed at any moment of its life. */
export const killedDownload: BrokenKind = {
  name: "killed at any moment, and tried again",
  ends: "installed",
  run: async (round) => {
    const { store, server, content, version, random } = round;
    server.faults.push({ kind: "silent", afterBytes: within(random, 0, content.length) });
    const job = { folder: store.folder, url: server.url, sha256: sha256Of(content), bytes: content.length, version };
    const child = spawn(process.execPath, [childFile, JSON.stringify({ ...job, flushBytes })], { stdio: "ignore" });
    const ended = once(child, "close");
    // One in four is killed before it has asked for a byte.
    if (random() < 0.75) await until(() => server.requests.length > 0, "a request of the child", 10_000);
    await delay(within(random, 0, 100));
    child.kill("SIGKILL");
    await ended;
    // What it had not asked for yet.
    server.faults.length = 0;
    await bringIn(round);
  },
};

async function mustFail(work: Promise<void>, code: string): Promise<void> {
  const error = await work.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  if (error instanceof AgentError && error.code === code) return;
  throw new Error(`expected ${code}`, { cause: error });
}

/** Every kind in turn, in an order and with figures that the seed gives. */
export async function brokenRounds(
  rounds: number,
  seed: number,
  kinds: readonly BrokenKind[] = downloadKinds,
): Promise<BrokenResult> {
  const counts = kinds.map(({ name }) => ({ name, rounds: 0, installed: 0, refused: 0, resumed: 0 }));
  const result: BrokenResult = { kinds: counts, activated: [], leftBehind: [], notResumed: [], wrongEnding: [] };
  await using temp = await tempFolder();
  const store = new ModelStore(join(temp.path, "models"));
  let right: Buffer | undefined;
  for (let index = 0; index < rounds; index += 1) {
    const [kind, count] = [kinds[index % kinds.length], counts[index % kinds.length]];
    if (kind === undefined || count === undefined) break;
    right = await oneRound({ store, kind, count, result, right, index, seed: seed + index });
  }
  return result;
}

interface Turn {
  readonly store: ModelStore;
  readonly kind: BrokenKind;
  readonly count: BrokenCounts;
  readonly result: BrokenResult;
  /** Of the model in use. */
  readonly right: Buffer | undefined;
  readonly index: number;
  readonly seed: number;
}

async function oneRound({ store, kind, count, result, right, index, seed }: Turn): Promise<Buffer | undefined> {
  const random = seededRandom(seed);
  const content = randomBytes(within(random, 40_000, 200_000));
  const label = `round ${index} (seed ${seed}), ${kind.name}`;
  await using server = await modelServer(content);
  const http = new HttpStream({ idleTimeoutMs: 2_000 });
  const limits = {
    downloadFlushBytes: flushBytes,
    downloadFailuresMax: failuresMax,
    downloadBackoffFirstMs: 1,
    downloadBackoffMaxMs: 3,
  };
  const seams = { clock: new SystemClock(), random, log: new RecordingLogger() };
  const downloads = (): ModelDownloads => new ModelDownloads({ folder: store.folder, http, limits }, seams);
  count.rounds += 1;
  const round = { store, server, content, version: String(index), random, downloads, firstBytes: 0 };
  try {
    await kind.run(round);
  } catch (error) {
    result.wrongEnding.push(`${label}: ${describe(error)}`);
  } finally {
    http.close();
  }
  const current = await store.current();
  const inUse = current === undefined ? undefined : await readFile(current.file);
  const ending: Ending = current?.version === String(index) ? "installed" : "refused";
  count[ending] += 1;
  if (ending !== kind.ends) result.wrongEnding.push(`${label}: ${ending}`);
  const expected = ending === "installed" ? content : right;
  const isRight = inUse === undefined ? expected === undefined : expected?.equals(inUse) === true;
  const { length: versions } = await store.list();
  if (!isRight || versions > (right === undefined ? 1 : 2))
    result.activated.push(`${label}: what is in use is another file`);
  const isResumed = server.requests.some(({ range }) => range !== undefined);
  if (isResumed) count.resumed += 1;
  if (kind.resumes === true && round.firstBytes > 0 && !isResumed) result.notResumed.push(label);
  const hidden = (await readdir(store.folder).catch(() => [])).filter((name) => name.startsWith("."));
  if (hidden.length > 0) result.leftBehind.push(`${label}: ${hidden.join(", ")}`);
  const previous = await store.previous();
  if (ending === "installed" && previous !== undefined) await store.remove(previous);
  return isRight ? expected : inUse;
}

function describe(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return error.cause === undefined ? error.message : `${error.message}, but: ${describe(error.cause)}`;
}
