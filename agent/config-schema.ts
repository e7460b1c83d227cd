import { z } from "zod";
import { execCamera } from "../src/capture/exec/config.ts";
import { ffmpegCamera } from "../src/capture/ffmpeg/config.ts";
import { folderCamera } from "../src/capture/folder/config.ts";
import { httpMjpegCamera, httpSnapshotCamera } from "../src/capture/http/config.ts";
import { rpicamCamera } from "../src/capture/rpicam/config.ts";
import { simulatedCamera } from "../src/capture/simulated/config.ts";
import { webcamCamera } from "../src/capture/webcam/config.ts";
import { cameraPrivacy, privacy } from "../src/config/privacy.ts";
import {
  dataDir,
  detector,
  device,
  imageHealth,
  keep,
  log,
  metrics,
  motion,
  spool,
  uniqueIds,
  version,
} from "../src/config/sections.ts";
import { upload } from "../src/config/upload.ts";
import { configLimits } from "../src/core/limits.ts";
import { remoteConfig } from "../src/remote/config.ts";
import { webConfig } from "../src/web/config.ts";
import { isLoopback, listenAddressOf } from "../src/web/listen-address.ts";
import { customVisionConfig } from "../src/targets/customvision/config.ts";
import { folderTargetConfig } from "../src/targets/folder/config.ts";
import { iotownConfig } from "../src/targets/iotown/config.ts";
import { layernextConfig } from "../src/targets/layernext/config.ts";
import { mqttTargetConfig } from "../src/targets/mqtt/config.ts";
import { onestepaiConfig } from "../src/targets/onestepai/config.ts";
import { remoConfig } from "../src/targets/remo/config.ts";

/** The whole config file: the sections, and every driver and target there is. */

const commonFields = {
  keep: keep.prefault({}),
  motion: motion.prefault({}),
  imageHealth,
  privacy: cameraPrivacy.optional(),
};

const camera = z.discriminatedUnion("driver", [
  webcamCamera.extend(commonFields),
  ffmpegCamera.safeExtend(commonFields),
  execCamera.extend(commonFields),
  httpSnapshotCamera.safeExtend(commonFields),
  httpMjpegCamera.safeExtend(commonFields),
  folderCamera.extend(commonFields),
  rpicamCamera.extend(commonFields),
  simulatedCamera.extend(commonFields),
]);

const target = z.discriminatedUnion("kind", [
  iotownConfig,
  layernextConfig,
  onestepaiConfig,
  customVisionConfig,
  remoConfig,
  mqttTargetConfig,
  folderTargetConfig,
]);

export const configSchema = z
  .strictObject({
    version,
    device: device.prefault({}),
    dataDir,
    cameras: z
      .array(camera)
      .min(1)
      .max(configLimits.camerasMax)
      .check(uniqueIds("camera"))
      .describe("Where frames come from"),
    detector: detector.prefault({}),
    spool: spool.prefault({}),
    targets: z
      .array(target)
      .max(configLimits.targetsMax)
      .check(uniqueIds("target"))
      .default([])
      .describe("Where records go; each gets every record that its filter wants"),
    upload: upload.prefault({}),
    remote: remoteConfig.optional(),
    privacy: privacy.prefault({}),
    web: webConfig.prefault({}),
    metrics: metrics.prefault({}),
    log: log.prefault({}),
  })
  .superRefine(({ privacy: { localOnly }, web }, context) => {
    const address = listenAddressOf(web.listen);
    if (!localOnly || !web.enabled || address === undefined || isLoopback(address.host)) return;
    const message = "privacy.localOnly keeps every picture on this machine: listen on 127.0.0.1";
    context.addIssue({ code: "custom", path: ["web", "listen"], message });
  });

export const cameraDrivers = camera.options.map(({ shape }) => shape.driver.value);
export const targetKinds = target.options.map(({ shape }) => shape.kind.value);

export type FramepostConfig = z.output<typeof configSchema>;
export type CameraConfig = FramepostConfig["cameras"][number];
export type TargetConfig = FramepostConfig["targets"][number];
