import type { DiskShare } from "../../core/disk-budget.ts";
import { AgentError, asAgentError } from "../../core/errors.ts";
import { captureLimits } from "../../core/capture-limits.ts";
import { outcomeOf, type Outcome } from "../../core/outcome.ts";
import type { Delivery, Target, TargetCapacity } from "../../core/ports.ts";
import type { RecordDraft } from "../../core/types.ts";
import { unlessAborted } from "../../link/deadline.ts";
import { filterWants } from "../filter.ts";
import { annotationLine, idMark, isFileName } from "./annotation.ts";
import type { FolderTargetConfig } from "./config.ts";
import { FolderStore } from "./store.ts";

/**
 * A data set on a disk of this machine. Accepted means that image and line survive a power cut. Work on the disk never
 * overlaps: no line is touched by two writers, and a disk that hangs (an NFS server gone, a dying stick) holds one of the
 * few threads that all file work of the process shares, and never a second one.
 */
export class FolderTarget implements Target {
  readonly kind = "folder";
  readonly id: string;
  readonly #config: FolderTargetConfig;
  readonly #store: FolderStore;
  readonly #share: DiskShare | undefined;
  /** Undefined until the folder was opened, which the first delivery does. */
  #usedBytes: number | undefined;
  /** Work on the disk that has not come back, also after its caller gave it up. */
  #underWay: Promise<void> | undefined;

  /** `share` of the disk's budget, where the folder lies on the disk of the data folder. */
  constructor(config: FolderTargetConfig, share?: DiskShare) {
    this.id = config.id;
    this.#config = config;
    this.#share = share;
    this.#store = new FolderStore(config.path);
  }

  /** One at a time: two writers could tear a line. */
  capacity(): TargetCapacity {
    return { recordsPerCallMax: 1, bytesPerCallMax: captureLimits.jpegBytesMax, callsInFlightMax: 1 };
  }

  wants(draft: RecordDraft): boolean {
    return filterWants(this.#config, draft);
  }

  /** Returns at once: what lies there is measured in the background. */
  async start(): Promise<void> {
    this.#usedBytes = undefined;
    if (this.#share !== undefined) void this.#measure(this.#share);
  }

  async probe(signal: AbortSignal): Promise<void> {
    await this.#alone(`check ${this.#config.path}`, signal, async () => {
      const usedBytes = await this.#store.check();
      if (usedBytes >= this.#config.maxBytes) throw this.#full(usedBytes);
    });
  }

  async deliver(deliveries: readonly Delivery[], signal: AbortSignal): Promise<ReadonlyMap<string, Outcome>> {
    const outcomes = new Map<string, Outcome>();
    for (const delivery of deliveries) {
      const attempted = `write ${delivery.record.name} to ${this.#config.path}`;
      try {
        await this.#alone(attempted, signal, () => this.#write(delivery, signal));
        outcomes.set(delivery.record.id, { kind: "accepted" });
      } catch (error) {
        outcomes.set(delivery.record.id, outcomeOf(asAgentError(error, attempted)));
      }
    }
    return outcomes;
  }

  async close(): Promise<void> {
    this.#usedBytes = undefined;
  }

  async #alone(attempted: string, signal: AbortSignal, work: () => Promise<void>): Promise<void> {
    signal.throwIfAborted();
    if (this.#underWay !== undefined) {
      throw new AgentError("DISK_FAILED", `${attempted}: earlier work on this disk has not come back, so it may hang`, {
        disposition: "retry",
      });
    }
    const underWay = work().finally(() => (this.#underWay = undefined));
    this.#underWay = underWay;
    await unlessAborted(underWay, signal, attempted);
  }

  async #write(delivery: Delivery, signal: AbortSignal): Promise<void> {
    const { record } = delivery;
    if (!isFileName(record.name)) {
      throw new AgentError("ENCODE_FAILED", `write ${JSON.stringify(record.name)}: not the name of a file`, {
        disposition: "reject",
      });
    }
    const usedBytes = this.#usedBytes ?? (await this.#measured());
    const line = annotationLine(record, this.#config.minScore);
    const lineBytes = Buffer.byteLength(line);
    // The image alone tells that the record was here before: its line is looked for only then.
    const again = await this.#store.hasImage(record.name);
    if (again && (await this.#store.hasLine(idMark(record.id)))) return;
    const imageBytes = again ? 0 : record.imageBytes;
    await this.#mustFit(usedBytes, imageBytes + lineBytes);
    const jpeg = await delivery.image();
    signal.throwIfAborted();
    // Also where an image lies already: only the spool's bytes are known to be whole.
    await this.#store.writeImage(record.name, jpeg);
    this.#grow(imageBytes);
    await this.#store.appendLine(line);
    this.#grow(lineBytes);
  }

  /** A folder that cannot be measured takes nothing either: the first delivery says why. */
  async #measure(share: DiskShare): Promise<void> {
    const usedBytes = await this.#store.check().catch(() => undefined);
    // A delivery may have been faster, and has grown it since.
    if (usedBytes !== undefined && this.#usedBytes === undefined) share.uses(usedBytes);
  }

  async #measured(): Promise<number> {
    const usedBytes = await this.#store.open();
    this.#uses(usedBytes);
    return usedBytes;
  }

  #uses(usedBytes: number): void {
    this.#usedBytes = usedBytes;
    this.#share?.uses(usedBytes);
  }

  #grow(bytes: number): void {
    if (this.#usedBytes !== undefined) this.#uses(this.#usedBytes + bytes);
  }

  /** Somebody may have made room, so the folder is measured again before it counts as full. */
  async #mustFit(usedBytes: number, moreBytes: number): Promise<void> {
    const { maxBytes } = this.#config;
    const mayGrow = (): boolean => this.#share?.mayGrow(moreBytes) !== false;
    if (usedBytes + moreBytes <= maxBytes && mayGrow()) return;
    const measuredBytes = await this.#measured();
    if (measuredBytes + moreBytes > maxBytes) throw this.#full(measuredBytes);
    if (!mayGrow()) throw this.#overBudget(measuredBytes);
  }

  #full(usedBytes: number): AgentError {
    const { path, maxBytes } = this.#config;
    return new AgentError("FOLDER_FULL", `write to ${path}: it holds ${usedBytes} bytes, its maxBytes is ${maxBytes}`, {
      disposition: "retry",
    });
  }

  #overBudget(usedBytes: number): AgentError {
    const { path } = this.#config;
    const why = "and spool.maxBytes, which counts for the whole disk, leaves it no more";
    return new AgentError("FOLDER_FULL", `write to ${path}: it holds ${usedBytes} bytes, ${why}`, {
      disposition: "retry",
    });
  }
}
