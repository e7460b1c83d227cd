// Makes one call of @azure/cognitiveservices-customvision-training against a local server. VENDOR_MODULES is the folder
// outside the repository in which the package was installed.
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import path from "node:path";
import { text } from "node:stream/consumers";

const require = createRequire(path.join(process.env.VENDOR_MODULES, "package.json"));
const { TrainingAPIClient } = require("@azure/cognitiveservices-customvision-training");
const { ApiKeyCredentials } = createRequire(require.resolve("@azure/cognitiveservices-customvision-training"))(
  "@azure/ms-rest-js",
);

const { server, operation, input } = JSON.parse(await text(process.stdin));
const credentials = new ApiKeyCredentials({ inHeader: { "Training-key": "test-key" } });
const { version } = require("@azure/cognitiveservices-customvision-training/package.json");
// Up to 4.0.0 the client takes the key itself and the ids of a deletion as an argument.
const isEarly = Number.parseInt(version, 10) < 5;
const client = new TrainingAPIClient(isEarly ? "test-key" : credentials, server);

function call() {
  const { projectId, domainId, images, tags, regions, file, imageIds, regionIds, name, tagIds, ...options } = input;
  const batch = { images, ...(tagIds === undefined ? {} : { tagIds }), ...options };
  const selected = { ...options, ...(tagIds === undefined ? {} : { tagIds }) };
  switch (operation) {
    case "createImagesFromFiles":
      batch.images = images.map(({ file: at, ...entry }) => ({ ...entry, contents: readFileSync(at) }));
      return client.createImagesFromFiles(projectId, batch);
    case "createImagesFromUrls":
      return client.createImagesFromUrls(projectId, batch);
    case "createImagesFromPredictions":
      return client.createImagesFromPredictions(projectId, batch);
    case "createImagesFromData":
      return client.createImagesFromData(projectId, readFileSync(file), selected);
    case "createImageTags":
      return client.createImageTags(projectId, { tags });
    case "createImageRegions":
      return client.createImageRegions(projectId, { regions });
    case "deleteImageTags":
      return client.deleteImageTags(projectId, imageIds, tagIds);
    case "deleteImages":
      return client.deleteImages(projectId, isEarly ? imageIds : { imageIds });
    case "deleteImageRegions":
      return client.deleteImageRegions(projectId, regionIds);
    case "getDomains":
      return client.getDomains();
    case "getDomain":
      return client.getDomain(domainId);
    case "createTag":
      return client.createTag(projectId, name, options);
    default:
      return client[operation](projectId, selected);
  }
}

let result;
try {
  result = (await call()) ?? null;
} catch (error) {
  result = { raised: `${error.name}: ${error.message}` };
}
console.log(`\nRESULT ${JSON.stringify(result)}`);
