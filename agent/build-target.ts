import type { DiskShare } from "../src/core/disk-budget.ts";
import type { Meter, Seams, Target, TargetMemory } from "../src/core/ports.ts";
import type { Vision } from "../src/core/vision-port.ts";
import { CustomVisionTarget } from "../src/targets/customvision/target.ts";
import { FolderTarget } from "../src/targets/folder/target.ts";
import { IotownTarget } from "../src/targets/iotown/target.ts";
import { LayernextTarget } from "../src/targets/layernext/target.ts";
import { MqttTarget } from "../src/targets/mqtt/target.ts";
import { OnestepaiTarget } from "../src/targets/onestepai/target.ts";
import { reducedTarget } from "../src/targets/reduced.ts";
import { RemoTarget } from "../src/targets/remo/target.ts";
import type { TargetConfig } from "./config-schema.ts";

/** Where its other side may refuse a size. */
export function withReducedCopies(target: Target, config: TargetConfig, vision: Vision, { clock }: Seams): Target {
  if (!("reduce" in config) || !config.reduce.enabled) return target;
  const reencode: Vision["reencode"] = (jpeg, options, signal) => vision.reencode(jpeg, options, signal);
  return reducedTarget(target, config.reduce, reencode, clock);
}

export function buildTarget(
  target: TargetConfig,
  {
    device,
    share,
    memory,
    meter,
  }: {
    readonly device: string;
    readonly share: DiskShare | undefined;
    readonly memory: TargetMemory;
    readonly meter: Meter;
  },
  seams: Seams,
): Target {
  const { clock } = seams;
  const link = { meter };
  switch (target.kind) {
    case "iotown":
      return new IotownTarget(target, link);
    case "layernext":
      return new LayernextTarget(target, { memory, clock, link });
    case "customvision":
      return new CustomVisionTarget(target, seams, link);
    case "mqtt":
      return new MqttTarget({ config: target, device, meter }, seams);
    case "folder":
      return new FolderTarget(target, share);
    case "onestepai":
      return new OnestepaiTarget(target, { memory, clock, link });
    case "remo":
      return new RemoTarget({ config: target, memory, link }, seams);
  }
}
