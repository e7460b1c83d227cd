import { atMost, rounded, type BenchTable, type Verdict } from "../bench/table.ts";
import { fuzzDaemon, fuzzInbox, growthMb, type FuzzResult } from "../lib/remote-fuzz-run.ts";

const requests = Number(process.env["FRAMEPOST_REMOTE_REQUESTS"] ?? 100_000);
/** Over the broker; the rest goes into an inbox at full rate. */
const brokerShare = 0.2;

/** `npm run test:endurance -- remote-fuzz` */
export async function remoteFuzz(seed: number): Promise<BenchTable> {
  const overBroker = Math.round(requests * brokerShare);
  const daemon = await fuzzDaemon({ count: overBroker, seed });
  const inbox = await fuzzInbox({ count: requests - overBroker, seed: seed + 1 });
  const both = [inbox, daemon];
  const codes = [...new Set(both.flatMap(({ words }) => [...words.keys()]))].toSorted();
  for (const { mistakes } of both) for (const line of mistakes.slice(0, 5)) process.stdout.write(`${line}\n`);
  return {
    title: `Commands: ${requests} malformed requests`,
    columns: ["what", "into an inbox, without its rate limit", "to the daemon, over Mosquitto"],
    rows: [
      ["messages sent", ...both.map(({ sent }) => sent)],
      ["of them requests to this device", ...both.map((each) => each.requests)],
      ["final replies", ...both.map(({ finals }) => finals)],
      ["of those spoken for, there was no room for", ...both.map(({ missed }) => missed)],
      ["spoken for by another's reply", ...both.map(({ unanswered }) => unanswered)],
      ...codes.map((code) => [`replies ${code}`, ...both.map(({ words }) => words.get(code) ?? 0)] as const),
      ["memory at the end, MB", ...both.map(({ memoryMb }) => rounded(memoryMb.at(-1) ?? NaN, 1))],
    ],
    verdicts: [...verdicts("inbox", inbox), ...verdicts("daemon", daemon)],
    notes: [
      "Random bytes and JSON, cut and flipped requests, fields of wrong types, strange topics, retained ones, up to 125 KB, nested up to 60,000 deep, forged and stale signatures, replays. One request among them is right and well signed: its effect has to happen once. Each memory is the heap after a collection (inbox) or the process's own pages (daemon).",
    ],
  };
}

function verdicts(where: string, found: FuzzResult): readonly Verdict[] {
  const missing = found.requests - found.finals - found.unanswered;
  const exactly = (name: string, value: number, bound: number): Verdict => ({
    name: `${where}: ${name}`,
    ...{ value, bound: String(bound), holds: value === bound },
  });
  return [
    exactly("requests neither answered nor counted", missing, 0),
    exactly("effects", found.effects, 1),
    exactly("unexpected errors", found.mistakes.length, 0),
    atMost(
      `${where}: growth of memory, second half over first`,
      rounded(growthMb(found.memoryMb), 2),
      where === "inbox" ? 3 : 10,
      "MB",
    ),
  ];
}
