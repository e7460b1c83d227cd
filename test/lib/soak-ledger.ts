import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import type { LogLine } from "./agent.ts";

/** Which records the agent said it kept, and which arrived where. */
export class SoakLedger {
  /** By id: the camera. */
  readonly kept = new Map<string, string>();
  /** By id: how often it was acknowledged by the broker. */
  readonly #published = new Map<string, number>();
  readonly #hashes = new Map<string, string>();
  readonly events = new Map<string, number>();
  readonly unexpected: string[] = [];
  readonly #keptBy = new Map<string, number>();

  take(line: LogLine): void {
    const { level, event } = line;
    this.events.set(event, (this.events.get(event) ?? 0) + 1);
    if (event === "record.stored") {
      const camera = String(line["camera"]);
      this.kept.set(String(line["recordId"]), camera);
      this.#keptBy.set(camera, (this.#keptBy.get(camera) ?? 0) + 1);
    }
    const isOurFault = /INTERNAL|TypeError|RangeError|ReferenceError/.test(JSON.stringify(line));
    if ((level === "fatal" || isOurFault || event === "service.stuck") && this.unexpected.length < 100) {
      this.unexpected.push(JSON.stringify(line));
    }
  }

  keptBy(camera: string): number {
    return this.#keptBy.get(camera) ?? 0;
  }

  /** What each camera's records come to, and how many different pictures there were. */
  keptText(): string {
    const cameras = [...this.#keptBy].map(([camera, records]) => `${camera} ${records}`).join(", ");
    return `${cameras}; ${new Set(this.#hashes.values()).size} different pictures`;
  }

  get published(): number {
    return this.#published.size;
  }

  publish(payload: Buffer): void {
    const { id, image } = JSON.parse(payload.toString()) as { id: string; image: string };
    this.#published.set(id, (this.#published.get(id) ?? 0) + 1);
    this.#hashes.set(id, createHash("sha256").update(Buffer.from(image, "base64")).digest("hex"));
  }

  broker(): TargetTally {
    return this.#tally((id) => this.#published.get(id) ?? 0);
  }

  /** By the data set's own lines. */
  async folder(folder: string): Promise<TargetTally> {
    const text = await readFile(`${folder}/annotations.jsonl`, "utf8").catch(() => "");
    const times = new Map<string, number>();
    for (const line of text.split("\n").filter((one) => one.endsWith("}"))) {
      const { id } = JSON.parse(line) as { id: string };
      times.set(id, (times.get(id) ?? 0) + 1);
    }
    return this.#tally((id) => times.get(id) ?? 0);
  }

  /**
   * By hash: the platform knows no ids. Of pictures that are the same to the byte there must be as many as records. What
   * the broker did not get either counts as missing here.
   */
  platform(stored: readonly { readonly sha256: string; readonly times: number }[]): TargetTally {
    const times = new Map(stored.map((image) => [image.sha256, image.times]));
    const owed = new Map<string, number>();
    for (const id of this.kept.keys()) {
      const hash = this.#hashes.get(id) ?? "";
      owed.set(hash, (owed.get(hash) ?? 0) + 1);
    }
    let again = 0;
    for (const [hash, records] of owed) again += Math.max(0, (times.get(hash) ?? 0) - records);
    const tally = this.#tally((id) => {
      const hash = this.#hashes.get(id) ?? "";
      const left = times.get(hash) ?? 0;
      times.set(hash, left - 1);
      return Math.max(0, Math.min(1, left));
    });
    return { ...tally, again };
  }

  #tally(timesOf: (id: string) => number): TargetTally {
    let [arrived, again] = [0, 0];
    const missing: string[] = [];
    for (const id of this.kept.keys()) {
      const times = timesOf(id);
      if (times === 0) missing.push(id);
      else {
        arrived += 1;
        again += times - 1;
      }
    }
    return { arrived, again, missing };
  }
}

export interface TargetTally {
  readonly arrived: number;
  /** Copies beyond the first. */
  readonly again: number;
  readonly missing: readonly string[];
}
