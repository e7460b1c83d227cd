import assert from "node:assert/strict";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, describe, it } from "mocha";
import { LayernextSandbox } from "../../../src/sandbox/layernext/server.ts";
import { commandLine, platformSuite, type PlatformCase } from "../../lib/platform-cases.ts";
import { sampleJpeg } from "../../lib/records.ts";
import { tempFolder } from "../../lib/temp.ts";

const [apiKey, secret] = ["layernext-command-key", "layernext-command-canary"];

async function make() {
  const sandbox = new LayernextSandbox({ apiKey, secret, jobPolls: 0 });
  const { url } = await sandbox.start();
  return {
    sandbox,
    environment: {
      FRAMEPOST_LAYERNEXT_URL: url,
      FRAMEPOST_LAYERNEXT_API_KEY: apiKey,
      FRAMEPOST_LAYERNEXT_SECRET: secret,
    },
    secrets: [secret, Buffer.from(`${apiKey}:${secret}`).toString("base64")],
    jobId: "",
    [Symbol.asyncDispose]: () => sandbox.stop(),
  };
}

type Bench = Awaited<ReturnType<typeof make>>;

/** Shapes of the document's three examples: pixels, one annotation, its attribute under `metadata`. */
const shapes = {
  rectangle: { bbox: [21.62, 24.54, 18.99, 17.75] },
  polygon: {
    polygon: [
      [22.24, 29.18],
      [28.29, 29.18],
      [34.91, 30.29],
      [25.4, 17.4],
    ],
  },
  line: {
    line: [
      [21.62, 24.54],
      [25.61, 24.54],
      [25.61, 39.28999999999996],
      [21.62, 39.29],
    ],
  },
  points: { points: [[3.5, 4.5]] },
} as const;

function documentFile(geometry: keyof typeof shapes, more: object = {}): object {
  const annotation = { ...shapes[geometry], label: "kitchen", metadata: { name: "bottle" }, confidence: 0.30611335805 };
  return { images: [{ image: "000000397133.jpg", annotations: [{ ...annotation, ...more }] }] };
}

async function jsonFile(folder: string, name: string, content: object): Promise<string> {
  const file = join(folder, name);
  await writeFile(file, JSON.stringify(content));
  return file;
}

async function pictureFile(folder: string, name: string, seed: number): Promise<string> {
  const file = join(folder, name);
  await writeFile(file, sampleJpeg(seed));
  return file;
}

function lastShape({ sandbox }: Bench, operationId: string) {
  const found = sandbox.annotations().filter((annotations) => annotations.operationId === operationId);
  assert.equal(found.length, 1);
  const [run] = found;
  const shape = run?.shapes[0];
  assert.ok(run !== undefined && shape !== undefined);
  return { ...shape, mode: run.mode, objectKey: run.objectKey };
}

function uploadedJob(result: unknown): string {
  const { uploads } = result as { uploads: readonly { jobId: string }[] };
  return uploads[0]?.jobId ?? "";
}

const imageCases: readonly PlatformCase<Bench>[] = [
  {
    operation: "upload-images",
    shows: "a file and the pictures of a folder, with metadata, and the job's end",
    words: async (_, folder) => {
      const pictures = join(folder, "pictures");
      await mkdir(pictures);
      await pictureFile(pictures, "b.jpeg", 2);
      await pictureFile(pictures, "notes.txt", 3);
      const file = await pictureFile(folder, "000000397133.jpg", 1);
      const metadata = ["--metadata", '{"device":"gw-07"}', "--override-metadata", "--storage-prefix", "raw"];
      return ["path1/path2", file, pictures, ...metadata, "--wait"];
    },
    check(result, { sandbox }) {
      assert.equal(sandbox.stored().length, 2);
      assert.equal((result as { uploads: readonly { job: string }[] }).uploads[0]?.job, "completed");
    },
  },
  {
    operation: "upload-images",
    shows: "a picture that is there already is not sent again, and a model run goes with the rest",
    words: async (_, folder) => {
      const annotations = await jsonFile(folder, "run.json", {
        images: [
          { image: "c.jpg", annotations: [{ ...shapes.line, type: "line", label: "crate" }] },
          { image: "b.jpeg", annotations: [] },
        ],
      });
      const files = [await pictureFile(folder, "c.jpg", 3), join(folder, "pictures")];
      return ["path1/path2", ...files, "--annotations", annotations, "--model-id", "with images"];
    },
    check(result, bench) {
      bench.jobId = uploadedJob(result);
      assert.equal(bench.sandbox.storage.counts().accepted, 3);
      const keys = bench.sandbox.annotations().map(({ objectKey, shapes: { length } }) => [objectKey, length]);
      assert.deepEqual(keys, [
        ["path1/path2_c.jpg", 1],
        ["path1/path2_b.jpeg", 0],
      ]);
    },
  },
  {
    operation: "job-status",
    shows: "a job that is done",
    words: ({ jobId }) => [jobId, "--wait"],
    check: (result) => assert.deepEqual(result, { status: "completed", progress: 100 }),
  },
];

const documentCases = (["rectangle", "polygon", "line"] as const).map((geometry, at): PlatformCase<Bench> => ({
  operation: "upload-modelrun",
  shows: `the document's example of a ${geometry}, with metadata as attribute and confidence`,
  words: async (_, folder) => {
    const file = await jsonFile(folder, `example_${geometry}.json`, documentFile(geometry));
    return ["path1/path2/", `test model v1.0.${at + 1}`, file, geometry];
  },
  check(_, bench) {
    const shape = lastShape(bench, `test model v1.0.${at + 1}`);
    assert.deepEqual(
      [shape.type, shape.mode, shape.objectKey, shape.labelText, shape.confidence, shape.attributes.size],
      [geometry, 2, "path1/path2_000000397133.jpg", "kitchen", 0.30611335805, 1],
    );
    assert.equal(shape.points.length, 4);
  },
}));

const annotationCases: readonly PlatformCase<Bench>[] = [
  {
    operation: "upload-modelrun",
    shows: "a type of its own for each annotation, free metadata and attributes, by upload job",
    words: async ({ jobId }, folder) => {
      const more = {
        type: "points",
        metadata: { shift: 2 },
        attributes: { state: [{ value: "open", confidence: 0.5 }] },
      };
      const own = { ...(documentFile("points", more) as { images: readonly object[] }).images[0], image: "c.jpg" };
      const file = await jsonFile(folder, "own.json", { images: [own] });
      return [jobId, "by job", file, "--job", "--metadata", "free"];
    },
    check: (_, bench) => assert.equal(lastShape(bench, "by job").type, "points"),
  },
  {
    operation: "upload-modelrun",
    shows: "fractions of the image, by unique name",
    words: async (_, folder) => {
      const image = { image: "path1/path2_c.jpg", annotations: [{ bbox: [0.1, 0.2, 0.3, 0.4], label: "kitchen" }] };
      const file = await jsonFile(folder, "unique.json", { images: [image] });
      return ["-", "by name", file, "rectangle", "--unique-name", "--normalized"];
    },
    check: (_, bench) => assert.deepEqual(lastShape(bench, "by name").box, { x: 0.1, y: 0.2, w: 0.3, h: 0.4 }),
  },
  {
    operation: "upload-modelrun",
    shows: "paths in a bucket",
    words: async (_, folder) => {
      const image = { image: "path1/path2/c.jpg", annotations: [{ ...shapes.rectangle, label: "kitchen" }] };
      const file = await jsonFile(folder, "paths.json", { images: [image] });
      return ["-", "by path", file, "rectangle", "--storage-path", "--bucket", "frames"];
    },
    check: (_, bench) => assert.equal(lastShape(bench, "by path").type, "rectangle"),
  },
  {
    operation: "upload-ground-truth",
    shows: "what people drew, with every option",
    words: async ({ jobId }, folder) => {
      const image = {
        image: "c.jpg",
        annotations: [{ bbox: [0.1, 0.2, 0.3, 0.4], label: "kitchen", metadata: { a: "b" } }],
      };
      const file = await jsonFile(folder, "truth.json", { images: [image] });
      return [jobId, "truth by job", file, "rectangle", "--job", "--normalized", "--metadata", "attributes"];
    },
    check: (_, bench) => assert.equal(lastShape(bench, "truth by job").mode, 1),
  },
  ...(["--unique-name", "--storage-path"] as const).map((way): PlatformCase<Bench> => ({
    operation: "upload-ground-truth",
    shows: `images by ${way.slice(2)}`,
    words: async (_, folder) => {
      const image = {
        image: way === "--storage-path" ? "path1/path2/c.jpg" : "path1/path2_c.jpg",
        annotations: [{ ...shapes.rectangle, label: "kitchen" }],
      };
      const file = await jsonFile(folder, `truth${way}.json`, { images: [image] });
      const bucket = way === "--storage-path" ? ["--bucket", "frames"] : [];
      return ["-", `truth ${way}`, file, "rectangle", way, ...bucket];
    },
    check: (_, bench) => assert.equal(lastShape(bench, `truth ${way}`).mode, 1),
  })),
];

const lookUps: readonly PlatformCase<Bench>[] = [
  {
    operation: "label-references",
    shows: "a label with an attribute, and one without",
    words: () => ["kitchen", "crate", "--attributes", '{"kitchen":{"name":["bottle"]}}'],
    check(result) {
      const { kitchen, crate } = result as Record<string, { ref: string; attributes: Record<string, { ref: string }> }>;
      assert.match(kitchen?.attributes["name"]?.ref ?? "", /^lb-/);
      assert.match(crate?.ref ?? "", /^lb-/);
    },
  },
  {
    operation: "create-label",
    shows: "a new label",
    words: () => ["pallet", "--description", "of wood"],
    check: (result) => assert.match((result as { reference: string }).reference, /^lb-/),
  },
  {
    operation: "collection-details",
    shows: "id and storage path",
    words: () => ["path1/path2", "--field", "storagePath", "name"],
    check(result) {
      const { collectionId, storagePath } = result as Record<string, string>;
      assert.match(collectionId ?? "", /^[0-9a-f-]{36}$/);
      assert.equal(storagePath, "path1/path2");
    },
  },
  {
    operation: "upload-progress",
    shows: "a collection that is whole",
    words: () => ["path1/path2"],
    check: (result) => assert.deepEqual(result, { isSuccess: true, progress: 100 }),
  },
  {
    operation: "system",
    shows: "a server that answers",
    words: () => [],
    check: (result) => assert.deepEqual(result, { isSuccess: true, name: "sandbox" }),
  },
  {
    operation: "compatibility",
    shows: "a version that the server speaks with",
    words: () => ["2.3.4"],
    check: (result) => assert.deepEqual(result, { isCompatible: true, message: "" }),
  },
];

platformSuite("layernext", make, [...imageCases, ...documentCases, ...annotationCases, ...lookUps]);

describe("framepost platform layernext, beside its operations", () => {
  let bench: Bench;
  let folder: Awaited<ReturnType<typeof tempFolder>>;

  before(async () => {
    [bench, folder] = [await make(), await tempFolder()];
  });
  after(async () => {
    await bench.sandbox.stop();
    await folder[Symbol.asyncDispose]();
  });

  const run = (...words: string[]) => commandLine(["platform", "layernext", ...words], bench.environment);

  it("shows every request of an upload with its model run, without secrets, and sends none", async () => {
    const picture = await pictureFile(folder.path, "a.jpg", 1);
    const annotations = await jsonFile(folder.path, "a.json", {
      images: [{ image: "a.jpg", annotations: [{ ...shapes.rectangle, type: "rectangle", label: "kitchen" }] }],
    });
    const words = ["upload-images", "dock", picture, "--annotations", annotations, "--model-id", "m 1", "--dry-run"];
    const { code, stdout, stderr } = await run(...words);
    assert.equal(code, 0, stderr);
    const lines = stdout.split("\n").filter((line) => /^(GET|POST|PUT) /.test(line));
    assert.equal(lines.length, 9);
    assert.match(lines.at(-1) ?? "", /operationdata\/m%201\/update\?isNormalized=False$/);
    for (const shown of bench.secrets) assert.ok(!stdout.includes(shown));
    assert.equal(bench.sandbox.counts().requests, 0);
  });

  it("finishes no command on a job that failed", async () => {
    bench.sandbox.endJobs("fail");
    const { code, stderr } = await run("upload-images", "dock", await pictureFile(folder.path, "f.jpg", 9), "--wait");
    assert.notEqual(code, 0);
    assert.match(stderr, /JOB_FAILED/);
    bench.sandbox.endJobs("complete");
  });

  const wrong: readonly (readonly [string, object | string, RegExp])[] = [
    ["no JSON", "{oops", /it is no JSON/],
    ["no images", {}, /it has no list "images"/],
    ["a box of three numbers", documentFile("rectangle", { bbox: [1, 2, 3] }), /annotations\[0\]: "bbox" is not/],
    ["a label without a name", documentFile("rectangle", { label: "" }), /it has no "label"/],
    ["a type that nobody knows", documentFile("rectangle", { type: "cuboid" }), /"type" is none of/],
    ["a polygon where a rectangle was promised", documentFile("polygon"), /"bbox" is not/],
  ];
  for (const [name, content, message] of wrong) {
    it(`sends nothing of a file with ${name}, and says where it is wrong`, async () => {
      const before = bench.sandbox.counts().requests;
      const file = join(folder.path, "wrong.json");
      await writeFile(file, typeof content === "string" ? content : JSON.stringify(content));
      const { code, stderr } = await run("upload-modelrun", "dock", "m", file, "rectangle");
      assert.notEqual(code, 0);
      assert.match(stderr, message);
      assert.equal(bench.sandbox.counts().requests, before);
    });
  }

  it("takes no model id that would cut the address", async () => {
    const file = await jsonFile(folder.path, "good.json", documentFile("rectangle"));
    for (const name of ["a/b", "a?b", "a#b", "50%", ".."]) {
      const { code, stderr } = await run("upload-modelrun", "dock", name, file, "rectangle");
      assert.notEqual(code, 0);
      assert.match(stderr, /the model id/);
    }
  });
});
