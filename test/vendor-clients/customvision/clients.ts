import type { Json } from "../fixture.ts";
import type { VendorCase, VendorClient } from "../vendor-client.ts";
import { customVisionAnswers } from "./answers.ts";

/** The calls of the Custom Vision clients that are recorded. The names of an operation differ between the languages. */

const projectId = "6a0c1f6e-0000-4000-8000-000000000001";
const forklift = "11111111-0000-4000-8000-000000000001";
const person = "11111111-0000-4000-8000-000000000002";
const iterationId = "33333333-0000-4000-8000-000000000001";
const imageIds = ["22222222-0000-4000-8000-000000000001", "22222222-0000-4000-8000-000000000002"] as const;

const region = { tagId: forklift, left: 0.109375, top: 0.125, width: 0.3125, height: 0.25 };

interface Named {
  readonly name: string;
  readonly operation: string;
  readonly input: Readonly<Record<string, Json>>;
}

/** The nine operations of the document, with every option, and tags, project and domains. */
const common: readonly Named[] = [
  {
    name: "create-images-from-files",
    operation: "create_images_from_files",
    input: {
      projectId,
      images: [
        { name: "photo-1.jpg", file: "photo-1.jpg", tagIds: [forklift] },
        { name: "photo-2.jpg", file: "photo-2.jpg" },
      ],
      tagIds: [person],
    },
  },
  {
    name: "create-images-from-urls",
    operation: "create_images_from_urls",
    input: { projectId, images: [{ url: "https://photos.example/photo-1.jpg", tagIds: [forklift] }], tagIds: [person] },
  },
  {
    name: "create-images-from-predictions",
    operation: "create_images_from_predictions",
    input: { projectId, images: [{ id: imageIds[0], tagIds: [forklift] }, { id: imageIds[1] }] },
  },
  {
    name: "create-images-from-data",
    operation: "create_images_from_data",
    input: { projectId, file: "photo-1.jpg", tagIds: [forklift, person] },
  },
  {
    name: "delete-image-tags",
    operation: "delete_image_tags",
    input: { projectId, imageIds, tagIds: [forklift, person] },
  },
  { name: "delete-images", operation: "delete_images", input: { projectId, imageIds } },
  {
    name: "get-tagged-images",
    operation: "get_tagged_images",
    input: { projectId, iterationId, tagIds: [forklift, person], orderBy: "Oldest", take: 20, skip: 40 },
  },
  { name: "get-tagged-images-default", operation: "get_tagged_images", input: { projectId } },
  {
    name: "get-untagged-images",
    operation: "get_untagged_images",
    input: { projectId, iterationId, orderBy: "Newest", take: 256, skip: 0 },
  },
  {
    name: "create-image-tags",
    operation: "create_image_tags",
    input: {
      projectId,
      tags: [
        { imageId: imageIds[0], tagId: forklift },
        { imageId: imageIds[1], tagId: person },
      ],
    },
  },
  { name: "get-tags", operation: "get_tags", input: { projectId, iterationId } },
  { name: "create-tag", operation: "create_tag", input: { projectId, name: "fork lift & co", description: "yellow" } },
  { name: "get-project", operation: "get_project", input: { projectId } },
  { name: "get-domains", operation: "get_domains", input: {} },
  { name: "get-domain", operation: "get_domain", input: { domainId: "da2e3a8a-0000-4000-8000-000000000001" } },
];

const regions: readonly Named[] = [
  {
    name: "create-images-from-files-with-regions",
    operation: "create_images_from_files",
    input: { projectId, images: [{ name: "photo-1.jpg", file: "photo-1.jpg", regions: [region] }] },
  },
  {
    name: "create-image-regions",
    operation: "create_image_regions",
    input: { projectId, regions: [{ imageId: imageIds[0], ...region }] },
  },
  {
    name: "delete-image-regions",
    operation: "delete_image_regions",
    input: { projectId, regionIds: ["44444444-0000-4000-8000-000000000001"] },
  },
];

const metadata: Named = {
  name: "create-images-from-files-with-metadata",
  operation: "create_images_from_files",
  input: { projectId, images: [{ name: "photo-1.jpg", file: "photo-1.jpg" }], metadata: { device: "gw-07" } },
};

function vendorCase({ name, operation, input }: Named): VendorCase {
  return { name, operation, call: `client.${operation}(…) with the fields of "input"`, input };
}

function python(version: string, cases: readonly Named[]): VendorClient {
  return {
    kind: "customvision",
    id: `azure-python-${version}`,
    name: `azure-cognitiveservices-vision-customvision ${version}`,
    language: "python",
    driver: "driver.py",
    cases: cases.map(vendorCase),
    answers: customVisionAnswers,
  };
}

function javascript(version: string): VendorClient {
  const camel = (name: string): string => name.replace(/_(.)/g, (_, letter: string) => letter.toUpperCase());
  return {
    kind: "customvision",
    id: `azure-javascript-${version}`,
    name: `@azure/cognitiveservices-customvision-training ${version}`,
    language: "javascript",
    driver: "driver.mjs",
    cases: [...common, ...regions].map((each) => vendorCase({ ...each, operation: camel(each.operation) })),
    answers: customVisionAnswers,
  };
}

/** In v1.2 the operation had another name. */
const first = common.map((each) =>
  each.operation === "create_image_tags" ? { ...each, operation: "post_image_tags" } : each,
);

export const customVisionClients: readonly VendorClient[] = [
  python("0.1.0", first),
  python("3.0.0", [...common, ...regions, metadata]),
  python("3.1.1", [...common, ...regions, metadata]),
  javascript("4.0.0"),
  javascript("5.2.0"),
];
