import { customVisionPlatform } from "./customvision/platform.ts";
import { iotownPlatform } from "./iotown/platform.ts";
import { layernextPlatform } from "./layernext/platform.ts";
import { onestepaiPlatform } from "./onestepai/platform.ts";
import type { Platform } from "./platform.ts";
import { remoPlatform } from "./remo/platform.ts";

/** Visits all that `framepost platform` knows. Each has its own kind of client, which only its own operations see. */
export function eachPlatform(visit: <Client>(platform: Platform<Client>) => void): void {
  visit(iotownPlatform);
  visit(layernextPlatform);
  visit(onestepaiPlatform);
  visit(customVisionPlatform);
  visit(remoPlatform);
}
