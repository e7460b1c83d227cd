import type { Clock } from "../../src/core/clock.ts";
import type { Command } from "../../src/remote/command.ts";
import { cameraCommands } from "../../src/remote/commands/camera.ts";
import { captureCommands, captureSettingCommands } from "../../src/remote/commands/capture.ts";
import { detectCommands } from "../../src/remote/commands/detect.ts";
import { explainFrameCommands } from "../../src/remote/commands/explain-frame.ts";
import { snapshotCommands } from "../../src/remote/commands/snapshot.ts";
import type { Settings } from "../../src/remote/settings.ts";
import type { Agent } from "../compose.ts";
import { cameraNamed } from "./camera-away.ts";
import { cameraPort } from "./camera-port.ts";
import { capturePort } from "./capture-port.ts";
import { explainFramePort } from "./explain-frame-port.ts";
import { snapshotPort } from "./snapshot-port.ts";

type CameraAgent = Pick<Agent, "cameras" | "pauses" | "pipeline" | "spool" | "localOnly">;

/** What can be asked of the cameras of a running agent. */
export function commandsOfCameras(agent: CameraAgent, packetBytesMax: () => number, clock: Clock): readonly Command[] {
  return [
    ...snapshotCommands(snapshotPort(agent, packetBytesMax, clock)),
    ...captureCommands(capturePort(agent, clock)),
    ...cameraCommands(cameraPort(agent, clock)),
    ...explainFrameCommands(explainFramePort(agent, clock)),
  ];
}

/** What of the cameras and the detector is changed in the config. */
export function settingsOfCameras({ cameras }: Pick<Agent, "cameras">, settings: Settings): readonly Command[] {
  const mustBeThere = (cameraId: string) => cameraNamed(cameras, cameraId);
  return [...captureSettingCommands(settings, mustBeThere), ...detectCommands(settings)];
}
