import type { Clock } from "../../src/core/clock.ts";
import { linkLimits } from "../../src/core/deliver-limits.ts";
import { onestepaiLimits } from "../../src/core/platform-limits.ts";
import type { SandboxTruth } from "../../src/sandbox/checks.ts";
import { customVisionFaults } from "../../src/sandbox/customvision/faults.ts";
import { CustomVisionSandbox, sandboxProjectId } from "../../src/sandbox/customvision/server.ts";
import type { SandboxFault } from "../../src/sandbox/faults.ts";
import type { HttpSandbox } from "../../src/sandbox/http-sandbox.ts";
import { iotownFaults } from "../../src/sandbox/iotown/faults.ts";
import { IotownSandbox } from "../../src/sandbox/iotown/server.ts";
import { layernextFaults } from "../../src/sandbox/layernext/faults.ts";
import { LayernextSandbox } from "../../src/sandbox/layernext/server.ts";
import { onestepaiFaults } from "../../src/sandbox/onestepai/faults.ts";
import { OnestepaiSandbox, sandboxDatasetId } from "../../src/sandbox/onestepai/server.ts";
import { remoFaults } from "../../src/sandbox/remo/faults.ts";
import { RemoSandbox } from "../../src/sandbox/remo/server.ts";

export interface StormPicture {
  readonly name: string;
  readonly sha256: string;
}

/** How often a picture lies there, whole and with its labels. */
export type CopiesOf = (picture: StormPicture) => number;

/** One platform's stand-in as a storm sees it. */
export interface StormPlatform {
  readonly sandbox: HttpSandbox & { expect(sha256: string, truth: SandboxTruth): void };
  /** Beside the sandbox, for those whose storage is another server. */
  readonly storage?: HttpSandbox;
  /** Settings of a target that reaches it, beside `id`. */
  target(url: string): object;
  /** By name. Those that a request meets in turn. */
  readonly faults: Readonly<Record<string, SandboxFault>>;
  /** As it is now. */
  copies(): CopiesOf;
  /** How the platform tells a picture that comes again from a new one. */
  readonly tellsBy: string;
  /**
   * Records of the calls under way: so many may be there and not be noted when the agent is killed or a call runs out of
   * time. 0 where nothing lies there twice.
   */
  readonly recordsInFlightMax: number;
  /** Violations that follow from an untrue success: the agent was told that a step was done which was not. */
  readonly misled?: RegExp;
}

const secret = "storm-secret";
const common = { reduce: { enabled: false } } as const;

interface Stored {
  readonly sha256: string;
  readonly times: number;
}

function bySha256(stored: readonly Stored[]): CopiesOf {
  const times = new Map(stored.map((image) => [image.sha256, image.times]));
  return ({ sha256 }) => times.get(sha256) ?? 0;
}

/** `clock` is the agent's: what a platform forgets after minutes it forgets at the agent's pace. */
export const stormPlatforms = {
  iotown(): StormPlatform {
    const sandbox = new IotownSandbox({ token: secret });
    return {
      sandbox,
      target: (url) => ({ kind: "iotown", url, token: secret, ...common }),
      faults: iotownFaults,
      copies: () => bySha256(sandbox.stored()),
      tellsBy: "nothing",
      recordsInFlightMax: linkLimits.socketsPerTargetMax,
    };
  },
  layernext(): StormPlatform {
    const sandbox = new LayernextSandbox({ apiKey: "storm", secret });
    const collection = "storm";
    return {
      sandbox,
      storage: sandbox.storage,
      target: (url) => ({ kind: "layernext", url, apiKey: "storm", secret, collection, ...common }),
      faults: layernextFaults,
      copies() {
        const stored = bySha256(sandbox.stored());
        const annotated = new Set(sandbox.annotations().map(({ objectKey }) => objectKey));
        return (picture) => (annotated.has(`${collection}_${picture.name}`) ? stored(picture) : 0);
      },
      tellsBy: "its file name",
      recordsInFlightMax: 0,
      misled: /\d+ files are not finalized/,
    };
  },
  onestepai(clock: Clock): StormPlatform {
    const sandbox = new OnestepaiSandbox({ accessToken: secret, clock });
    const category = { default: "gate" };
    const settings = { datasetId: sandboxDatasetId, category, createCategories: true };
    return {
      sandbox,
      target: (url) => ({ kind: "onestepai", url, accessToken: secret, ...settings, ...common }),
      faults: onestepaiFaults,
      copies: () => bySha256(sandbox.stored()),
      tellsBy: "nothing",
      recordsInFlightMax: onestepaiLimits.recordsPerSessionMax,
    };
  },
  customvision(clock: Clock): StormPlatform {
    const sandbox = new CustomVisionSandbox({ trainingKey: secret, nowMs: () => clock.monotonicMs() });
    // As small as a batch can be: in large ones a thousand records are too few requests for every fault to come.
    const settings = { trainingKey: secret, projectId: sandboxProjectId, imagesPerRequest: 2 };
    return {
      sandbox,
      target: (url) => ({ kind: "customvision", url, ...settings, ...common }),
      faults: customVisionFaults,
      copies() {
        const stored = new Set(sandbox.stored().flatMap(({ sha256, boxes }) => (boxes.length > 0 ? [sha256] : [])));
        return ({ sha256 }) => (stored.has(sha256) ? 1 : 0);
      },
      tellsBy: "its bytes",
      recordsInFlightMax: 0,
    };
  },
  remo(): StormPlatform {
    const sandbox = new RemoSandbox({ email: "storm@site.example", password: secret });
    const account = { email: "storm@site.example", password: secret, datasetId: 1 };
    return {
      sandbox,
      target: (url) => ({ kind: "remo", url, ...account, ...common }),
      faults: remoFaults,
      copies: () => bySha256(sandbox.stored().filter(({ labels }) => labels.length > 0)),
      tellsBy: "its file name",
      recordsInFlightMax: 0,
      misled: /session_id: \S+ was not found|the CSV names "\S+", which is neither in dataset nor session/,
    };
  },
} as const satisfies Readonly<Record<string, (clock: Clock) => StormPlatform>>;

export type StormKind = keyof typeof stormPlatforms;
