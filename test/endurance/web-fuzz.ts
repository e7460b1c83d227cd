import { atLeast, atMost, rounded, type BenchTable } from "../bench/table.ts";
import { growthMb } from "../lib/remote-fuzz-run.ts";
import { fuzzWeb } from "../lib/web-fuzz-run.ts";

const requests = Number(process.env["FRAMEPOST_WEB_REQUESTS"] ?? 10_000);

/** `npm run test:endurance -- web-fuzz` */
export async function webFuzz(seed: number): Promise<BenchTable> {
  const found = await fuzzWeb({ count: requests, seed });
  const { statuses, leaks, served, ownAnswerMs, delivered, memoryMb, mistakes } = found;
  for (const line of [...leaks, ...served, ...mistakes].slice(0, 10)) process.stdout.write(`${line}\n`);
  const slowestMs = rounded(Math.max(...ownAnswerMs), 1);
  const growth = rounded(growthMb(memoryMb), 2);
  return {
    title: `The web server: ${requests} requests of a stranger`,
    columns: ["what", "number"],
    rows: [
      ["requests sent", found.sent],
      ...[...statuses].toSorted(([a], [b]) => a - b).map(([status, count]) => [statusText(status), count] as const),
      ["the owner's slowest answer meanwhile, ms", slowestMs],
      ["records delivered meanwhile", delivered[1] - delivered[0]],
      ["memory at the end, MB", rounded(memoryMb.at(-1) ?? NaN, 1)],
    ],
    verdicts: [
      atMost("answers that hold a secret, a path or a name", leaks.length, 0),
      atMost("requests served without the token", served.length, 0),
      atMost("faults in the log", mistakes.length, 0),
      atMost("the owner's slowest answer", slowestMs, 1_000, "ms"),
      atLeast("records delivered meanwhile", delivered[1] - delivered[0], 1),
      atMost("growth of memory, second half over first", growth, 10, "MB"),
    ],
    notes: [
      "Sixteen at a time, to a daemon with a simulated camera and a data set: wrong hosts, origins, tokens, methods and paths, bodies and headers that are too large, lengths that do not fit, cut and flipped requests, random bytes, and two requests in one. Only the login page and the page's own files are served to a stranger.",
    ],
  };
}

function statusText(status: number): string {
  return status === 0 ? "ended or left without an answer" : `answers ${status}`;
}
