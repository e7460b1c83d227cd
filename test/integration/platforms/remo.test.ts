import assert from "node:assert/strict";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { RemoSandbox } from "../../../src/sandbox/remo/server.ts";
import { platformSuite, type PlatformCase } from "../../lib/platform-cases.ts";
import { sampleJpeg } from "../../lib/records.ts";

const email = "person@site.example";
const password = "remo-command-canary";

async function make() {
  const sandbox = new RemoSandbox({ email, password });
  const { url } = await sandbox.start();
  sandbox.switches.pendingPolls = 0;
  sandbox.switches.progressPolls = 0;
  const { world } = sandbox;
  const folder = world.addFolder(1, "night");
  const set = world.addSet(1, "boxes", "Object detection", ["Person"]);
  const jpeg = sampleJpeg(77);
  const place = { datasetId: 1, folderId: undefined, name: "there.jpg" };
  const image = world.addPicture(place, { sha256: "s", width: 64, height: 48, sizeBytes: jpeg.length }, jpeg);
  world.annotate(set, image, {
    fileName: image.name,
    classes: ["Person"],
    points: [
      { x: 1, y: 2 },
      { x: 10, y: 20 },
    ],
  });
  return {
    sandbox,
    world,
    folder,
    set,
    image,
    jpeg,
    environment: { FRAMEPOST_REMO_URL: url, FRAMEPOST_REMO_EMAIL: email, FRAMEPOST_REMO_PASSWORD: password },
    secrets: [password],
    async [Symbol.asyncDispose]() {
      assert.deepEqual(sandbox.violations(), []);
      await sandbox.stop();
    },
  };
}

type Bench = Awaited<ReturnType<typeof make>>;
type Case = PlatformCase<Bench>;

interface Page {
  readonly count: number;
  readonly results: readonly Readonly<Record<string, unknown>>[];
}

async function file(folder: string, name: string, content: Buffer | string): Promise<string> {
  const path = join(folder, name);
  await writeFile(path, content);
  return path;
}

const ids = ({ world, set }: Bench) => ({
  classNamed: (name: string) => String(world.classId(name)),
  tagNamed: (name: string) => String(world.tagId(name)),
  set: String(set.id),
});

const classNames = ({ world, set }: Bench): readonly (string | undefined)[] =>
  [...set.classIds].map((id) => world.classes.get(id));

const uploads: readonly Case[] = [
  {
    operation: "upload-files",
    shows: "pictures and a CSV in one session, in a folder",
    words: async ({ set, folder }, temp) => [
      "1",
      await file(temp, "rows.csv", "file_name,class_name,xmin,ymin,xmax,ymax\r\nnew.jpg,dog,4,2,24,11\r\n"),
      await file(temp, "new.jpg", sampleJpeg(5)),
      ...["--annotation-set-id", String(set.id), "--annotation-task", "Object detection"],
      ...["--folder-id", String(folder.id)],
    ],
    check(result, { world, sandbox, folder }) {
      const picture = world.pictureNamed(1, "new.jpg");
      assert.ok(picture !== undefined);
      assert.equal(picture.folderId, folder.id);
      assert.deepEqual(sandbox.labelsOf(picture)[0]?.classes, ["Dog"]);
      assert.equal((result as { status: { state: string } }).status.state, "done");
    },
  },
  {
    operation: "upload-files",
    shows: "simply files, without a session",
    words: async (_, temp) => ["1", await file(temp, "plain.jpg", sampleJpeg(6)), "--no-session"],
    check: (_, { world }) => assert.ok(world.pictureNamed(1, "plain.jpg") !== undefined),
  },
  {
    operation: "upload-files",
    shows: "several requests without a session, all of them worked through",
    words: async (_, temp) => [
      "1",
      await file(temp, "large.jpg", sampleJpeg(7, 8_400_000)),
      await file(temp, "small.jpg", sampleJpeg(8)),
      "--no-session",
    ],
    check(_, { world }) {
      for (const name of ["large.jpg", "small.jpg"]) assert.ok(world.pictureNamed(1, name) !== undefined, name);
    },
  },
  {
    operation: "link-files",
    shows: "paths on the server and addresses",
    words: ({ set, folder }) => [
      ...["1", "--local-file", "/home/ubuntu/dataset/D1", "--url", "http://pictures.example/a.jpg"],
      ...["--annotation-set-id", String(set.id), "--annotation-task", "Object detection"],
      ...["--folder-id", String(folder.id)],
    ],
    check(_, { sandbox }) {
      const expected = { localFiles: ["/home/ubuntu/dataset/D1"], urls: ["http://pictures.example/a.jpg"] };
      assert.deepEqual(sandbox.links(), [expected]);
    },
  },
  {
    operation: "link-files",
    shows: "as the document has it, without a session",
    words: () => ["1", "--url", "http://pictures.example/b.jpg", "--no-session"],
    check: (_, { world }) => assert.ok(world.pictureNamed(1, "b.jpg") !== undefined),
  },
  {
    operation: "open-session",
    shows: "an id",
    words: () => ["1"],
    check: (result, { sandbox }) =>
      assert.ok(sandbox.sessions.get((result as { session_id: string }).session_id) !== undefined),
  },
  {
    operation: "complete-session",
    shows: "that the server begins",
    words: ({ sandbox, world }) => [sandbox.sessions.open(world.addDataset("x")).id],
    check: (result) => assert.deepEqual(result, { begun: true }),
  },
  {
    operation: "session-status",
    shows: "what became of it",
    words: ({ sandbox, world }) => [sandbox.sessions.open(world.addDataset("y")).id],
    check: (result) => assert.equal((result as { state: string }).state, "not complete"),
  },
];

const sets: readonly Case[] = [
  {
    operation: "create-annotation-set",
    shows: "task, name and classes",
    words: () => ["1", "fine", "--annotation-task", "Instance segmentation", "--class", "Dog", "--class", "cat"],
    check: (_, { world }) =>
      assert.ok(
        world
          .setsOf(1)
          .some(
            ({ name, task, classIds }) => name === "fine" && task === "Instance segmentation" && classIds.size === 2,
          ),
      ),
  },
  {
    operation: "create-annotation-set-deprecated",
    shows: "the number of the task and a class by its id",
    words: (bench) => ["1", "old", "--task", "3", "--class", `${ids(bench).classNamed("Cow")}=Cow`],
    check: (_, { world }) =>
      assert.ok(world.setsOf(1).some(({ name, task }) => name === "old" && task === "Image classification")),
  },
  {
    operation: "get-annotation-set",
    shows: "task and classes",
    words: (bench) => [ids(bench).set],
    check: (result) => assert.equal((result as { task: string }).task, "Object detection"),
  },
  {
    operation: "rename-annotation-set",
    shows: "the new name",
    words: (bench) => [ids(bench).set, "crates"],
    check: (_, { set }) => assert.equal(set.name, "crates"),
  },
  {
    operation: "list-annotation-sets",
    shows: "one of a page of one",
    words: () => ["1", "--limit", "1"],
    check(result) {
      assert.equal((result as Page).results.length, 1);
      assert.ok((result as Page).count > 1);
    },
  },
  {
    operation: "list-classes",
    shows: "names and ids",
    words: (bench) => [ids(bench).set],
    check: (result) => assert.ok((result as { name: string }[]).some(({ name }) => name === "Person")),
  },
  {
    operation: "add-class",
    shows: "it in the set",
    words: (bench) => [ids(bench).set, "horse"],
    check: (_, bench) => assert.ok(classNames(bench).includes("Horse")),
  },
  {
    operation: "rename-class",
    shows: "another id where the new name has one",
    words: (bench) => [ids(bench).set, ids(bench).classNamed("Horse"), "pony"],
    check(result, bench) {
      assert.ok(classNames(bench).includes("Pony") && !classNames(bench).includes("Horse"));
      assert.equal((result as { id: number }).id, Number(ids(bench).classNamed("Pony")));
    },
  },
  {
    operation: "delete-class",
    shows: "it gone",
    words: (bench) => [ids(bench).set, ids(bench).classNamed("Pony")],
    check: (_, bench) => assert.ok(!classNames(bench).includes("Pony")),
  },
  {
    operation: "create-common-class",
    shows: "its id",
    words: () => ["New class name"],
    check: (result, bench) =>
      assert.deepEqual(result, { id: Number(ids(bench).classNamed("New class name")), name: "New class name" }),
  },
  {
    operation: "add-image-tag",
    shows: "the tag's own id",
    words: (bench) => [ids(bench).set, String(bench.image.id), "cat"],
    check: (_, { set, image }) =>
      assert.deepEqual(
        set.tags.map(({ imageId }) => imageId),
        [image.id],
      ),
  },
  {
    operation: "list-tags",
    shows: "all of the set",
    words: (bench) => [ids(bench).set],
    check: (result) =>
      assert.deepEqual(
        (result as { name: string }[]).map(({ name }) => name),
        ["cat"],
      ),
  },
  {
    operation: "rename-tag",
    shows: "the new one on the image",
    words: (bench) => [ids(bench).set, ids(bench).tagNamed("cat"), "tiger"],
    check: (_, bench) => assert.equal(bench.set.tags[0]?.tagId, Number(ids(bench).tagNamed("tiger"))),
  },
  {
    operation: "remove-image-tag",
    shows: "it gone from the image",
    words: (bench) => [ids(bench).set, String(bench.image.id), ids(bench).tagNamed("tiger")],
    check: (_, { set }) => assert.deepEqual(set.tags, []),
  },
  {
    operation: "delete-tag",
    shows: "it gone from the set",
    words(bench) {
      bench.set.tags.push({ tagId: bench.world.tagId("zero"), imageId: bench.image.id });
      return [ids(bench).set, ids(bench).tagNamed("zero")];
    },
    check: (_, { set }) => assert.deepEqual(set.tags, []),
  },
  {
    operation: "export-annotations",
    shows: "JSON in pixels, by default",
    words: (bench, temp) => [ids(bench).set, "--output", join(temp, "plain.json")],
    async check(_, __, temp) {
      const [first] = JSON.parse(await readFile(join(temp, "plain.json"), "utf8")) as { annotations: object[] }[];
      assert.deepEqual(first?.annotations, [{ classes: ["Person"], bbox: { xmin: 1, ymin: 2, xmax: 10, ymax: 20 } }]);
    },
  },
  {
    operation: "export-annotations",
    shows: "CSV in fractions with the server's paths",
    words: (bench, temp) => [
      ...[ids(bench).set, "--output", join(temp, "all.csv"), "--annotation-format", "csv"],
      ...["--full-path", "true", "--export-coordinates", "percent"],
    ],
    check: async (_, __, temp) =>
      assert.match(
        await readFile(join(temp, "all.csv"), "utf8"),
        /^file_name,classes[^\n]*\n\/home\/remo\/media\/there\.jpg,Person,0\.015625,/,
      ),
  },
  {
    operation: "export-annotations",
    shows: "COCO with tags as a zip",
    words: (bench, temp) => [
      ...[ids(bench).set, "--output", join(temp, "all.zip"), "--annotation-format", "coco", "--export-tags", "true"],
    ],
    check: async (result, _, temp) => {
      assert.equal((result as { isZip: boolean }).isZip, true);
      assert.equal((await readFile(join(temp, "all.zip"))).toString("latin1", 0, 2), "PK");
    },
  },
];

const datasets: readonly Case[] = [
  {
    operation: "login",
    shows: "that it worked, and no key",
    words: () => [],
    check: (result) => assert.deepEqual(result, { login: "accepted" }),
  },
  {
    operation: "create-dataset",
    shows: "its id",
    words: () => ["yard"],
    check: (result, { world }) => assert.equal(world.datasets.get((result as { id: number }).id)?.name, "yard"),
  },
  {
    operation: "list-datasets",
    shows: "private and active ones, two a page",
    words({ world }) {
      world.addDataset("open", { isPublic: true });
      world.addDataset("old", { isArchived: true });
      return ["--is-public", "false", "--is-archived", "false", "--limit", "2"];
    },
    check(result) {
      const { results } = result as Page;
      assert.equal(results.length, 2);
      assert.ok(results.every((each) => each["is_public"] === false && each["is_archived"] === false));
    },
  },
  {
    operation: "list-datasets",
    shows: "public ones",
    words: () => ["--is-public", "true"],
    check: (result) =>
      assert.deepEqual(
        (result as Page).results.map(({ name }) => name),
        ["open"],
      ),
  },
  {
    operation: "get-dataset",
    shows: "its name",
    words: () => ["1"],
    check: (result) => assert.deepEqual(result, { id: 1, name: "sandbox" }),
  },
  {
    operation: "list-contents",
    shows: "folders before images",
    words: () => ["1", "--limit", "2"],
    check: (result) =>
      assert.deepEqual(
        (result as Page).results.map((each) => each["record_type"]),
        ["folder", "image"],
      ),
  },
  {
    operation: "list-folder-contents",
    shows: "what lies in it",
    words: ({ folder }) => ["1", String(folder.id), "--limit", "25"],
    check: (result) => assert.equal((result as Page).results.length, 2),
  },
  {
    operation: "list-images",
    shows: "all pages of them",
    words({ sandbox }) {
      sandbox.switches.nextPages = "absolute";
      return ["1"];
    },
    check: (result, { world }) =>
      assert.equal(
        (result as object[]).length,
        [...world.pictures.values()].filter(({ datasetId }) => datasetId === 1).length,
      ),
  },
  {
    operation: "get-annotation",
    shows: "the objects of an image",
    words: ({ set, image }) => ["1", String(set.id), String(image.id)],
    check: (result) => assert.equal((result as { name: string }[])[0]?.name, "OBJ 0"),
  },
  {
    operation: "cache-image",
    shows: "which",
    words: ({ image }) => [String(image.id)],
    check: (result, { image }) => assert.deepEqual(result, { cached: image.id }),
  },
  {
    operation: "downsample-image",
    shows: "the bytes in a file",
    words: ({ image }, temp) => [
      ...[String(image.id), "--output", join(temp, "part.jpg"), "--source-x", "10", "--source-y", "2"],
      ...["--source-width", "20", "--source-height", "30", "--downscale", "0.7"],
    ],
    check: async (_, { jpeg }, temp) => assert.deepEqual(await readFile(join(temp, "part.jpg")), jpeg),
  },
];

platformSuite("remo", make, [...uploads, ...sets, ...datasets]);
