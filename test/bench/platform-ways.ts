import { SystemClock } from "../../src/core/clock.ts";
import type { Target, TargetMemory } from "../../src/core/ports.ts";
import type { Detection } from "../../src/core/types.ts";
import { customVisionConfig } from "../../src/targets/customvision/config.ts";
import { CustomVisionTarget } from "../../src/targets/customvision/target.ts";
import { iotownConfig } from "../../src/targets/iotown/config.ts";
import { IotownTarget } from "../../src/targets/iotown/target.ts";
import { layernextConfig } from "../../src/targets/layernext/config.ts";
import { LayernextTarget } from "../../src/targets/layernext/target.ts";
import { onestepaiConfig } from "../../src/targets/onestepai/config.ts";
import { OnestepaiTarget } from "../../src/targets/onestepai/target.ts";
import { remoConfig } from "../../src/targets/remo/config.ts";
import { RemoTarget } from "../../src/targets/remo/target.ts";

/** How a platform's upload is measured. */
export interface PlatformWay {
  readonly title: string;
  target(url: string, memory: TargetMemory): Target;
  /**
   * What one would write first with axios, where the platform takes base64 in JSON: one request for all of these
   * pictures. Absent: it is compared with its own requests, their bodies ready.
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

const id = "bench";
const secret = "bench-secret";
const projectId = "00000000-0000-4000-8000-000000000000";
const clock = new SystemClock();

export const platformWays: Readonly<Record<string, PlatformWay>> = {
  iotown: {
    title: "IoT.own",
    target: (url) => new IotownTarget(iotownConfig.parse({ id, kind: "iotown", url, token: secret })),
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
  customvision: {
    title: "Custom Vision",
    target(url) {
      const config = customVisionConfig.parse({ id, kind: "customvision", url, trainingKey: secret, projectId });
      return new CustomVisionTarget(config, { clock });
    },
    plain(url, pictures) {
      const images = pictures.map(({ name, jpeg, detections, width, height }) => ({
        name,
        contents: jpeg.toString("base64"),
        regions: detections.map(({ box }) => ({
          tagId: projectId,
          left: box.left / width,
          top: box.top / height,
          width: box.width / width,
          height: box.height / height,
        })),
      }));
      const path = `/customvision/v3.3/training/projects/${projectId}/images/files`;
      return { url: url + path, headers: { "Training-Key": secret }, body: { images } };
    },
  },
  layernext: {
    title: "LayerNext",
    target(url, memory) {
      const access = { url, apiKey: "bench", secret, collection: "bench" };
      return new LayernextTarget(layernextConfig.parse({ id, kind: "layernext", ...access }), { memory });
    },
  },
  onestepai: {
    title: "OneStepAI",
    target(url, memory) {
      const access = { url: `${url}/api`, accessToken: secret, datasetId: 514, category: { default: 1 } };
      return new OnestepaiTarget(onestepaiConfig.parse({ id, kind: "onestepai", ...access }), { memory });
    },
  },
  remo: {
    title: "remo",
    target(url, memory) {
      const access = { url, email: "bench@site.example", password: secret, datasetId: 1 };
      return new RemoTarget({ config: remoConfig.parse({ id, kind: "remo", ...access }), memory });
    },
  },
};
