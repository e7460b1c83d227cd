import type { BenchTable, Verdict } from "../bench/table.ts";
import { remoteKills } from "../lib/remote-kills.ts";

const rounds = Number(process.env["FRAMEPOST_REMOTE_KILLS"] ?? 200);

/** `npm run test:endurance -- remote-kill` */
export async function remoteKill(seed: number): Promise<BenchTable> {
  const found = await remoteKills({ rounds, seed });
  const none = (name: string, list: readonly string[]): Verdict => {
    for (const each of list.slice(0, 8)) process.stdout.write(`${name}: ${each}\n`);
    return { name, value: list.length, bound: "0", holds: list.length === 0 };
  };
  return {
    title: `Commands: ${rounds} times kill -9 of the daemon while snapshots are asked for`,
    columns: ["what", "number"],
    rows: [
      ["requests with an effect", found.requests],
      ["of them sent twice", found.repeated],
      ["done", found.done],
      ["answered failed/interrupted", found.interrupted],
      ["of those the effect had happened", found.recordsOfInterrupted],
      ["records in the folder", found.records],
    ],
    verdicts: [
      none("effects that happened twice, or that nobody asked for", found.extra),
      none("done and not in the folder", found.missing),
      none("requests with two different final replies", found.contradicted),
      none("answered otherwise, or not at all", found.other),
      {
        name: "interrupted by a kill",
        value: found.interrupted,
        bound: "≥ 1: the moments are telling",
        holds: found.interrupted > 0,
      },
    ],
    notes: [
      "Each round asks for a snapshot of each of four cameras, for one of them twice, over Mosquitto with MQTT 5, kills the daemon's process group within 1.2 s, and starts it again. The visible effect is a record in a folder target.",
    ],
  };
}
