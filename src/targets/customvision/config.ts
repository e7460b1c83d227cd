import { z } from "zod";
import { byteSize, identifier } from "../../config/values.ts";
import {
  connectionFields,
  connectionWarnings,
  filterFields,
  headerSecret,
  queueFields,
  reduceFields,
  serverUrl,
} from "../config.ts";
import { customVisionLimits, v12Url } from "./limits.ts";

const accessFields = {
  url: serverUrl("https://vision.cognitiveservices.azure.com", /\/customvision\//i)
    .optional()
    .describe("Endpoint of the training resource, without /customvision; v1.2 has one for all when left out"),
  trainingKey: headerSecret.describe("Key of the training resource"),
  projectId: z.guid("expected the project's id, a UUID").describe("Id of the project, as its settings page shows it"),
  apiVersion: z.enum(["v3.3", "v1.2"]).default("v3.3").describe("v1.2 knows no boxes, and nobody could try it live"),
  ...connectionFields,
};

interface Access {
  readonly url?: string | undefined;
  readonly apiVersion: "v3.3" | "v1.2";
}

const reachable = ({ url, apiVersion }: Access) => url !== undefined || apiVersion === "v1.2";
const unreachable = { path: ["url"], error: "v3.3 needs the endpoint of the resource" };

/** What reaches the project, out of a target's config or the environment. */
export const customVisionAccess = z.object(accessFields).refine(reachable, unreachable);

export const customVisionConfig = z
  .strictObject({
    id: identifier.describe("Name of this target in logs, commands and the spool"),
    kind: z.literal("customvision"),
    ...accessFields,
    annotations: z
      .enum(["auto", "regions", "tags"])
      .default("auto")
      .describe("Boxes as regions, or labels as tags of the whole image; auto does what the project is made for"),
    missingTags: z
      .enum(["create", "leave-out", "refuse"])
      .default("create")
      .describe("A label that the project has no tag for: create the tag, send without it, or set the record aside"),
    imagesPerRequest: z
      .int()
      .min(1)
      .max(customVisionLimits.imagesPerRequest)
      .default(customVisionLimits.imagesPerRequest)
      .describe("Most images in one request; the service takes 64"),
    bytesPerRequest: byteSize
      .refine((bytes) => bytes >= 64 * 1024, "expected 64KB or more")
      .refine((bytes) => bytes <= 64 * 1024 ** 2, "expected 64MB or less")
      .prefault("8MB")
      .describe("Most base64 in one request; a single larger image still goes alone"),
    ...filterFields,
    ...queueFields,
    ...reduceFields,
  })
  .refine(reachable, unreachable)
  .refine(({ apiVersion, annotations }) => apiVersion !== "v1.2" || annotations !== "regions", {
    path: ["annotations"],
    error: "v1.2 has no regions",
  });

export type CustomVisionConfig = z.infer<typeof customVisionConfig>;

/** What an operator should know although it is allowed. Holds no secret. */
export function customVisionWarnings(config: CustomVisionConfig): readonly string[] {
  const { id, url = v12Url, apiVersion, tls } = config;
  const old = `${id}: apiVersion v1.2 takes no boxes, only which labels an image shows; v3.3 takes both`;
  return [
    ...(apiVersion === "v1.2" ? [old] : []),
    ...connectionWarnings({ id, url, tls }, "the training key and the pictures"),
  ];
}
