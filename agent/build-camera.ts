import { trackLimits } from "../src/core/vision-limits.ts";
import type { AgentError } from "../src/core/errors.ts";
import type { CameraDriver, Seams } from "../src/core/ports.ts";
import type { MotionGate, Vision } from "../src/core/vision-port.ts";
import { intervalMsOf } from "../src/capture/config.ts";
import { ffmpegOptions } from "../src/capture/ffmpeg/config.ts";
import { httpCameraOptions } from "../src/capture/http/config.ts";
import { maskedDriver } from "../src/capture/masked.ts";
import { SupervisedCamera } from "../src/capture/supervisor.ts";
import { webcamOptions } from "../src/capture/webcam/config.ts";
import { maskVersionOf } from "../src/core/privacy.ts";
import type { KeepRules } from "../src/keep/decide.ts";
import type { TrackRules } from "../src/keep/tracks.ts";
import type { ComposeOptions } from "./compose.ts";
import type { CameraConfig } from "./config-schema.ts";
import { lackingDriver } from "./lacking.ts";

/** A camera, and what the pipeline knows of it. */
export function watchedCamera(
  camera: CameraConfig,
  driver: CameraDriver,
  { ignoreSchedules, whenAway }: Pick<ComposeOptions, "ignoreSchedules"> & Pick<KeepRules, "whenAway">,
  seams: Seams,
) {
  const { id, stallAfter, schedule, privacy, imageHealth } = camera;
  const maskVersion = maskVersionOf(privacy);
  const pace = {
    intervalMs: intervalMsOf(camera),
    ...(schedule === undefined || ignoreSchedules === true ? {} : { schedule }),
    ...(stallAfter === undefined ? {} : { stallAfterMs: stallAfter }),
  };
  return {
    camera: new SupervisedCamera({ id, driver, ...pace, maskVersion, mayRepeat: !imageHealth }, seams),
    rules: keepRules(camera, whenAway),
    imageHealth,
    mayRepeat: driver.mayRepeat === true,
    ...(maskVersion === undefined ? {} : { hidden: { maskVersion, blur: privacy?.blur } }),
    ...(camera.motion.enabled ? { gate: motionGate(camera) } : {}),
  };
}

function keepRules(camera: CameraConfig, whenAway: KeepRules["whenAway"]): KeepRules {
  const { keep } = camera;
  const intervalMs = intervalMsOf(camera);
  return {
    labels: keep.labels ?? [],
    minScore: keep.minScore ?? 0,
    minIntervalMs: keep.minInterval ?? 0,
    negativesEvery: keep.negativesEvery ?? 0,
    whenAway,
    ...(keep.newObjects === undefined ? {} : { newObjects: trackRules(keep.newObjects, intervalMs) }),
  };
}

/** An object can be seen no more often than there are frames: those that come seldom must not make it new each time. */
function trackRules(
  { minIou, forgetAfter, repeatAfter }: NonNullable<CameraConfig["keep"]["newObjects"]>,
  intervalMs: number,
): TrackRules {
  const forgetAfterMs = Math.max(forgetAfter, trackLimits.forgetAfterFrames * intervalMs);
  return { minIou, forgetAfterMs, ...(repeatAfter === undefined ? {} : { repeatAfterMs: repeatAfter }) };
}

function motionGate({ motion }: CameraConfig): MotionGate {
  return {
    detectEveryMs: motion.detectEvery,
    minAreaShare: motion.minArea,
    minContrastLevels: motion.minContrast,
  };
}

/** By the kind of its driver, whose code is loaded only now. Nobody sees what it does without the camera's privacy mask. */
export async function buildDriver(
  camera: CameraConfig,
  vision: Vision,
  seams: Seams,
  lack?: AgentError,
): Promise<CameraDriver> {
  const bare = await bareDriver(camera, vision, seams);
  const driver = lack === undefined ? bare : lackingDriver(bare, lack);
  const { id: cameraId, privacy } = camera;
  if (privacy?.mask === undefined) return driver;
  const paint: Vision["paint"] = (jpeg, mask, signal) => vision.paint(jpeg, mask, signal);
  return maskedDriver(driver, { cameraId, mask: privacy.mask, paint, clock: seams.clock });
}

async function bareDriver(camera: CameraConfig, vision: Vision, { clock, random }: Seams): Promise<CameraDriver> {
  const isPrivate = maskVersionOf(camera.privacy) !== undefined;
  switch (camera.driver) {
    case "webcam": {
      const { WebcamDriver } = await import("../src/capture/webcam/driver.ts");
      return new WebcamDriver(webcamOptions(camera), { clock, inMemoryOnly: isPrivate });
    }
    case "ffmpeg": {
      const { ffmpegDriver } = await import("../src/capture/ffmpeg/driver.ts");
      return ffmpegDriver(ffmpegOptions(camera), clock);
    }
    case "exec": {
      const { execDriver } = await import("../src/capture/exec/driver.ts");
      return execDriver({ ...camera, shotTimeMs: camera.timeout }, clock);
    }
    case "http-snapshot": {
      const { HttpSnapshotDriver } = await import("../src/capture/http/snapshot.ts");
      return new HttpSnapshotDriver(httpCameraOptions(camera), { clock, random });
    }
    case "http-mjpeg": {
      const { HttpMjpegDriver } = await import("../src/capture/http/mjpeg.ts");
      return new HttpMjpegDriver(httpCameraOptions(camera), { clock, random });
    }
    case "folder": {
      const { folderDriver } = await import("../src/capture/folder/driver.ts");
      return folderDriver({ ...camera, keepsRejected: !isPrivate }, { clock });
    }
    case "rpicam": {
      const { rpicamDriver } = await import("../src/capture/rpicam/driver.ts");
      return rpicamDriver(camera, clock);
    }
    case "simulated": {
      const { SimulatedDriver } = await import("../src/capture/simulated/driver.ts");
      return new SimulatedDriver(camera, (svg, options, signal) => vision.render(svg, options, signal));
    }
  }
}
