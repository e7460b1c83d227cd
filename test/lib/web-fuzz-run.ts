import { join } from "node:path";
import { DaemonBench } from "./daemon-bench.ts";
import { until } from "./poll.ts";
import { memoryOf } from "./process-memory.ts";
import { rawExchange, request } from "./raw-http.ts";
import { formsOf, planted } from "./secret-search.ts";
import { seededRandom } from "./seams.ts";
import { unusedPort } from "./servers.ts";
import { WebFuzz } from "./web-fuzz.ts";

export interface WebFuzzResult {
  readonly sent: number;
  /** Answers by status; 0 where the connection ended without one. */
  readonly statuses: ReadonlyMap<number, number>;
  /** Answers with something of this device in them. */
  readonly leaks: readonly string[];
  /** Answers that a stranger should not have got. */
  readonly served: readonly string[];
  /** Of the owner's own request, while the others come. */
  readonly ownAnswerMs: readonly number[];
  /** Accepted by the target: before, and in the end. */
  readonly delivered: readonly [number, number];
  readonly memoryMb: readonly number[];
  /** Lines of the log that speak of a fault. */
  readonly mistakes: readonly string[];
}

const atOnce = 16;
const samplesMax = 12;

/** Without the token there is this, and the page's own files. */
const open = /^(GET|HEAD|POST) \/login[? ]|^(GET|HEAD) \/static\//;

/** To a daemon that works meanwhile: a simulated camera, and a data set. */
export async function fuzzWeb({
  count,
  seed,
}: {
  readonly count: number;
  readonly seed: number;
}): Promise<WebFuzzResult> {
  await using bench = await DaemonBench.make();
  const token = planted("token");
  const header = token.core;
  const port = await unusedPort();
  const agent = await bench.start({
    cameras: [{ id: "scene", driver: "simulated", interval: "200ms" }],
    targets: [{ id: "set", kind: "folder", path: join(bench.folder, "set") }],
    web: { listen: `127.0.0.1:${port}`, token: header },
  });
  const own = async (path: string) => {
    const startedMs = performance.now();
    const headers = { host: "localhost", authorization: `Bearer ${header}` };
    const { status, text } = await rawExchange(port, request(`GET ${path} HTTP/1.1`, headers), { withinMs: 10_000 });
    return { status, text, tookMs: performance.now() - startedMs };
  };
  // From another address of loopback, so that its tokens are not held against the owner.
  const accepted = async () =>
    Number(
      /uploads_total\{target="set",outcome="accepted",code=""\} (\d+)/.exec((await own("/metrics")).text)?.[1] ?? 0,
    );
  await until(async () => (await accepted()) > 2, "records are delivered", 20_000);
  const before = await accepted();
  const secrets = [...formsOf(header).values(), bench.folder, "node_modules", "node:internal", "scene"];
  const fuzz = new WebFuzz(port, seededRandom(seed));
  const statuses = new Map<number, number>();
  const [leaks, served, memoryMb, ownAnswerMs]: [string[], string[], number[], number[]] = [[], [], [], []];
  const batch = Math.ceil(count / samplesMax);
  for (let sent = 0; sent < count; sent += batch) {
    let left = Math.min(batch, count - sent);
    const worker = async () => {
      while (left > 0) {
        left -= 1;
        const bytes = fuzz.next();
        const { status, text } = await rawExchange(port, bytes, { from: "127.0.0.2", withinMs: 250 });
        statuses.set(status, (statuses.get(status) ?? 0) + 1);
        const shown = JSON.stringify(bytes.toString("latin1").slice(0, 200));
        if (secrets.some((secret) => text.includes(secret))) leaks.push(shown);
        if (status >= 200 && status < 300 && !open.test(bytes.toString("latin1"))) served.push(`${status} ${shown}`);
      }
    };
    await Promise.all(Array.from({ length: atOnce }, worker));
    const answer = await own("/livez");
    if (answer.status !== 200) served.push(`the owner got ${answer.status}`);
    ownAnswerMs.push(answer.tookMs);
    memoryMb.push((await memoryOf(agent.pid)).ownMb);
  }
  const delivered = [before, await accepted()] as const;
  const mistakes = agent.stderr.filter((line) => /request_failed|web\.failed|UNEXPECTED|Error:/.test(line));
  await agent.stop();
  return { sent: count, statuses, leaks, served, ownAnswerMs, delivered, memoryMb, mistakes };
}
