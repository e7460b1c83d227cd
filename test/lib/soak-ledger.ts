import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import type { LogLine } from "./agent.ts";

/** What became of one target's records, by the agent's word and by what lies there. */
export interface TargetTally {
  readonly arrived: number;
  /** Copies beyond the first. */
  readonly again: number;
  readonly missing: number;
  /** Not accepted by the agent's own word: each of them has to be counted as lost. */
  readonly givenUp: number;
  /** Accepted by the agent's word, and not there. */
  readonly untrue: number;
  /** Accepted once more than once. */
  readonly reaccepted: number;
  /** Pictures that differ from the record's, or belong to none. */
  readonly foreign: number;
}

/** Not our fault while disks, brokers and platforms fail. All other lines of the level `error` are unexpected. */
const explained: ReadonlySet<string> = new Set(["spool.full", "delivery.spool-failed", "delivery.unsettled"]);

/** Which records the agent said it kept and sent, and which arrived where. */
export class SoakLedger {
  /** By id: the camera. Those that arrived are among them also where a kill took the line that says they were kept. */
  readonly kept = new Map<string, string>();
  readonly events = new Map<string, number>();
  readonly unexpected: string[] = [];
  /** Records that the spool could not be told of: sent again after the next start. */
  unsettled = 0;
  readonly #keptBy = new Map<string, number>();
  /** By target, by id: how often. */
  readonly #accepted = new Map<string, Map<string, number>>();
  /** By id: how often the broker acknowledged it. */
  readonly #published = new Map<string, number>();
  /** By id: of its picture. */
  readonly #hashes = new Map<string, string>();
  #differing = 0;

  take(line: LogLine): void {
    const { level, event } = line;
    this.events.set(event, (this.events.get(event) ?? 0) + 1);
    const id = String(line["recordId"]);
    if (event === "record.stored") this.#keep(id, String(line["camera"]));
    if (event === "record.accepted") increment(this.#acceptedBy(String(line["target"])), id);
    if (event === "delivery.unsettled") this.unsettled += 1;
    const isOurFault = /INTERNAL|TypeError|RangeError|ReferenceError/.test(JSON.stringify(line));
    // The vision process that was killed or stopped was just about to load the model.
    const isOurKill =
      event === "model-unusable" && /ended by SIGKILL|did not load within/.test(String(line["message"]));
    const isError = level === "fatal" || (level === "error" && !explained.has(event) && !isOurKill);
    const isStuck = event === "service.stuck" || event === "stop-failed";
    if ((isError || isOurFault || isStuck) && this.unexpected.length < 100) this.unexpected.push(JSON.stringify(line));
  }

  keptBy(camera: string): number {
    return this.#keptBy.get(camera) ?? 0;
  }

  /** Records that a target accepted, by the agent's word. */
  accepted(target: string): number {
    return this.#acceptedBy(target).size;
  }

  /** What each camera's records come to, and how many different pictures there were. */
  keptText(): string {
    const cameras = [...this.#keptBy].map(([camera, records]) => `${camera} ${records}`).join(", ");
    return `${cameras}; ${new Set(this.#hashes.values()).size} different pictures`;
  }

  publish(payload: Buffer): void {
    const { id, camera, image } = JSON.parse(payload.toString()) as Record<"id" | "camera" | "image", string>;
    increment(this.#published, id);
    this.#arrive(id, camera, hashOf(Buffer.from(image, "base64")));
  }

  /** The data set's own lines, and the pictures that they name. Take it in before any tally is made. */
  async readFolder(folder: string): Promise<ReadonlyMap<string, number>> {
    const text = await readFile(join(folder, "annotations.jsonl"), "utf8").catch(() => "");
    const times = new Map<string, number>();
    for (const line of text.split("\n").filter((one) => one.endsWith("}"))) {
      const { id, camera, name } = JSON.parse(line) as Record<"id" | "camera" | "name", string>;
      increment(times, id);
      const picture = await readFile(join(folder, "images", name)).catch(() => undefined);
      // A line without its picture is not there.
      if (picture === undefined) times.delete(id);
      else this.#arrive(id, camera, hashOf(picture));
    }
    return times;
  }

  broker(): TargetTally {
    return this.#tally("bus", this.#published, this.#differing);
  }

  folder(times: ReadonlyMap<string, number>): TargetTally {
    return this.#tally("archive", times, 0);
  }

  /**
   * The platform knows no ids. Of pictures that are the same to the byte there must be as many as records; those that
   * nobody else was given must not be more than such records.
   */
  platform(stored: readonly { readonly sha256: string; readonly times: number }[]): TargetTally {
    const accepted = this.#acceptedBy("town");
    const left = new Map(stored.map((image) => [image.sha256, image.times]));
    const times = new Map<string, number>();
    const ids = [...this.kept.keys()].filter((id) => this.#hashes.has(id));
    // Those that the agent says were accepted come first: they have to be there.
    for (const id of ids.toSorted((a, b) => Number(accepted.has(b)) - Number(accepted.has(a)))) {
      const hash = this.#hashes.get(id) ?? "";
      const rest = left.get(hash) ?? 0;
      if (rest > 0) times.set(id, 1);
      left.set(hash, Math.max(0, rest - 1));
    }
    const known = new Set(this.#hashes.values());
    const again = [...left].reduce((sum, [hash, rest]) => sum + (known.has(hash) ? rest : 0), 0);
    const unclaimed = stored.filter(({ sha256 }) => !known.has(sha256)).length;
    const unseen = [...this.kept.keys()].filter((id) => !this.#hashes.has(id));
    for (const id of unseen.toSorted((a, b) => Number(accepted.has(b)) - Number(accepted.has(a))).slice(0, unclaimed)) {
      times.set(id, 1);
    }
    return { ...this.#tally("town", times, Math.max(0, unclaimed - unseen.length)), again };
  }

  /** Pictures that cameras gave (by hash) and that are in no record, beyond such records as nobody got. */
  neverKept(given: ReadonlySet<string>, camera: string): number {
    const seen = new Set(this.#hashes.values());
    const unseen = [...this.kept].filter(([id, by]) => by === camera && !this.#hashes.has(id)).length;
    return Math.max(0, [...given].filter((hash) => !seen.has(hash)).length - unseen);
  }

  /** Records of a camera with another picture than any that it gave. */
  notGiven(given: ReadonlySet<string>, camera: string): number {
    return [...this.kept].filter(([id, by]) => {
      const hash = this.#hashes.get(id);
      return by === camera && hash !== undefined && !given.has(hash);
    }).length;
  }

  #keep(id: string, camera: string): void {
    if (this.kept.has(id)) return;
    this.kept.set(id, camera);
    increment(this.#keptBy, camera);
  }

  #arrive(id: string, camera: string, hash: string): void {
    this.#keep(id, camera);
    if ((this.#hashes.get(id) ?? hash) !== hash) this.#differing += 1;
    this.#hashes.set(id, hash);
  }

  #acceptedBy(target: string): Map<string, number> {
    const found = this.#accepted.get(target) ?? new Map<string, number>();
    this.#accepted.set(target, found);
    return found;
  }

  #tally(target: string, times: ReadonlyMap<string, number>, foreign: number): TargetTally {
    const accepted = this.#acceptedBy(target);
    const ids = [...this.kept.keys()];
    const there = ids.filter((id) => (times.get(id) ?? 0) > 0);
    return {
      arrived: there.length,
      again: there.reduce((sum, id) => sum + (times.get(id) ?? 0) - 1, 0),
      missing: ids.length - there.length,
      givenUp: ids.filter((id) => !accepted.has(id)).length,
      untrue: [...accepted.keys()].filter((id) => (times.get(id) ?? 0) === 0).length,
      reaccepted: [...accepted.values()].reduce((sum, count) => sum + count - 1, 0),
      foreign,
    };
  }
}

function increment(counts: Map<string, number>, key: string): void {
  counts.set(key, (counts.get(key) ?? 0) + 1);
}

export function hashOf(bytes: Buffer): string {
  return createHash("sha256").update(bytes).digest("hex");
}
