import type { Clock } from "../../core/clock.ts";
import { asAgentError } from "../../core/errors.ts";
import { discoveryLimits } from "../../core/remote-limits.ts";
import { LogGate } from "../../core/log-gate.ts";
import type { Logger, Seams } from "../../core/ports.ts";
import type { Vision } from "../../core/vision-port.ts";

/** Where pictures come from, and who makes them smaller. */
export interface PictureSource {
  /** The last kept frame of a camera, once: undefined until there is a newer one. */
  next(cameraId: string): Buffer | undefined;
  readonly thumbnail: Vision["thumbnail"];
}

/** Copies that are tried, the best first: each takes about half of what the one before took. */
const copies = [
  { sideMax: 1_280, quality: 75 },
  { sideMax: 960, quality: 70 },
  { sideMax: 640, quality: 65 },
  { sideMax: 480, quality: 55 },
  { sideMax: 320, quality: 45 },
] as const;

/** The last kept frame of each camera for Home Assistant, seldom and small. */
export class Pictures {
  readonly #source: PictureSource;
  readonly #clock: Clock;
  readonly #log: Logger;
  readonly #gate: LogGate;
  readonly #madeMs = new Map<string, number>();
  /** As published last, to be said again at the next connect. */
  readonly #kept = new Map<string, Buffer>();

  constructor(source: PictureSource, { clock, log }: Pick<Seams, "clock" | "log">) {
    this.#source = source;
    this.#clock = clock;
    this.#log = log;
    this.#gate = new LogGate(clock);
  }

  last(cameraId: string): Buffer | undefined {
    return this.#kept.get(cameraId);
  }

  forgetAllBut(cameraIds: readonly string[]): void {
    for (const id of this.#kept.keys()) if (!cameraIds.includes(id)) this.#kept.delete(id);
  }

  /** A new picture, where there is one and it is time; undefined also where it cannot be made small enough. */
  async make(cameraId: string, bytesMax: number, signal: AbortSignal): Promise<Buffer | undefined> {
    const nowMs = this.#clock.monotonicMs();
    if (nowMs - (this.#madeMs.get(cameraId) ?? -Infinity) < discoveryLimits.pictureEveryMs) return undefined;
    const jpeg = this.#source.next(cameraId);
    if (jpeg === undefined) return undefined;
    this.#madeMs.set(cameraId, nowMs);
    const reduced = await this.#reduced(cameraId, jpeg, bytesMax, signal);
    if (reduced !== undefined) this.#kept.set(cameraId, reduced);
    return reduced;
  }

  /** Always encoded anew: what leaves by this way is never larger than a glance needs. */
  async #reduced(cameraId: string, jpeg: Buffer, bytesMax: number, signal: AbortSignal): Promise<Buffer | undefined> {
    try {
      for (const copy of copies) {
        const made = await this.#source.thumbnail(jpeg, copy, signal);
        if (made.jpeg.length <= bytesMax) return made.jpeg;
      }
      this.#say(cameraId, "PICTURE_TOO_LARGE", `no copy of ${bytesMax} bytes or less can be made`);
    } catch (error) {
      const { code, message } = asAgentError(error, `making a picture of ${cameraId} smaller`);
      if (!signal.aborted) this.#say(cameraId, code, message);
    }
    return undefined;
  }

  #say(camera: string, code: string, message: string): void {
    const suppressed = this.#gate.pass(`${camera}:${code}`);
    if (suppressed !== undefined) this.#log.warn("discovery.no_picture", { camera, code, message, suppressed });
  }
}
