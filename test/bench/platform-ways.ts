import { join } from "node:path";
import type { Target } from "../../src/core/ports.ts";
import { TargetMemoryFile } from "../../src/state/target-memory.ts";
import { iotownConfig } from "../../src/targets/iotown/config.ts";
import { IotownTarget } from "../../src/targets/iotown/target.ts";
import { onestepaiConfig } from "../../src/targets/onestepai/config.ts";
import { OnestepaiTarget } from "../../src/targets/onestepai/target.ts";
import type { Detection } from "../../src/core/types.ts";

/** How a platform's upload is measured. */
export interface PlatformWay {
  readonly title: string;
  /** `folder` is for what it has to remember. */
  target(url: string, folder: string): Target;
  /**
   * What one would write first with axios, where the platform takes base64 in JSON: address, headers and body of one
   * request for all of these pictures. Absent: it is compared with its own requests, their bodies ready.
   */
  plain?(url: string, pictures: readonly PlainPicture[]): PlainRequest;
}

export interface PlainPicture {
  readonly name: string;
  readonly jpeg: Buffer;
  readonly detections: readonly Detection[];
  readonly width: number;
  readonly height: number;
}

export interface PlainRequest {
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: object;
}

const secret = "bench-secret";

export const platformWays: Readonly<Record<string, PlatformWay>> = {
  iotown: {
    title: "IoT.own",
    target: (url) => new IotownTarget(iotownConfig.parse({ id: "bench", kind: "iotown", url, token: secret })),
    plain(url, [picture]) {
      const { jpeg, detections = [], width = 1, height = 1 } = picture ?? {};
      const labels = detections.map(({ label: name, box }) => ({
        name,
        x: (box.left + box.width / 2) / width,
        y: (box.top + box.height / 2) / height,
        w: box.width / width,
        h: box.height / height,
      }));
      const body = { image: jpeg?.toString("base64"), type: "jpg", labels };
      return { url: `${url}/api/v1.0/nn/image`, headers: { Token: secret }, body };
    },
  },
  onestepai: {
    title: "OneStepAI",
    target(url, folder) {
      const category = { default: 1 };
      const settings = { kind: "onestepai", url: `${url}/api`, accessToken: secret, datasetId: 514, category };
      const memory = new TargetMemoryFile(folder, "onestepai");
      return new OnestepaiTarget(onestepaiConfig.parse({ id: "bench", ...settings }), { memory });
    },
  },
};

export function memoryIn(folder: string, kind: string): TargetMemoryFile {
  return new TargetMemoryFile(join(folder, kind), "bench");
}
