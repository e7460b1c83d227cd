import type { BenchTable, Verdict } from "../bench/table.ts";
import { storm, type StormOutcome, type StormResult } from "../lib/storm.ts";
import { type StormKind, stormPlatforms } from "../lib/storm-platforms.ts";

const records = Number(process.env["FRAMEPOST_STORM_RECORDS"] ?? 1_000);
const kills = 5;
const brokenShare = 0.05;
const hurry = 60;
const imageBytes = 200_000;

/** `npm run test:endurance -- platforms` */
export async function platforms(seed: number): Promise<BenchTable> {
  const kinds = Object.keys(stormPlatforms) as StormKind[];
  const limitMs = 45 * 60_000;
  const outcome = await storm({ kinds, records, imageBytes, brokenShare, kills, hurry, seed, limitMs });
  return tableOf(outcome);
}

function tableOf({ platforms: results, findings }: StormOutcome): BenchTable {
  for (const { kind, violations } of results) {
    for (const violation of violations.slice(0, 5)) process.stdout.write(`${kind}: ${violation}\n`);
  }
  for (const finding of findings.slice(0, 5)) process.stdout.write(`${finding}\n`);
  return {
    title: `Platforms: ${records} records of ${imageBytes / 1_000} KB to each, ${brokenShare * 100} % of the answers broken, ${kills} times kill -9`,
    columns: [
      "platform",
      "requests",
      "answers broken (kinds)",
      "there",
      "missing",
      "copies",
      "came again, recognised by",
      "refused, then sent again by hand",
      "violations (after an untrue success)",
      "s at most",
    ],
    rows: results.map(rowOf),
    verdicts: [
      none("missing", sumOf(results, "missing")),
      none(
        "contract violations",
        results.reduce((sum, { violations }) => sum + violations.length, 0),
      ),
      none(
        "copies that no lost answer and no kill explains",
        results.reduce((sum, one) => sum + unexplained(one), 0),
      ),
      none(
        "records set aside without a refusal",
        results.reduce((sum, one) => sum + setAsideWrongly(one), 0),
      ),
      none("findings in the spool afterwards", findings.length),
    ],
    notes: [
      `One agent with all targets, its spool filled beforehand. Its clock runs ${hurry} times as fast (10 times for what lasts up to a second), and with it every
back-off, every deadline of a call, and what a target waits for its platform; the platforms and the network run at their
own pace. Every fault of a platform's list comes in turn, at any request.`,
      `What is refused with a 400, 406, 409, 413, 415 or 422, or where LayerNext answers 204 about a label, is set aside, as these
answers ask for, and made due again with \`queue retry\` once the platforms are well. An untrue success is a 2xx for a step
that the platform has not done: LayerNext's 204 for an upload, remo's 200 with another session. The agent cannot tell, goes
on, is refused, and begins that part anew.`,
      `Copies: a call that is cut off by a kill or by its deadline may have sent all its records. Custom Vision gets two images
a request, so that there are enough requests for its faults.`,
    ],
  };
}

function rowOf(result: StormResult): readonly (string | number)[] {
  const {
    kind,
    requests,
    broken,
    there,
    missing,
    copies,
    copiesMax,
    recognised,
    tellsBy,
    refused,
    violations,
    misled,
    seconds,
  } = result;
  const brokenAnswers = [...broken.values()].reduce((sum, count) => sum + count, 0);
  const refusals = [...refused].map(([code, count]) => `${count} ${code}`).join(", ");
  return [
    kind,
    requests,
    `${brokenAnswers} (${broken.size})`,
    there,
    missing,
    copiesMax === 0 ? copies : `${copies} of ${copiesMax} possible`,
    `${recognised}, ${tellsBy}`,
    refusals === "" ? "0" : refusals,
    `${violations.length} (${misled})`,
    Math.round(seconds),
  ];
}

function unexplained({ copies, copiesMax }: StormResult): number {
  return Math.max(0, copies - copiesMax);
}

/** The platform's own word about a record is what sets it aside, and nothing else. */
function setAsideWrongly({ refused }: StormResult): number {
  return [...refused].reduce(
    (sum, [code, count]) =>
      /^(HTTP_4(00|06|09|11|13|15|22)|IMAGE_TOO_LARGE|LABEL_UNKNOWN)$/.test(code) ? sum : sum + count,
    0,
  );
}

function sumOf(results: readonly StormResult[], key: "missing"): number {
  return results.reduce((sum, result) => sum + result[key], 0);
}

function none(name: string, value: number): Verdict {
  return { name, value, bound: "0", holds: value === 0 };
}
