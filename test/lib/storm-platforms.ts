import { layernextLimits, onestepaiLimits } from "../../src/core/limits.ts";
import { customVisionFaults } from "../../src/sandbox/customvision/faults.ts";
import { CustomVisionSandbox, sandboxProjectId } from "../../src/sandbox/customvision/server.ts";
import { IotownSandbox } from "../../src/sandbox/iotown/server.ts";
import { iotownFaults } from "../../src/sandbox/iotown/faults.ts";
import { layernextFaults } from "../../src/sandbox/layernext/faults.ts";
import { LayernextSandbox } from "../../src/sandbox/layernext/server.ts";
import { onestepaiFaults } from "../../src/sandbox/onestepai/faults.ts";
import { OnestepaiSandbox, sandboxDatasetId } from "../../src/sandbox/onestepai/server.ts";
import type { SandboxTruth } from "../../src/sandbox/checks.ts";
import type { SandboxFault } from "../../src/sandbox/faults.ts";
import type { HttpSandbox } from "../../src/sandbox/http-sandbox.ts";

/** One platform's stand-in as a storm sees it. */
export interface StormPlatform {
  readonly sandbox: HttpSandbox;
  /** Settings of a target that reaches it, beside `id`. */
  target(url: string): object;
  /** By name. Those that a request meets in turn. */
  readonly faults: Readonly<Record<string, SandboxFault>>;
  /** From now on this picture must come with these boxes and no others. */
  expect(sha256: string, truth: SandboxTruth): void;
  /** How often each picture lies there, whole and with its labels; by its SHA-256. */
  times(): ReadonlyMap<string, number>;
  /** Why a picture may lie there twice. */
  readonly duplicates: string;
  /** Records that may have been accepted and not settled when the agent is killed: two calls of one record, if absent. */
  readonly recordsInFlightMax?: number;
}

const token = "storm-token";

export const stormPlatforms = {
  iotown(): StormPlatform {
    const sandbox = new IotownSandbox({ token });
    return {
      sandbox,
      target: (url) => ({ kind: "iotown", url, token, reduce: { enabled: false } }),
      faults: iotownFaults,
      expect: (sha256, truth) => sandbox.expect(sha256, truth),
      times: () => new Map(sandbox.stored().map((image) => [image.sha256, image.times])),
      duplicates: "it knows no key: a picture whose answer was lost is sent again",
    };
  },
  layernext(): StormPlatform {
    const sandbox = new LayernextSandbox({ apiKey: "storm", secret: token, jobPolls: 1 });
    const access = { apiKey: "storm", secret: token, collection: "storm" };
    return {
      sandbox,
      target: (url) => ({ kind: "layernext", url, ...access, reduce: { enabled: false } }),
      faults: layernextFaults,
      expect: (sha256, truth) => sandbox.expect(sha256, truth),
      times() {
        const labelled = new Set(sandbox.annotations().map(({ sha256 }) => sha256));
        const whole = sandbox.stored().filter(({ sha256 }) => labelled.has(sha256));
        return new Map(whole.map(({ sha256, times }) => [sha256, times]));
      },
      duplicates: "a file's name is there once, so no picture is",
      recordsInFlightMax: layernextLimits.batchRecordsDefault,
    };
  },
  onestepai(): StormPlatform {
    // A start whose answer was lost locks the dataset for real seconds, while the agent hurries.
    const sandbox = new OnestepaiSandbox({ accessToken: token, sameCategory: "new", unlockAfterMs: 1_000 });
    const place = { accessToken: token, datasetId: sandboxDatasetId };
    const category = { category: { default: "gate" }, createCategories: true };
    return {
      sandbox,
      target: (url) => ({ kind: "onestepai", url, ...place, ...category, reduce: { enabled: false } }),
      faults: onestepaiFaults,
      expect: (sha256, truth) => sandbox.expect(sha256, truth),
      times: () => new Map(sandbox.stored().map((image) => [image.sha256, image.times])),
      duplicates: "it knows no key: a picture whose answer was lost is sent again, as is an upload that a kill cut off",
      recordsInFlightMax: onestepaiLimits.recordsPerSessionMax,
    };
  },
  customvision(): StormPlatform {
    const sandbox = new CustomVisionSandbox({ trainingKey: token });
    return {
      sandbox,
      target: (url) => ({
        ...{ kind: "customvision", url, trainingKey: token, projectId: sandboxProjectId },
        reduce: { enabled: false },
      }),
      faults: customVisionFaults,
      expect: (sha256, truth) => sandbox.expect(sha256, truth),
      // What comes again is the same image there.
      times: () => new Map(sandbox.stored().map((image) => [image.sha256, 1])),
      duplicates: "none: it knows the bytes, and answers that it has them",
      recordsInFlightMax: 0,
    };
  },
} as const;

export type StormKind = keyof typeof stormPlatforms;
