import { setTimeout as delay } from "node:timers/promises";
import { seededRandom } from "../lib/seams.ts";
import { isInstalled } from "../lib/programs.ts";
import { type TroubleCounts, TroubledBroker, type TroubleOptions } from "../lib/troubled-broker.ts";
import { atMost, type BenchTable, rounded, type Verdict } from "../bench/table.ts";
import { leftOut } from "./suite.ts";

const restarts = Number(process.env["FRAMEPOST_BROKER_RESTARTS"] ?? 100);
const freezes = 5;
const denials = 10;
const hurry = 10;
const backMaxMs = 60_000 + 15_000;

/** A tenth of what is in force otherwise, as the hurried clock has it. */
const hurriedTiming = { keepaliveSeconds: 3, connectTimeoutMs: 1_000, ackTimeoutMs: 3_000 };

interface Outcome {
  readonly what: string;
  readonly protocol: string;
  readonly backMs: readonly number[];
  readonly counts: TroubleCounts;
}

/** `npm run test:endurance -- remote-broker` */
export async function remoteBroker(seed: number): Promise<BenchTable> {
  const title = `Remote control: broker restarted ${restarts} times, frozen, closed to the device, refusing sizes`;
  const missing = ["mosquitto", "mosquitto_passwd"].find((program) => !isInstalled(program));
  if (missing !== undefined) return leftOut(title, `no ${missing} on this machine`);
  const random = seededRandom(seed);
  const outcomes = await Promise.all(
    (["5", "3.1.1"] as const).flatMap((protocol) => {
      const options = { protocol, hurry, timing: hurriedTiming, requestEveryMs: 200, random };
      const how = () => (random() < 0.5 ? "SIGKILL" : "SIGTERM");
      const slowly = { ...options, hurry: 1, timing: {}, requestEveryMs: 1_100 };
      return [
        trouble("restarted", options, restarts, (at) => at.restart(100 + random() * 1_000, how())),
        trouble("frozen for 2 minutes, nothing hurried", slowly, 1, (at) => at.freeze(120_000)),
        otherTroubles(options),
      ];
    }),
  );
  return tableOf(title, outcomes.flat());
}

/** One after the other: each is a broker and a device of its own. */
async function otherTroubles(options: TroubleOptions): Promise<readonly Outcome[]> {
  const { protocol } = options;
  const silent = protocol === "5" ? ["res/#", "availability", "info"] : ["availability", "status"];
  return [
    await trouble("frozen for 2 minutes", options, freezes, (at) => at.freeze(120_000 / hurry)),
    await trouble("login refused for 20 s", options, denials, (at) => at.refuseLogin(2_000)),
    await trouble(`writing refused for 20 s`, options, denials, (at) => at.refuseWriting(silent, 2_000)),
    await sizes("max_packet_size 20000", options),
    await sizes("message_size_limit 20000", options),
  ];
}

async function sizes(line: string, options: TroubleOptions): Promise<Outcome> {
  const once = async () => {
    await delay(20_000);
    return 0;
  };
  return trouble(line, { ...options, lines: [line] }, 1, once);
}

async function trouble(
  what: string,
  options: TroubleOptions,
  times: number,
  happen: (troubled: TroubledBroker) => Promise<number>,
): Promise<Outcome> {
  await using troubled = await new TroubledBroker(options).start();
  const backMs = [];
  // Requests come before, between and after.
  const pause = () => delay(options.requestEveryMs * (3 + 5 * options.random()));
  for (let n = 0; n < times; n += 1) {
    await pause();
    backMs.push(await happen(troubled));
    await pause();
  }
  const counts = await troubled.settle(30_000);
  const { protocol } = options;
  process.stdout.write(`${what}, MQTT ${protocol}: ${JSON.stringify(counts)} ${JSON.stringify(troubled.health())}\n`);
  return { what, protocol, backMs, counts };
}

function tableOf(title: string, outcomes: readonly Outcome[]): BenchTable {
  const sum = (key: keyof TroubleCounts) => outcomes.reduce((total, { counts }) => total + counts[key], 0);
  const none = (name: string, value: number): Verdict => ({ name, value, bound: "0", holds: value === 0 });
  const backMs = outcomes.flatMap((outcome) => outcome.backMs);
  return {
    title,
    columns: [
      "broker",
      "MQTT",
      "times",
      "s until back, median (most)",
      "requests received of sent",
      "without a final reply",
      "with two",
      "replies shortened",
      "letters sent again",
      "effects (twice)",
    ],
    rows: outcomes.map(({ what, protocol, backMs: back, counts }) => [
      ...[what, protocol, back.length, secondsOf(back)],
      ...[`${counts.received} of ${counts.sent}`, counts.missing, counts.surplus, counts.shortened],
      ...[counts.resent, `${counts.effects} (${counts.twice})`],
    ]),
    verdicts: [
      atMost("s until back, at the most", rounded(Math.max(...backMs) / 1_000, 1), backMaxMs / 1_000, "s"),
      none("requests received without a final reply", sum("missing")),
      none("requests with more final replies than they were received", sum("surplus")),
      none("requests above the rate limit", sum("busy")),
      none("effects that happened twice", sum("twice")),
      { name: "requests received", value: sum("received"), bound: "≥ 1000", holds: sum("received") >= 1_000 },
    ],
    notes: [
      `The device's own clock runs ${hurry} times as fast, and keep-alive, time to connect and time to acknowledge are a tenth of
theirs, so that waiting is shortened and nothing else; only the row that says so waits as long as a device does. Seconds
are the device's. They count from when the broker is there again to a device that is connected, subscribed, and sure that
nobody else has its name. Half of the restarts are kill -9; the broker keeps nothing over them, so what it held is lost:
those are the requests that were sent and not received.`,
      `Every request has an id; a third have an effect, a tenth want a reply of 30 KB. A letter is sent again where the
connection broke before it was acknowledged: it is the same to the byte, with the same seq, and counts once. Writing is
refused by the access list. On MQTT 5 that covers the replies, which then wait; Mosquitto acknowledges on 3.1.1 what it
throws away for that, which nobody can see, so there it covers only the presence.`,
    ],
  };
}

function secondsOf(values: readonly number[]): string {
  const sorted = values.toSorted((a, b) => a - b);
  const [middle = 0, most = 0] = [sorted[Math.floor(sorted.length / 2)], sorted.at(-1)];
  return `${rounded(middle / 1_000, 1)} (${rounded(most / 1_000, 1)})`;
}
