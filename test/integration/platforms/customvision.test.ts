import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { CustomVisionSandbox, sandboxIterationId, sandboxProjectId } from "../../../src/sandbox/customvision/server.ts";
import { platformSuite } from "../../lib/platform-cases.ts";
import { sampleJpeg } from "../../lib/records.ts";

const trainingKey = "customvision-command-canary";
const predictionId = "77777777-0000-4000-8000-000000000001";
const pictureUrl = "https://pictures.example/a.jpg";

async function make() {
  const switches = { requestsPerSecondMax: Infinity };
  const sandbox = new CustomVisionSandbox({ trainingKey, switches });
  const { url } = await sandbox.start();
  sandbox.offer(predictionId, sampleJpeg(301));
  sandbox.offer(pictureUrl, sampleJpeg(302));
  const [person, car] = [sandbox.addTag("person"), sandbox.addTag("car")];
  return {
    sandbox,
    person,
    car,
    environment: {
      FRAMEPOST_CUSTOMVISION_URL: url,
      FRAMEPOST_CUSTOMVISION_TRAINING_KEY: trainingKey,
      FRAMEPOST_CUSTOMVISION_PROJECT_ID: sandboxProjectId,
      FRAMEPOST_CUSTOMVISION_API_VERSION: "v3.3",
    },
    secrets: [trainingKey],
    [Symbol.asyncDispose]: () => sandbox.stop(),
  };
}

type Bench = Awaited<ReturnType<typeof make>>;

async function files(folder: string, ...seeds: readonly number[]): Promise<readonly string[]> {
  return Promise.all(
    seeds.map(async (seed) => {
      const file = join(folder, `p${seed}.jpg`);
      await writeFile(file, sampleJpeg(seed));
      return file;
    }),
  );
}

const idOf = ({ sandbox }: Bench, name: string): string =>
  sandbox.stored().find((image) => image.name === name)?.id ?? assert.fail(`no image ${name}`);
const tagsOf = ({ sandbox }: Bench, name: string) => sandbox.stored().find((image) => image.name === name)?.tags;
const namesOf = (result: unknown) => (result as readonly { id: string }[]).map(({ id }) => id);
const statusesOf = (result: unknown) =>
  (result as { images: readonly { status: string }[] }).images.map(({ status }) => status);
const region = (tagId: string) => ({ tagId, left: 0.25, top: 0.25, width: 0.5, height: 0.25 });
const page = ["--iteration-id", sandboxIterationId, "--order-by", "Oldest", "--take", "2", "--skip", "1"];

platformSuite("customvision", make, [
  {
    operation: "create-images-from-data",
    shows: "65 files in two requests, all with two tags",
    words: async ({ person, car }, folder) => [
      ...(await files(folder, ...Array.from({ length: 65 }, (_, at) => at + 1))),
      ...["--tag-ids", `${person},${car}`],
    ],
    check(result, bench) {
      assert.equal(statusesOf(result).filter((status) => status === "OK").length, 65);
      assert.deepEqual(tagsOf(bench, "p65.jpg"), ["person", "car"]);
    },
  },
  {
    operation: "create-images-from-data",
    shows: "an octet-stream without a tag",
    words: async (_, folder) => [...(await files(folder, 100)), "--form", "octet-stream"],
    check(result, { sandbox }) {
      assert.deepEqual(statusesOf(result), ["OK"]);
      assert.deepEqual(sandbox.stored().at(-1)?.tags, []);
    },
  },
  {
    operation: "create-images-from-files",
    shows: "each with its own tags and boxes, and metadata for all",
    words: async ({ person, car }, folder) => [
      ...(await files(folder, 201, 202, 203)),
      ...["--tag-ids", car, "--image-tags", JSON.stringify({ "p201.jpg": [person] })],
      ...["--regions", JSON.stringify({ "p202.jpg": [region(person)] })],
      ...["--metadata", "gate=north", "--metadata", "shift=2"],
    ],
    check(result, bench) {
      assert.deepEqual(statusesOf(result), ["OK", "OK", "OK"]);
      assert.deepEqual(tagsOf(bench, "p201.jpg"), ["car", "person"]);
      const stored = bench.sandbox.stored().find(({ name }) => name === "p202.jpg");
      assert.deepEqual(stored?.boxes, [{ label: "person", box: { left: 16, top: 12, width: 32, height: 12 } }]);
      assert.deepEqual(stored.metadata, { gate: "north", shift: "2" });
    },
  },
  {
    operation: "create-images-from-predictions",
    shows: "one that is there and one that is not",
    exitCode: 1,
    words: ({ person, car }) => [
      ...[predictionId, "77777777-0000-4000-8000-000000000002", "--tag-ids", car],
      ...["--image-tags", JSON.stringify({ [predictionId]: [person] })],
      ...["--regions", JSON.stringify({ [predictionId]: [region(car)] }), "--metadata", "from=prediction"],
    ],
    check(result, bench) {
      assert.deepEqual(statusesOf(result).toSorted(), ["ErrorSource", "OK"]);
      assert.deepEqual(tagsOf(bench, predictionId), ["car", "person"]);
    },
  },
  {
    operation: "create-images-from-urls",
    shows: "an address that the service can reach",
    words: ({ person, car }) => [
      ...[pictureUrl, "--tag-ids", car, "--image-tags", JSON.stringify({ [pictureUrl]: [person] })],
      ...["--regions", JSON.stringify({ [pictureUrl]: [region(car)] }), "--metadata", "from=web"],
    ],
    check(result, bench) {
      assert.deepEqual(statusesOf(result), ["OK"]);
      assert.deepEqual(tagsOf(bench, pictureUrl), ["car", "person"]);
    },
  },
  {
    operation: "get-tagged-images",
    shows: "the newest 50",
    words: () => [],
    check(result, bench) {
      assert.equal(namesOf(result).length, 50);
      assert.equal(namesOf(result)[0], idOf(bench, pictureUrl));
    },
  },
  {
    operation: "get-tagged-images",
    shows: "a page of those with a tag, the oldest first",
    words: ({ car }) => ["--tag-ids", car, ...page],
    check: (result, bench) => {
      assert.deepEqual(namesOf(result), [idOf(bench, "p2.jpg"), idOf(bench, "p3.jpg")]);
    },
  },
  {
    operation: "get-untagged-images",
    shows: "a page of those without tags",
    words: () => page,
    check: (result) => assert.deepEqual(result, []),
  },
  {
    operation: "post-image-tags",
    shows: "a tag that is new on an image, and one that it has",
    words: (bench) => [`${idOf(bench, "p203.jpg")}=${bench.person}`, `${idOf(bench, "p201.jpg")}=${bench.person}`],
    check(result, bench) {
      const { created, duplicated } = result as { created: readonly unknown[]; duplicated: readonly unknown[] };
      assert.deepEqual([created.length, duplicated.length], [1, 1]);
      assert.deepEqual(tagsOf(bench, "p203.jpg"), ["car", "person"]);
    },
  },
  {
    operation: "delete-image-tags",
    shows: "two images lose a tag",
    words: (bench) => [idOf(bench, "p201.jpg"), idOf(bench, "p203.jpg"), "--tag-ids", bench.car],
    check: (_, bench) => assert.deepEqual(tagsOf(bench, "p203.jpg"), ["person"]),
  },
  {
    operation: "delete-images",
    shows: "one image less",
    words: (bench) => [idOf(bench, "p1.jpg")],
    check: (_, { sandbox }) => assert.ok(!sandbox.stored().some(({ name }) => name === "p1.jpg")),
  },
  {
    operation: "tags",
    shows: "ids and counts",
    words: () => ["--iteration-id", sandboxIterationId],
    check: (result, { person }) => {
      const tag = (result as readonly { id: string; name: string; imageCount: number }[]).find(
        ({ id }) => id === person,
      );
      assert.equal(tag?.name, "person");
      assert.ok(tag.imageCount > 60);
    },
  },
  {
    operation: "create-tag",
    shows: "a name with blanks, a description and a type",
    words: () => ["fork lift & co", "--description", "yellow, mostly", "--type", "Regular"],
    check: (result, { sandbox }) => {
      assert.equal((result as { name: string }).name, "fork lift & co");
      assert.ok(sandbox.tags().some(({ name }) => name === "fork lift & co"));
    },
  },
  {
    operation: "project",
    shows: "its domain, with its id in the clear",
    words: () => [],
    check: (result) => assert.equal((result as { id: string }).id, sandboxProjectId),
  },
  {
    operation: "domains",
    shows: "all of them",
    words: () => [],
    check: (result) => assert.equal((result as readonly unknown[]).length, 2),
  },
  {
    operation: "domains",
    shows: "the one that detects objects",
    words: () => ["d0000000-0000-4000-8000-000000000002"],
    check: (result) => assert.equal((result as { type: string }).type, "ObjectDetection"),
  },
  {
    operation: "create-image-regions",
    shows: "a box on a stored image",
    words: (bench) => [JSON.stringify([{ imageId: idOf(bench, "p203.jpg"), ...region(bench.car) }])],
    check(result, bench) {
      assert.equal((result as { created: readonly unknown[] }).created.length, 1);
      assert.equal(bench.sandbox.stored().find(({ name }) => name === "p203.jpg")?.boxes.length, 1);
    },
  },
  {
    operation: "delete-image-regions",
    shows: "a box is gone",
    words: async (bench) => {
      const listed = await fetch(`${bench.environment.FRAMEPOST_CUSTOMVISION_URL}${regionsPath}`, {
        headers: { "Training-Key": trainingKey },
      });
      const images = (await listed.json()) as readonly { regions: readonly { regionId: string }[] }[];
      return images.flatMap(({ regions }) => regions.map(({ regionId }) => regionId));
    },
    check: (_, { sandbox }) => assert.ok(sandbox.stored().every(({ boxes }) => boxes.length === 0)),
  },
]);

const regionsPath = `/customvision/v3.3/training/projects/${sandboxProjectId}/images/tagged?take=256`;
