import { AgentError } from "../../src/core/errors.ts";
import { pullLimits } from "../../src/core/deliver-limits.ts";
import type { CustomVisionClient } from "../../src/targets/customvision/client.ts";
import { customVisionLimits } from "../../src/targets/customvision/limits.ts";
import type { CustomVisionImage } from "../../src/targets/customvision/models.ts";
import { annotationsOf } from "../../src/targets/customvision/project.ts";
import type { LabelSource, SourceBox, SourceImage } from "./source.ts";

/**
 * Images with regions of an object-detection project. Where there are only tags (v1.2, projects that classify) it fails:
 * every format of ours is about boxes, and one around the whole image would be an invention.
 */
export function customVisionSource(client: CustomVisionClient, endpoint: string, projectId: string): LabelSource {
  return {
    origin: `customvision ${endpoint} project ${projectId}`,
    async list(classes, signal) {
      if ((await annotationsOf(client, "auto", signal)) !== "regions") throw noBoxes(client.apiVersion);
      const tags = await client.listTags({}, signal);
      const names = new Map(tags.filter(({ name }) => classes.includes(name)).map(({ id, name }) => [id, name]));
      const images = new Map<string, SourceImage>();
      const ids = [...names.keys()];
      for (let at = 0; at < ids.length; at += customVisionLimits.tagsPerRequest) {
        const tagIds = ids.slice(at, at + customVisionLimits.tagsPerRequest);
        for await (const image of taggedImages(client, tagIds, signal)) {
          images.set(image.id, asSource(client, image, names));
        }
      }
      return [...images.values()];
    },
  };
}

/** The oldest first: what comes in meanwhile moves nothing from one page to the next. */
async function* taggedImages(
  client: CustomVisionClient,
  tagIds: readonly string[],
  signal: AbortSignal,
): AsyncGenerator<CustomVisionImage> {
  const take = customVisionLimits.takeMax;
  for (let skip = 0; skip <= pullLimits.imagesMax; skip += take) {
    const page = await client.getTaggedImages({ tagIds, orderBy: "Oldest", take, skip }, signal);
    yield* page;
    if (page.length < take) return;
  }
}

function asSource(
  client: CustomVisionClient,
  image: CustomVisionImage,
  names: ReadonlyMap<string, string>,
): SourceImage {
  const boxes = image.regions.flatMap(({ tagId, left, top, width, height }): readonly SourceBox[] => {
    const label = names.get(tagId);
    return label === undefined ? [] : [{ label, unit: "fraction", box: { left, top, width, height } }];
  });
  return { id: image.id, boxes, fetch: (signal) => client.downloadImage(image, signal) };
}

function noBoxes(apiVersion: string): AgentError {
  const why =
    apiVersion === "v1.2"
      ? "apiVersion v1.2 knows only tags; v3.3 has the boxes"
      : "this project classifies whole images, so there are tags and no boxes";
  return new AgentError("PULL_NO_BOXES", `pull from Custom Vision: ${why}`, { disposition: "fatal" });
}
