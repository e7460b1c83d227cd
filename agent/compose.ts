import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { asAgentError } from "../src/core/errors.ts";
import type { Camera, CameraDriver, Seams, Target, Vision } from "../src/core/ports.ts";
import { folderDriver } from "../src/capture/folder.ts";
import { SimulatedDriver } from "../src/capture/simulated.ts";
import { SupervisedCamera } from "../src/capture/supervisor.ts";
import { WebcamDriver } from "../src/capture/webcam.ts";
import { DeliveryLoop } from "../src/deliver/loop.ts";
import { Pipeline } from "../src/pipeline/pipeline.ts";
import { DiskSpool } from "../src/spool/spool.ts";
import { openDeviceState } from "../src/state/device-state.ts";
import { FolderTarget } from "../src/targets/folder/target.ts";
import { IotownTarget } from "../src/targets/iotown/target.ts";
import { MqttTarget } from "../src/targets/mqtt/target.ts";
import { VisionProcess } from "../src/vision/client.ts";
import { resolveModel } from "../src/vision/model.ts";
import type { CameraConfig, FramepostConfig, TargetConfig } from "./config-schema.ts";
import type { Part } from "./lifecycle.ts";
import { modelsFolders } from "./locations.ts";
import { agentVersion } from "./version.ts";

/** The agent's parts, built and not yet started. `parts` is the order to start them in. */
export interface Agent {
  readonly device: string;
  readonly cameras: readonly Camera[];
  readonly vision: Vision;
  readonly spool: DiskSpool;
  readonly targets: readonly Target[];
  readonly loops: readonly DeliveryLoop[];
  readonly pipeline: Pipeline;
  readonly parts: readonly Part[];
}
