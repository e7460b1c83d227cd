import type { IotownClient } from "../../src/targets/iotown/client.ts";
import type { BoxOrigin, IotownLabel } from "../../src/targets/iotown/encode.ts";
import type { LabelSource, SourceBox, SourceImage } from "./source.ts";

/**
 * IoT.own answers the pictures of one class at a time. Whether other classes' labels of a picture come along is not
 * known, so of each answer only the labels of its class are read.
 */
export function iotownSource(
  client: Pick<IotownClient, "downloadAnnotations" | "downloadImage">,
  {
    url,
    grpid,
    boxOrigin,
  }: { readonly url: string; readonly grpid?: string | undefined; readonly boxOrigin: BoxOrigin },
): LabelSource {
  const shift = boxOrigin === "center" ? 0.5 : 0;
  /** The whole size, in fractions. */
  const asBox = ({ name, x, y, w, h }: IotownLabel): SourceBox => ({
    label: name,
    unit: "fraction",
    box: { left: x - w * shift, top: y - h * shift, width: w, height: h },
  });
  return {
    origin: `iotown ${url}${grpid === undefined ? "" : ` group ${grpid}`}`,
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
