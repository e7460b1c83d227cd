import { customVisionFaults } from "../src/sandbox/customvision/faults.ts";
import { CustomVisionSandbox, sandboxProjectId } from "../src/sandbox/customvision/server.ts";
import type { SandboxFault } from "../src/sandbox/faults.ts";
import type { HttpSandbox } from "../src/sandbox/http-sandbox.ts";
import { iotownFaults } from "../src/sandbox/iotown/faults.ts";
import { IotownSandbox } from "../src/sandbox/iotown/server.ts";
import { layernextFaults } from "../src/sandbox/layernext/faults.ts";
import { LayernextSandbox } from "../src/sandbox/layernext/server.ts";
import { onestepaiFaults } from "../src/sandbox/onestepai/faults.ts";
import { OnestepaiSandbox, sandboxDatasetId } from "../src/sandbox/onestepai/server.ts";
import { remoFaults } from "../src/sandbox/remo/faults.ts";
import { RemoSandbox } from "../src/sandbox/remo/server.ts";

/** A platform's stand-in, as `framepost sandbox` runs it. */
export interface SandboxKind {
  /** For people, for example `IoT.own`. */
  readonly title: string;
  /** `secret` is whatever the platform calls its token, key or password. */
  make(secret: string, port: number): HttpSandbox;
  /** The settings of a target that reaches it, beside `id`, `kind` and `url`, as YAML in one line. */
  targetSettings(secret: string): string;
  readonly faults: Readonly<Record<string, SandboxFault>>;
}

/** A secret, so no word that stands anywhere else: it is masked in every line. */
const layernextKey = "key-of-the-sandbox";
const remoEmail = "sandbox@framepost.example";

export const sandboxKinds: Readonly<Record<string, SandboxKind>> = {
  iotown: {
    title: "IoT.own",
    make: (token, port) => new IotownSandbox({ token, port }),
    targetSettings: (token) => `token: "${token}"`,
    faults: iotownFaults,
  },
  layernext: {
    title: "LayerNext",
    make: (secret, port) => new LayernextSandbox({ apiKey: layernextKey, secret, port }),
    targetSettings: (secret) => `apiKey: ${layernextKey}, secret: "${secret}", collection: framepost`,
    faults: layernextFaults,
  },
  customvision: {
    title: "Custom Vision",
    make: (trainingKey, port) => new CustomVisionSandbox({ trainingKey, port }),
    targetSettings: (trainingKey) => `trainingKey: "${trainingKey}", projectId: "${sandboxProjectId}"`,
    faults: customVisionFaults,
  },
  onestepai: {
    title: "OneStepAI",
    make: (accessToken, port) => new OnestepaiSandbox({ accessToken, port }),
    targetSettings: (accessToken) =>
      `accessToken: "${accessToken}", datasetId: ${sandboxDatasetId}, category: { default: gate }, createCategories: true`,
    faults: onestepaiFaults,
  },
  remo: {
    title: "remo",
    make: (password, port) => new RemoSandbox({ email: remoEmail, password, port }),
    targetSettings: (password) => `email: ${remoEmail}, password: "${password}", datasetId: 1`,
    faults: remoFaults,
  },
};
