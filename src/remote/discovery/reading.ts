/**
 * What Home Assistant shows of this device at one moment. `null`: not known just now. Absent: this device does not have
 * it, and there is no entity for it.
 */
export interface Reading {
  readonly device: DeviceReading;
  readonly cameras: readonly CameraReading[];
  readonly targets: readonly TargetReading[];
}

export interface DeviceReading {
  readonly problem: boolean;
  /** Deliveries that are still owed. */
  readonly queued: number | null;
  readonly oldestAgeMs?: number | null;
  readonly sent: number;
  readonly quarantined: number | null;
  /** Of a frame; the median. */
  readonly inferenceMs: number | null;
  readonly memoryBytes: number;
  /** That uploads may still send today and this month. */
  readonly dayBytesLeft?: number;
  readonly monthBytesLeft?: number;
  readonly diskFreeBytes?: number | null;
  readonly temperatureCelsius?: number | null;
  /** Detections from this score on are shown and sent. */
  readonly threshold?: number | null;
  /** The model in use, and those that it may be changed for. */
  readonly model?: string | null;
  readonly models?: readonly string[];
  /** The config names a place that releases of models come from. */
  readonly updates?: boolean;
}

export interface CameraReading {
  readonly id: string;
  readonly connected: boolean;
  readonly problem: boolean;
  readonly lastFrameAtMs: number | null;
  /** Found in the last frame that the model saw. */
  readonly objects: number | null;
  readonly capturing?: boolean;
  readonly intervalMs?: number;
}

export interface TargetReading {
  readonly id: string;
  /** Nobody knows of one that is sent nothing. */
  readonly connected: boolean | null;
  /** Not paused. Absent where the config has turned it off: a pause changes nothing there. */
  readonly uploading?: boolean;
}
