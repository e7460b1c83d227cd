import { setTimeout as delay } from "node:timers/promises";
import { RemoteDaemon } from "./remote-daemon.ts";
import { seededRandom } from "./seams.ts";
import { tempFolder } from "./temp.ts";
import { until } from "./poll.ts";

const cameras = ["c1", "c2", "c3", "c4"] as const;

export interface RemoteKills {
  readonly kills: number;
  readonly requests: number;
  /** By their final word. */
  readonly done: number;
  readonly interrupted: number;
  readonly other: readonly string[];
  /** Records in the folder, and how many of them belong to a request that was answered `interrupted`. */
  readonly records: number;
  readonly recordsOfInterrupted: number;
  /** Requests with two different final words. */
  readonly contradicted: readonly string[];
  /** Done, and not or not once in the folder. */
  readonly missing: readonly string[];
  /** Records that no request can have made: a second effect. */
  readonly extra: readonly string[];
  /** Requests sent twice, on purpose. */
  readonly repeated: number;
}

interface Asked {
  readonly id: string;
  readonly camera: string;
}

/**
 * Snapshots are asked for, one of each camera a round and one of them twice, and the daemon is killed at a random moment.
 * The broker keeps what it had not acknowledged. A request is for one camera, and there is one a round for it, so that
 * each record can be told to be some request's.
 */
export async function remoteKills({
  rounds,
  seed,
}: {
  readonly rounds: number;
  readonly seed: number;
}): Promise<RemoteKills> {
  await using folder = await tempFolder();
  await using daemon = await new RemoteDaemon(folder.path).start(cameras);
  const random = seededRandom(seed);
  const asked: Asked[] = [];
  await daemon.launch();
  for (let round = 0; round < rounds; round += 1) {
    const now = cameras.map((camera) => ({ id: `r${round}-${camera}`, camera }));
    asked.push(...now);
    const twice = now[Math.floor(random() * now.length)] ?? now[0];
    for (const { id, camera } of [...now, ...(twice === undefined ? [] : [twice])]) {
      await daemon.send("snapshot", { id, args: { camera } });
    }
    await delay(random() * 1_200);
    await daemon.kill();
    await daemon.launch();
    await daemon.untilFinal(now.map(({ id }) => id));
  }
  await drained(daemon);
  await daemon.agent.stop();
  return judged(daemon, asked, rounds, await daemon.records());
}

/** Until the folder has every record that a reply names, and grows no more. */
async function drained(daemon: RemoteDaemon): Promise<void> {
  let before = -1;
  await until(
    async () => {
      const ids = [...(await daemon.records()).values()].flat();
      const isWhole = daemon.finals().every((reply) => reply.state !== "done" || ids.includes(recordOf(reply) ?? ""));
      const isStill = ids.length === before;
      before = ids.length;
      await delay(500);
      return isWhole && isStill;
    },
    "the folder has every record",
    30_000,
  ).catch(() => undefined);
}

function recordOf({ data }: { readonly data?: object }): string | undefined {
  return data !== undefined && "record" in data ? String(data.record) : undefined;
}

function judged(
  daemon: RemoteDaemon,
  asked: readonly Asked[],
  kills: number,
  records: ReadonlyMap<string, readonly string[]>,
): RemoteKills {
  const found = { done: 0, interrupted: 0, recordsOfInterrupted: 0 };
  const other: string[] = [];
  const contradicted: string[] = [];
  const missing: string[] = [];
  const extra: string[] = [];
  for (const camera of cameras) {
    const made = records.get(camera) ?? [];
    // In the order in which they were asked for: between two that are done only the interrupted ones may have left some.
    let at = 0;
    let mayHave = 0;
    for (const { id } of asked.filter((each) => each.camera === camera)) {
      const finals = daemon.finalsTo(id);
      const words = new Set(finals.map(({ state, code }) => `${state}/${code}`));
      const named = new Set(finals.map(recordOf));
      if (words.size !== 1 || named.size !== 1) contradicted.push(`${id}: ${[...words].join(" ")}`);
      const [word = "none"] = words;
      if (word === "failed/interrupted") {
        found.interrupted += 1;
        mayHave += 1;
      } else if (word === "done/ok") {
        found.done += 1;
        const place = made.indexOf([...named][0] ?? "", at);
        if (place === -1) missing.push(id);
        else {
          const between = place - at;
          found.recordsOfInterrupted += Math.min(between, mayHave);
          if (between > mayHave) extra.push(...made.slice(at, place).slice(mayHave));
          at = place + 1;
          mayHave = 0;
        }
      } else other.push(`${id} ${word}`);
    }
    const rest = made.length - at;
    found.recordsOfInterrupted += Math.min(rest, mayHave);
    if (rest > mayHave) extra.push(...made.slice(at).slice(mayHave));
  }
  const counts = { kills, requests: asked.length, records: [...records.values()].flat().length, repeated: kills };
  return { ...counts, ...found, other, contradicted, missing, extra };
}
