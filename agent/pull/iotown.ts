import type { IotownClient } from "../../src/targets/iotown/client.ts";
import type { LabelSource, SourceBox, SourceImage } from "./source.ts";

/**
 * IoT.own answers the pictures of one class at a time. Whether other classes' labels of a picture come along is not
 * known, so of each answer only the labels of its class are read.
 */
export function iotownSource(
  client: Pick<IotownClient, "downloadAnnotations" | "downloadImage">,
  url: string,
): LabelSource {
  return {
    origin: `iotown ${url}`,
    async list(classes, signal) {
      const boxes = new Map<string, SourceBox[]>();
      for (const label of classes) {
        for (const { id, labels } of await client.downloadAnnotations(label, signal)) {
          const own = labels.filter(({ name }) => name === label).map(asBox);
          if (own.length > 0) boxes.set(id, [...(boxes.get(id) ?? []), ...own]);
        }
      }
      return [...boxes].map(([id, own]): SourceImage => ({
        id,
        boxes: own,
        fetch: (fetching) => client.downloadImage(id, fetching),
      }));
    },
  };
}

/** The centre and the whole size, in fractions. */
function asBox({ name, x, y, w, h }: { name: string; x: number; y: number; w: number; h: number }): SourceBox {
  return { label: name, unit: "fraction", box: { left: x - w / 2, top: y - h / 2, width: w, height: h } };
}
