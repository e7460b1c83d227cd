import { describe } from "mocha";

import { CustomVisionClient } from "../../src/targets/customvision/client.ts";
import type { ApiVersion, NewRegion } from "../../src/targets/customvision/models.ts";
import { describeComparison, type Occasion } from "../vendor-clients/comparison.ts";
import type { StatedDifference } from "../vendor-clients/differences.ts";
import type { Fixture } from "../vendor-clients/fixture.ts";

interface Input {
  readonly projectId?: string;
  readonly images: readonly {
    readonly name: string;
    readonly file: string;
    readonly url: string;
    readonly id: string;
    readonly tagIds?: readonly string[];
    readonly regions?: readonly NewRegion[];
  }[];
  readonly file: string;
  readonly imageIds: readonly string[];
  readonly tagIds?: readonly string[];
  readonly regionIds: readonly string[];
  readonly regions: readonly (NewRegion & { readonly imageId: string })[];
  readonly tags: readonly {
    readonly imageId: string;
    readonly tagId: string;
  }[];
  readonly iterationId?: string;
  readonly orderBy?: "Newest" | "Oldest";
  readonly take?: number;
  readonly skip?: number;
  readonly name: string;
  readonly description?: string;
  readonly domainId: string;
  readonly metadata?: Readonly<Record<string, string>>;
}

/** The clients of a preview or of an older v3 are compared with v3.3: they differ in the version alone. */
function drivenAs(apiVersion: ApiVersion) {
  return async (fixture: Fixture, occasion: Occasion): Promise<void> => {
    const given = fixture.input as unknown as Input;
    const { projectId = "6a0c1f6e-0000-4000-8000-000000000001" } = given;
    const access = {
      apiVersion,
      url: occasion.url,
      trainingKey: "test-key",
      projectId,
    };
    await call(new CustomVisionClient(access, occasion.link), {
      fixture,
      given,
      occasion,
    });
  };
}

interface Call {
  readonly fixture: Fixture;
  readonly given: Input;
  readonly occasion: Occasion;
}

async function call(client: CustomVisionClient, { fixture, given, occasion }: Call): Promise<unknown> {
  const { photo, signal } = occasion;
  const { images, tagIds = [], tags, imageIds, regionIds, name } = given;
  switch (fixture.operation.replace(/_(.)/g, (_, letter: string) => letter.toUpperCase())) {
    case "createImagesFromFiles":
      return client.createImagesFromFiles(
        images.map(({ file, ...entry }) => ({
          ...entry,
          contents: photo(file),
        })),
        batchOf(given),
        signal,
      );
    case "createImagesFromUrls":
      return client.createImagesFromUrls(images, batchOf(given), signal);
    case "createImagesFromPredictions":
      return client.createImagesFromPredictions(images, batchOf(given), signal);
    case "createImagesFromData":
      return client.createImagesFromData([{ name: given.file, bytes: photo(given.file) }], { tagIds }, signal);
    case "deleteImageTags":
      return client.deleteImageTags(imageIds, tagIds, signal);
    case "deleteImages":
      return client.deleteImages(imageIds, signal);
    case "getTaggedImages":
      return client.getTaggedImages({ ...listOf(given), tagIds }, signal);
    case "getUntaggedImages":
      return client.getUntaggedImages(listOf(given), signal);
    case "postImageTags":
    case "createImageTags":
      return client.postImageTags(tags, signal);
    case "createImageRegions":
      return client.createImageRegions(given.regions, signal);
    case "deleteImageRegions":
      return client.deleteImageRegions(regionIds, signal);
    case "getTags":
      return client.listTags(present({ iterationId: given.iterationId }), signal);
    case "createTag":
      return client.createTag(name, present({ description: given.description }), signal);
    case "getProject":
      return client.getProject(signal);
    case "getDomains":
      return client.getDomains(signal);
    case "getDomain":
      return client.getDomain(given.domainId, signal);
    default:
      throw new Error(`unknown operation ${fixture.operation}`);
  }
}

function batchOf({ tagIds, metadata }: Input) {
  return present({ tagIds, metadata });
}

function listOf({ iterationId, orderBy, take, skip }: Input) {
  return present({ iterationId, orderBy, take, skip });
}

type Present<T> = { readonly [K in keyof T]?: Exclude<T[K], undefined> };

function present<T extends object>(fields: T): Present<T> {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as Present<T>;
}

const withoutBody = "There is no body that the type could be of.";
const json = "application/json; charset=utf-8";
const onGet: StatedDifference = {
  where: "* GET * headers.content-type",
  ours: undefined,
  theirs: json,
  why: withoutBody,
};
const onDelete: StatedDifference = {
  ...onGet,
  where: "delete-* DELETE * headers.content-type",
};
const onTag: StatedDifference = {
  ...onGet,
  where: "create-tag POST * headers.content-type",
};
const bodyless = [onGet, onDelete, onTag];

const accept = { ours: "application/json", theirs: "*/*" };
const dataAccept: StatedDifference = {
  where: "create-images-from-data POST * headers.accept",
  ...accept,
  why: "The document names application/json as what this operation answers.",
};
const anyAccept: StatedDifference = {
  where: "* headers.accept",
  ...accept,
  why: "The JavaScript client leaves the form of the answer open; ours reads JSON.",
};
const fileName: StatedDifference = {
  where: "create-images-from-data POST * body.parts.imageData.filename",
  ours: "photo-1.jpg",
  theirs: undefined,
  why: "The JavaScript client sends none; the Python client does, and answers are told apart by it.",
};

describe("Custom Vision", () => {
  const kind = "customvision";
  describeComparison({
    kind,
    client: "azure-python-0.1.0",
    drive: drivenAs("v1.2"),
    stated: [...bodyless, dataAccept],
  });
  describeComparison({
    kind,
    client: "azure-python-3.0.0",
    drive: drivenAs("v3.3"),
    stated: [],
  });
  describeComparison({
    kind,
    client: "azure-python-3.1.1",
    replaced: { "/v3.4-preview/": "/v3.3/" },
    drive: drivenAs("v3.3"),
    stated: [],
  });
  describeComparison({
    kind,
    client: "azure-javascript-4.0.0",
    replaced: { "/v3.0/": "/v3.3/" },
    drive: drivenAs("v3.3"),
    stated: [...bodyless, anyAccept, fileName],
  });
  describeComparison({
    kind,
    client: "azure-javascript-5.2.0",
    replaced: { "/v3.4-preview/": "/v3.3/" },
    drive: drivenAs("v3.3"),
    stated: [...bodyless, anyAccept, fileName],
  });
});
