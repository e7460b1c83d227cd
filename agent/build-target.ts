import type { DiskShare } from "../src/core/disk-budget.ts";
import type { Meter, Seams, Target, TargetMemory } from "../src/core/ports.ts";
import type { Vision } from "../src/core/vision-port.ts";
import { reducedTarget } from "../src/targets/reduced.ts";
import type { TargetConfig } from "./config-schema.ts";

/** Where its other side may refuse a size. */
export function withReducedCopies(target: Target, config: TargetConfig, vision: Vision, { clock }: Seams): Target {
  if (!("reduce" in config) || !config.reduce.enabled) return target;
  const reencode: Vision["reencode"] = (jpeg, options, signal) => vision.reencode(jpeg, options, signal);
  return reducedTarget(target, config.reduce, reencode, clock);
}

/** Only the code of the kinds that a config has is loaded. */
export async function buildTarget(
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
): Promise<Target> {
  const { clock } = seams;
  const link = { meter };
  switch (target.kind) {
    case "iotown": {
      const { IotownTarget } = await import("../src/targets/iotown/target.ts");
      return new IotownTarget(target, link);
    }
    case "layernext": {
      const { LayernextTarget } = await import("../src/targets/layernext/target.ts");
      return new LayernextTarget(target, { memory, clock, link });
    }
    case "customvision": {
      const { CustomVisionTarget } = await import("../src/targets/customvision/target.ts");
      return new CustomVisionTarget(target, seams, link);
    }
    case "mqtt": {
      const { MqttTarget } = await import("../src/targets/mqtt/target.ts");
      return new MqttTarget({ config: target, device, meter }, seams);
    }
    case "folder": {
      const { FolderTarget } = await import("../src/targets/folder/target.ts");
      return new FolderTarget(target, share);
    }
    case "onestepai": {
      const { OnestepaiTarget } = await import("../src/targets/onestepai/target.ts");
      return new OnestepaiTarget(target, { memory, clock, link });
    }
    case "remo": {
      const { RemoTarget } = await import("../src/targets/remo/target.ts");
      return new RemoTarget({ config: target, memory, link }, seams);
    }
  }
}
