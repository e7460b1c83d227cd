import { AgentError } from "../../src/core/errors.ts";
import { scanJpeg } from "../../src/core/jpeg.ts";
import type { PictureMeasures } from "../../src/core/picture.ts";
import type {
  DetectResult,
  EncodedImage,
  ModelInfo,
  VisionHealth,
  WatchOptions,
  WatchResult,
} from "../../src/core/vision-port.ts";
import type { Box, Detection, Frame, RecordDraft } from "../../src/core/types.ts";
import type { KeepRules } from "../../src/keep/decide.ts";
import type { PipelineCamera } from "../../src/pipeline/lane.ts";
import { Pipeline, type PipelineParts } from "../../src/pipeline/pipeline.ts";
import type { ShadowParts } from "../../src/pipeline/shadow.ts";
import { handmadeJpeg, segment } from "./jpegs.ts";
import { MemorySpool } from "./memory-spool.ts";
import { RecordingLogger, seededRandom } from "./seams.ts";
import { VirtualClock } from "./virtual-clock.ts";

export const keepAll: KeepRules = {
  labels: [],
  minScore: 0,
  minIntervalMs: 0,
  negativesEvery: 0,
  whenAway: "keep-unlabelled",
};

export const model: ModelInfo = {
  name: "fake",
  sha256: "0".repeat(64),
  inputWidth: 320,
  inputHeight: 320,
  threshold: 0.5,
  nmsIou: 0.45,
  runtime: "none",
  family: "fake",
  labels: ["person", "cat"],
};

export const person: Detection = { label: "person", score: 0.9, box: { left: 1, top: 2, width: 3, height: 4 } };

export const goodPicture: PictureMeasures = {
  width: 64,
  height: 48,
  lumaMean: 100,
  lumaP5: 20,
  lumaP95: 200,
  blackShare: 0,
  whiteShare: 0.01,
  flatShare: 0.4,
  sharpness: 0.7,
  changedShare: 0.5,
};

/** Holds the newest frame only, as a supervised camera does; `end` after the last. */
export class FakeCamera {
  readonly id: string;
  pace: "newest" | "every" = "newest";
  skipped = 0;
  readonly refused: string[] = [];
  readonly #clock: VirtualClock;
  #sequence = 0;
  #newest: Frame | undefined;
  #ended = false;
  #wake: () => void = () => undefined;

  constructor(id: string, clock: VirtualClock) {
    this.id = id;
    this.#clock = clock;
  }

  show(jpeg: Buffer = handmadeJpeg(64, 48)): void {
    this.#sequence += 1;
    if (this.#newest !== undefined) this.skipped += 1;
    const [capturedAtMs, monotonicMs] = [this.#clock.nowMs(), this.#clock.monotonicMs()];
    const stamp = { cameraId: this.id, sequence: this.#sequence, capturedAtMs, monotonicMs };
    this.#newest = { ...stamp, jpeg, width: 0, height: 0 };
    this.#wake();
  }

  async refuse(_frame: Frame, why: string): Promise<void> {
    this.refused.push(why);
  }

  end(): void {
    this.#ended = true;
    this.#wake();
  }

  async nextFrame(signal: AbortSignal): Promise<Frame | undefined> {
    for (;;) {
      signal.throwIfAborted();
      const frame = this.#newest;
      this.#newest = undefined;
      if (frame !== undefined || this.#ended) return frame;
      await new Promise<void>((resolve) => {
        const wake = () => {
          signal.removeEventListener("abort", wake);
          resolve();
        };
        this.#wake = wake;
        signal.addEventListener("abort", wake, { once: true });
      });
    }
  }
}

/** What the fake one makes of a picture with something to blur in it. */
export const blurredJpeg = handmadeJpeg(64, 48, segment(0xfe, Buffer.from("blurred")));

/** Finds what it is told, in the time it is told; away when told so. */
class FakeVision {
  detections: readonly Detection[] = [person];
  info: ModelInfo = model;
  away: string | undefined;
  tookMs = 0;
  state: VisionHealth["state"] = "ready";
  readonly seen: Buffer[] = [];
  /** Nothing moves. */
  isStill = false;
  measures: PictureMeasures = goodPicture;
  measured = 0;
  readonly watched: WatchOptions[] = [];
  reencoded = 0;
  readonly pixelated: (readonly Box[])[] = [];
  inFlight = 0;
  inFlightMax = 0;
  encode: (jpeg: Buffer) => Promise<EncodedImage> = async () => ({
    jpeg: handmadeJpeg(48, 64),
    width: 48,
    height: 64,
  });
  readonly #clock: VirtualClock;

  constructor(clock: VirtualClock) {
    this.#clock = clock;
  }

  async detect(jpeg: Buffer, _options: { readonly exact: boolean }, signal: AbortSignal): Promise<DetectResult> {
    return this.#call(signal, async () => {
      this.seen.push(jpeg);
      const scan = scanJpeg(jpeg);
      const { width, height } = scan.kind === "complete" ? scan.facts : { width: 0, height: 0 };
      const timings = { decodeMs: 1, fillMs: 2, runMs: 3, postMs: 4, roundMs: 11 };
      return { detections: this.detections, width, height, model: this.info, timings };
    });
  }

  async watch(jpeg: Buffer, options: WatchOptions, signal: AbortSignal): Promise<WatchResult> {
    this.watched.push(options);
    const { isStill } = this;
    const measured = options.measure ? { measures: this.measures } : {};
    if (!isStill || options.force || options.gate === undefined) {
      return { kind: "detected", ...(await this.detect(jpeg, options, signal)), ...measured };
    }
    return this.#call(signal, async () => {
      const timings = { decodeMs: 1, measureMs: 0.5, roundMs: 2 };
      return { kind: "still", width: 64, height: 48, ...measured, timings };
    });
  }

  async measure(): Promise<PictureMeasures> {
    this.measured += 1;
    return this.measures;
  }

  model(): ModelInfo {
    return this.info;
  }

  health(): VisionHealth {
    return { state: this.state, restarts: 0, rssPeakBytes: 1 };
  }

  async reencode(jpeg: Buffer, _options: { readonly quality: number }, signal: AbortSignal): Promise<EncodedImage> {
    this.reencoded += 1;
    return this.#call(signal, () => this.encode(jpeg));
  }

  async pixelate(_jpeg: Buffer, boxes: readonly Box[], signal: AbortSignal): Promise<EncodedImage> {
    this.pixelated.push(boxes);
    return this.#call(signal, async () => ({ jpeg: blurredJpeg, width: 64, height: 48 }));
  }

  async #call<T>(signal: AbortSignal, work: () => Promise<T>): Promise<T> {
    this.inFlight += 1;
    this.inFlightMax = Math.max(this.inFlightMax, this.inFlight);
    try {
      if (this.tookMs > 0) await this.#clock.sleep(this.tookMs, signal);
      if (this.away !== undefined) throw new AgentError(this.away, `detecting: ${this.away}`, { disposition: "retry" });
      return await work();
    } finally {
      this.inFlight -= 1;
    }
  }
}

/** A pipeline over fakes, on virtual time. */
export class PipelineBench {
  readonly clock = new VirtualClock();
  readonly log = new RecordingLogger();
  readonly vision = new FakeVision(this.clock);
  /** The second model, where one is compared. */
  readonly shadow = new FakeVision(this.clock);
  readonly cameras: readonly FakeCamera[];
  readonly camera: FakeCamera;
  readonly spool: MemorySpool;
  readonly pipeline: Pipeline;

  constructor(
    options: {
      readonly cameraIds?: readonly string[];
      readonly rules?: Partial<KeepRules>;
      readonly recordsMax?: number;
      /** The pipeline's own end. */
      readonly endsAfter?: number;
      readonly targets?: readonly { readonly id: string; wants(draft: RecordDraft): boolean }[];
      /** How every camera is watched. */
      readonly watch?: Omit<PipelineCamera, "camera" | "rules">;
      readonly shadow?: Omit<ShadowParts, "vision">;
      readonly spool?: (inner: MemorySpool) => PipelineParts["spool"];
      /** In place of the fake ones. */
      readonly sources?: readonly PipelineCamera["camera"][];
    } = {},
  ) {
    this.spool = new MemorySpool({ clock: this.clock, recordsMax: options.recordsMax ?? 1_000_000 });
    this.cameras = (options.cameraIds ?? ["gate"]).map((id) => new FakeCamera(id, this.clock));
    this.camera = this.cameras[0] ?? new FakeCamera("none", this.clock);
    this.pipeline = new Pipeline(
      {
        cameras: (options.sources ?? this.cameras).map((camera) => ({
          camera,
          rules: { ...keepAll, ...options.rules },
          ...options.watch,
        })),
        vision: this.vision,
        ...(options.shadow === undefined ? {} : { shadow: { ...options.shadow, vision: this.shadow } }),
        spool: options.spool?.(this.spool) ?? this.spool,
        targets: options.targets ?? [{ id: "all", wants: () => true }],
        ...(options.endsAfter === undefined ? {} : { recordsMax: options.endsAfter }),
      },
      { bootId: "boot", agentVersion: "1.2.3", clockQuality: () => "unknown", exact: false },
      { clock: this.clock, random: seededRandom(5), log: this.log },
    );
  }

  /** Shows pictures one after the other, each when the last one is done. */
  async show(...jpegs: readonly Buffer[]): Promise<void> {
    for (const jpeg of jpegs) {
      this.camera.show(jpeg);
      await this.clock.run(1_000);
    }
  }

  /** What lies in the spool: the record, its picture, and to whom it is owed. */
  async stored() {
    const listed = await this.spool.list({ afterSequence: 0, recordsMax: 10_000 });
    return listed.map(({ record, deliveries }) => ({ record, owedTo: deliveries.map(({ targetId }) => targetId) }));
  }

  async images(targetId = "all"): Promise<readonly Buffer[]> {
    const leased = await this.spool.lease(targetId, { recordsMax: 10_000, bytesMax: 1e9 });
    const images = await Promise.all(leased.map((delivery) => delivery.image()));
    for (const { record } of leased) await this.spool.settle(targetId, record.id, { kind: "release" });
    return images;
  }

  events(...names: readonly string[]): readonly string[] {
    return this.log.lines.map(({ event }) => event).filter((event) => names.includes(event));
  }

  async [Symbol.asyncDispose]() {
    const stopping = this.pipeline.stop();
    await this.clock.run(60_000);
    await stopping;
  }
}
