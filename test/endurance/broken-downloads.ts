import type { BenchTable, Verdict } from "../bench/table.ts";
import { brokenRounds, downloadKinds, killedDownload } from "../lib/broken-downloads.ts";
import { releaseKinds } from "../lib/broken-releases.ts";

const rounds = Number(process.env["FRAMEPOST_BROKEN_ROUNDS"] ?? 200);

/** `npm run test:endurance -- broken-downloads` */
export async function brokenDownloads(seed: number): Promise<BenchTable> {
  const result = await brokenRounds(rounds, seed, [...downloadKinds, killedDownload, ...releaseKinds]);
  const { kinds, activated, leftBehind, notResumed, wrongEnding } = result;
  const none = (name: string, found: readonly string[]): Verdict => {
    for (const example of found.slice(0, 5)) process.stdout.write(`${name}: ${example}\n`);
    return { name, value: found.length, bound: "0", holds: found.length === 0 };
  };
  return {
    title: `Models: ${rounds} broken downloads`,
    columns: ["what is broken", "rounds", "right model in use in the end", "refused", "went on with what was there"],
    rows: kinds.map(({ name, rounds: count, installed, refused, resumed }) => [
      name,
      count,
      installed,
      refused,
      resumed,
    ]),
    verdicts: [
      none("a wrong or partial file in use, or installed", activated),
      none("anything left behind", leftBehind),
      none("begun anew where it could have gone on", notResumed),
      none("refused what was right, or took what was not", wrongEnding),
    ],
  };
}
