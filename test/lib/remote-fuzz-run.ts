import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import type { Reply } from "../../src/remote/reply.ts";
import { Topics } from "../../src/remote/topics.ts";
import { until } from "./poll.ts";
import { memoryOf } from "./process-memory.ts";
import { RemoteDaemon } from "./remote-daemon.ts";
import { fuzzKey, RequestFuzz } from "./remote-fuzz.ts";
import { RequestBench } from "./request-bench.ts";
import { seededRandom } from "./seams.ts";
import { tempFolder } from "./temp.ts";
import { TraceCommands } from "./trace-commands.ts";

export interface FuzzResult {
  readonly sent: number;
  /** Of them on a topic that asks for something. */
  readonly requests: number;
  readonly finals: number;
  /** Above the rate limit, spoken for by the reply to another one. */
  readonly unanswered: number;
  readonly words: ReadonlyMap<string, number>;
  /** That the link had no room for, by its own count. */
  readonly missed: number;
  /** One is asked for, rightly. */
  readonly effects: number;
  /** Errors that no request should bring about. */
  readonly mistakes: readonly string[];
  /** Megabytes, at equal distances. */
  readonly memoryMb: readonly number[];
}

/** Also the pauses over the broker, in which what was sent is worked off. */
const samplesMax = 12;

/** At full rate, into an inbox whose rate limit is lifted. */
export async function fuzzInbox({
  count,
  seed,
}: {
  readonly count: number;
  readonly seed: number;
}): Promise<FuzzResult> {
  await using folder = await tempFolder();
  const trace = new TraceCommands();
  const words = new Map<string, number>();
  let finals = 0;
  const bench = await new RequestBench({
    ...{ commands: trace.commands, folder: folder.path },
    access: { keys: [{ ...fuzzKey, scopes: [...fuzzKey.scopes] }], unsigned: ["read"] },
    parts: {
      reply: ({ answer: { state, code }, settled }) => {
        if (state === "accepted" || state === "progress") return;
        finals += 1;
        words.set(`${state}/${code}`, (words.get(`${state}/${code}`) ?? 0) + 1);
        settled?.();
      },
    },
  }).start();
  const fuzz = new RequestFuzz(
    { effect: "mark", args: { n: 7 }, commands: ["look", "slow", "secret"] },
    seededRandom(seed),
  );
  const topics = new Topics("framepost", "gw");
  await bench.send("mark", fuzz.first);
  let requests = 1;
  const memoryMb: number[] = [];
  for (let sent = 0; sent < count; sent += 1) {
    const message = fuzz.next();
    if (topics.request(message.topic) !== undefined) requests += 1;
    await bench.take(message.topic, message.payload, message);
    if (sent % Math.ceil(count / Math.min(samplesMax, Math.ceil(count / 250))) === 0) memoryMb.push(heapMb());
    // Only effects and questions remain for traces; they are few, and counted.
    if (sent % 1_000 === 0)
      trace.traces.splice(0, trace.traces.length, ...trace.traces.filter(({ name }) => name !== "look"));
  }
  await bench.stop();
  memoryMb.push(heapMb());
  const mistakes = bench.log.lines
    .filter(({ event }) => event !== "remote.effect")
    .map(({ event, fields }) => `${event} ${JSON.stringify(fields)}`);
  return {
    sent: count + 1,
    requests,
    finals,
    unanswered: 0,
    missed: 0,
    words,
    effects: trace.numbers().length,
    mistakes,
    memoryMb,
  };
}

/** Over a real broker, to the daemon with its rate limit. */
export async function fuzzDaemon({
  count,
  seed,
}: {
  readonly count: number;
  readonly seed: number;
}): Promise<FuzzResult> {
  await using folder = await tempFolder();
  await using daemon = await new RemoteDaemon(folder.path).start(["c1"], { keys: [fuzzKey], groups: ["yard"] });
  await daemon.launch();
  const target = { effect: "snapshot", args: { camera: "c1" }, commands: ["ping", "status", "info", "restart"] };
  const fuzz = new RequestFuzz(target, seededRandom(seed));
  await daemon.send("snapshot", fuzz.first);
  await daemon.untilFinal(["the-one"]);
  let requests = 1;
  const memoryMb: number[] = [];
  const batch = Math.ceil(count / Math.min(samplesMax, Math.ceil(count / 250)));
  for (let sent = 0; sent < count; sent += batch) {
    const messages = Array.from({ length: Math.min(batch, count - sent) }, () => fuzz.next());
    requests += messages.filter(({ topic }) => /^framepost\/(gw|all|group\/yard)\/cmd\/[^/]*$/.test(topic)).length;
    await Promise.all(
      messages.map(async ({ topic, payload, retain, responseTopic, correlationData }) => {
        const properties = {
          ...(responseTopic === undefined ? {} : { responseTopic }),
          ...(correlationData === undefined ? {} : { correlationData }),
        };
        await daemon.publish(topic, payload, { retain, properties });
      }),
    );
    requests += await answeredPings(daemon, `batch-${sent}`);
    memoryMb.push((await memoryOf(daemon.agent.pid)).ownMb);
  }
  const unansweredNow = () => daemon.finals().reduce((sum, reply) => sum + unansweredBy(reply), 0);
  const missed = await missedBy(daemon);
  requests += missed.asked;
  // The last of the flood are spoken for within a second.
  const isWhole = () => daemon.finals().length + unansweredNow() >= requests;
  await until(isWhole, "all are answered or counted", 5_000).catch(() => undefined);
  const finals = daemon.finals();
  const unanswered = unansweredNow();
  const words = new Map<string, number>();
  for (const { state, code } of finals) words.set(`${state}/${code}`, (words.get(`${state}/${code}`) ?? 0) + 1);
  const mistakes = daemon.agent.stderr.filter((line) => /request_failed|command_failed|UNEXPECTED|Error:/.test(line));
  await daemon.agent.stop();
  const effects = [...(await daemon.records()).values()].flat().length;
  return {
    sent: count + 1,
    requests,
    finals: finals.length,
    unanswered,
    missed: missed.count,
    words,
    effects,
    mistakes,
    memoryMb,
  };
}

/** Until one is answered, which is when everything before it was looked at. Resolves with how many it took. */
async function answeredPings(daemon: RemoteDaemon, name: string): Promise<number> {
  for (let count = 1; count <= 60; count += 1) {
    const id = `${name}-${count}`;
    await daemon.send("ping", { id });
    const isAnswered = await daemon.untilFinal([id], 1_100).then(
      () => true,
      () => false,
    );
    if (isAnswered) return count;
  }
  throw new Error("the daemon answers no ping");
}

/** As the daemon says itself, in how many tries. */
async function missedBy(daemon: RemoteDaemon): Promise<{ readonly count: number; readonly asked: number }> {
  for (let asked = 1; asked <= 60; asked += 1) {
    const id = `status-${asked}`;
    await daemon.send("status", { id });
    await daemon.untilFinal([id], 1_100).catch(() => undefined);
    const [reply] = daemon.finalsTo(id);
    const link = reply?.data !== undefined && "link" in reply.data ? reply.data.link : undefined;
    if (typeof link === "object" && link !== null && "missed" in link) {
      return { count: Number(link.missed), asked };
    }
  }
  throw new Error("the daemon says no status");
}

/** Besides the one that it answers. */
function unansweredBy({ code, data }: Reply): number {
  return code === "busy" && data !== undefined && "unanswered" in data ? Number(data.unanswered) - 1 : 0;
}

let collect: (() => void) | undefined;

function heapMb(): number {
  setFlagsFromString("--expose-gc");
  collect ??= runInNewContext("gc") as () => void;
  collect();
  return process.memoryUsage().heapUsed / 1_048_576;
}

/** Of the later half over the earlier one, without the first samples, in which everything is loaded. */
export function growthMb(memoryMb: readonly number[]): number {
  const settled = memoryMb.slice(2);
  const half = Math.floor(settled.length / 2);
  const middle = (list: readonly number[]) => list.toSorted((a, b) => a - b)[Math.floor(list.length / 2)] ?? NaN;
  return middle(settled.slice(half)) - middle(settled.slice(0, half));
}
