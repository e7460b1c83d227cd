import type { Clock } from "../../src/core/clock.ts";
import type { Command } from "../../src/remote/command.ts";
import { cameraCommands } from "../../src/remote/commands/camera.ts";
import { captureCommands } from "../../src/remote/commands/capture.ts";
import { explainFrameCommands } from "../../src/remote/commands/explain-frame.ts";
import { snapshotCommands } from "../../src/remote/commands/snapshot.ts";
import type { Agent } from "../compose.ts";
import { cameraPort } from "./camera-port.ts";
import { capturePort } from "./capture-port.ts";
import { explainFramePort } from "./explain-frame-port.ts";
import { snapshotPort } from "./snapshot-port.ts";

type CameraAgent = Pick<Agent, "cameras" | "pauses" | "pipeline" | "spool">;

/** What can be asked of the cameras of a running agent. */
export function commandsOfCameras(agent: CameraAgent, packetBytesMax: () => number, clock: Clock): readonly Command[] {
  return [
    ...snapshotCommands(snapshotPort(agent, packetBytesMax, clock)),
    ...captureCommands(capturePort(agent, clock)),
    ...cameraCommands(cameraPort(agent, clock)),
    ...explainFrameCommands(explainFramePort(agent, clock)),
  ];
}
