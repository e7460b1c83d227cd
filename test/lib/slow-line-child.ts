import { execFileSync } from "node:child_process";
import { IotownSandbox } from "../../src/sandbox/iotown/server.ts";
import { until } from "./poll.ts";
import { benchToken, TransportBench } from "./transport-bench.ts";

/**
 * The delivery loop and its server on the loopback of a network namespace of their own, where a line can be bad: run by
 * `unshare --net`. Arguments: what the line does, and how many records of which size go over it. Prints what came of it.
 */

const run = (program: string, words: string): void => {
  execFileSync(program, words.split(" "), { stdio: ["ignore", "ignore", "inherit"] });
};

/** A rule for what comes in; `ip` and `tc` find lo, `nft` all there is. */
function drop(rule: string): void {
  run("nft", "add table inet line");
  run("nft", "add chain inet line input { type filter hook input priority 0 ; }");
  run("nft", `add rule inet line input ${rule} drop`);
}

const [how = "", count = "", sizeBytes = ""] = process.argv.slice(2);
run("ip", "link set lo up mtu 1500");
await using bench = await TransportBench.open({ hurry: how === "slow" ? 4 : 20 });
const sandbox = bench.use(new IotownSandbox({ token: benchToken }));
const { url } = await sandbox.start();

if (how === "slow") {
  run("tc", "qdisc add dev lo root tbf rate 2mbit burst 5kb latency 400ms");
  drop("numgen random mod 100 < 2");
}
const [first = "", ...more] = await bench.append(Number(count), Number(sizeBytes));
const startedMs = performance.now();
const loop = await bench.town(url);
let noticedMs = 0;
if (how === "cut") {
  await until(() => sandbox.counts().accepted >= 1, "the first record arrives");
  // The connection stays open on both sides, and nothing goes over it any more.
  drop("meta l4proto tcp");
  await bench.append(1, Number(sizeBytes));
  loop.flush(10);
  await until(() => loop.health().state === "away", "it is noticed", 15_000);
  noticedMs = performance.now() - startedMs;
  run("nft", "delete table inet line");
  loop.flush(10);
}
await bench.settled(loop);
const tookMs = performance.now() - startedMs;
const stored = new Set(sandbox.stored().map(({ sha256 }) => sha256));
const lost = [first, ...more].filter((sha256) => !stored.has(sha256)).length;
const { violations } = sandbox.counts();
process.stdout.write(`${JSON.stringify({ stored: stored.size, lost, violations, tookMs, noticedMs })}\n`);
