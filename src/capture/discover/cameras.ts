import type { Clock } from "../../core/clock.ts";
import { discoverLimits } from "../../core/capture-limits.ts";
import { videoPrograms } from "../rpicam/driver.ts";
import { firstInstalled } from "../stream/find-program.ts";
import { findPiCameras, type PiCamera, type PiListing } from "./rpicam.ts";
import { withFormats } from "./v4l-formats.ts";
import { findV4lCameras, type V4lCamera } from "./v4l.ts";

/** Where the programs lie that drivers and discovery run; those that are not installed are absent. */
export interface CameraPrograms {
  readonly ffmpeg?: string;
  readonly fswebcam?: string;
  readonly v4l2Ctl?: string;
  /** rpicam-hello or libcamera-hello. */
  readonly rpicamHello?: string;
  /** rpicam-vid or libcamera-vid. */
  readonly rpicamVid?: string;
}

export type LocalCamera = V4lCamera | PiCamera;

export interface Discovery {
  readonly cameras: readonly LocalCamera[];
  readonly programs: CameraPrograms;
  /** Why Raspberry Pi cameras could not be listed. */
  readonly rpicamProblem?: string;
}

export interface DiscoverOptions {
  /** Asks each V4L2 camera for its formats, which opens its device for a moment. */
  readonly formats: boolean;
  /** For tests. */
  readonly root?: string;
  readonly searchPath?: string;
  readonly timeoutMs?: number;
}

const programNames: Readonly<Record<keyof CameraPrograms, readonly string[]>> = {
  ffmpeg: ["ffmpeg"],
  fswebcam: ["fswebcam"],
  v4l2Ctl: ["v4l2-ctl"],
  rpicamHello: ["rpicam-hello", "libcamera-hello"],
  rpicamVid: videoPrograms,
};

/** Every camera that is attached to this machine. Those on the network are found by `findOnvifDevices`. */
export async function discoverCameras(options: DiscoverOptions, clock: Clock, signal: AbortSignal): Promise<Discovery> {
  const programs = await findCameraPrograms(options.searchPath);
  const seams = { clock, ...(options.timeoutMs === undefined ? {} : { timeoutMs: options.timeoutMs }) };
  const none: PiListing = { cameras: [] };
  const asked = programs.rpicamHello;
  const piCameras = asked === undefined ? Promise.resolve(none) : findPiCameras(asked, seams, signal);
  const v4lCameras = (await findV4lCameras(options.root)).slice(0, discoverLimits.camerasMax);
  const found: V4lCamera[] = [];
  // One after the other: cameras of one USB controller may refuse to be opened at the same time.
  for (const camera of v4lCameras) {
    found.push(options.formats ? await withFormats(camera, programs, seams, signal) : camera);
  }
  const { cameras, problem } = await piCameras;
  signal.throwIfAborted();
  return { cameras: [...found, ...cameras], programs, ...(problem === undefined ? {} : { rpicamProblem: problem }) };
}

export async function findCameraPrograms(searchPath = process.env["PATH"] ?? ""): Promise<CameraPrograms> {
  const found: [string, string][] = [];
  for (const [key, names] of Object.entries(programNames)) {
    const path = await firstInstalled(names, searchPath);
    if (path !== undefined) found.push([key, path]);
  }
  return Object.fromEntries(found);
}
