import { describe } from "mocha";

import { OnestepaiClient } from "../../src/targets/onestepai/client.ts";
import { describeComparison, type Occasion } from "../vendor-clients/comparison.ts";
import type { Fixture } from "../vendor-clients/fixture.ts";

interface Upload {
  readonly accessToken: string;
  readonly dataset: string;
  /** Path in the folder to the picture that lies there. */
  readonly files: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
}

/** What the document's sample does, in its order. */
async function uploadFolder({ input }: Fixture, { url, link, photo, signal }: Occasion): Promise<void> {
  const { accessToken, dataset, files, annotations } = input as unknown as Upload;
  const client = new OnestepaiClient({ url: `${url}/api`, accessToken }, link);
  const datasetId = await client.createDataset(dataset, signal);
  const uploadId = await client.startUploading(datasetId, signal);
  const categories = new Map<string, string>();
  for (const file of Object.keys(files)) {
    const [category = ""] = file.split("/");
    if (!categories.has(category)) categories.set(category, await client.createCategory(datasetId, category, signal));
  }
  for (const [file, picture] of Object.entries(files)) {
    const [category = "", name = ""] = file.split("/");
    const categoryId = categories.get(category) ?? "";
    const annotation = annotations[file.replace(/\.\w+$/, ".xml")];
    const image = photo(picture);
    await client.uploadChunk({ datasetId, uploadId, name, image, annotation, categoryId }, signal);
  }
  await client.finishUploading(datasetId, uploadId, signal);
}

describe("OneStepAI", () => {
  describeComparison({
    kind: "onestepai",
    client: "document-sample-image-upload",
    drive: uploadFolder,
    stated: [
      {
        where: "* POST /api/Images/UploadChunk query.skipUnsupportedImages",
        ours: "false",
        theirs: "False",
        why: "Python writes its booleans with a capital; in an address both are read.",
      },
    ],
  });
});
