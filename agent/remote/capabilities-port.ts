import { createHash } from "node:crypto";
import { jsonSchemaOf } from "../../src/config/json-schema.ts";
import type { CapabilitiesPort } from "../../src/remote/commands/capabilities.ts";
import { commandSpecs } from "../../src/remote/commands/specs.ts";
import { cameraDrivers, configSchema, targetKinds } from "../config-schema.ts";

/** What this version of the program can do. */
export function capabilitiesPort(): CapabilitiesPort {
  return {
    ...{ specs: commandSpecs, drivers: cameraDrivers, targetKinds },
    configSchema: () =>
      createHash("sha256")
        .update(JSON.stringify(jsonSchemaOf(configSchema)))
        .digest("hex")
        .slice(0, 16),
  };
}
