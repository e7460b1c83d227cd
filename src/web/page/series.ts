import { pageLimits } from "../../core/page-limits.ts";

/** What is counted up since the parts were started, and what stands at this moment. */
export interface Sample {
  readonly frames: number;
  readonly detections: number;
  readonly uploads: number;
  readonly queue: number;
}

export interface SeriesView {
  readonly everyMs: number;
  /** Of the last point, wall clock. */
  readonly endMs: number;
  readonly frames: readonly number[];
  readonly detections: readonly number[];
  readonly uploads: readonly number[];
  /** Deliveries that wait. */
  readonly queue: readonly number[];
}

/** How much there was in each of the last minutes. */
export class MinuteSeries {
  #points: Sample[] = [];
  #before: Sample | undefined;
  #endMs = 0;

  /** Once a minute. A counter below its last value began anew with the parts that count. */
  add(sample: Sample, nowMs: number): void {
    const before = this.#before;
    this.#before = sample;
    this.#endMs = nowMs;
    const since = (name: "frames" | "detections" | "uploads") => {
      const last = before?.[name] ?? 0;
      return sample[name] >= last ? sample[name] - last : sample[name];
    };
    const point = {
      ...{ frames: since("frames"), detections: since("detections"), uploads: since("uploads") },
      queue: sample.queue,
    };
    this.#points = [...this.#points, point].slice(-pageLimits.minutesMax);
  }

  view(): SeriesView {
    const of = (name: keyof Sample) => this.#points.map((point) => point[name]);
    return {
      everyMs: pageLimits.minuteMs,
      endMs: this.#endMs,
      ...{ frames: of("frames"), detections: of("detections"), uploads: of("uploads"), queue: of("queue") },
    };
  }
}
