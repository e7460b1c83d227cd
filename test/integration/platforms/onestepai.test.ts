import assert from "node:assert/strict";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { OnestepaiSandbox, sandboxDatasetId } from "../../../src/sandbox/onestepai/server.ts";
import { platformSuite } from "../../lib/platform-cases.ts";
import { samplePng } from "../../lib/pngs.ts";
import { sampleJpeg } from "../../lib/records.ts";
import { sampleVoc } from "../../lib/voc.ts";

const accessToken = "onestepai-command-canary";

async function make() {
  const sandbox = new OnestepaiSandbox({ accessToken });
  const { url } = await sandbox.start();
  return {
    sandbox,
    environment: { FRAMEPOST_ONESTEPAI_URL: url, FRAMEPOST_ONESTEPAI_ACCESS_TOKEN: accessToken },
    secrets: [accessToken, "eyJhbGciOiJub25lIn0"],
    /** Of the upload that a case left open for the next one. */
    upload: "",
    category: "",
    [Symbol.asyncDispose]: () => sandbox.stop(),
  };
}

const dataset = String(sandboxDatasetId);

async function tree(folder: string, name: string): Promise<string> {
  const root = join(folder, name);
  await mkdir(join(root, "cats", "tabby"), { recursive: true });
  await writeFile(join(root, "a.jpg"), sampleJpeg(11));
  await writeFile(join(root, "cats", "b.png"), samplePng(40, 30));
  await writeFile(join(root, "cats", "b.xml"), sampleVoc({ name: "b.png", width: 40, height: 30 }));
  await writeFile(join(root, "cats", "tabby", "c.jpg"), sampleJpeg(12));
  await writeFile(join(root, "cats", "notes.txt"), "no picture");
  return root;
}

platformSuite("onestepai", make, [
  {
    operation: "sign-in",
    shows: "that it worked, and no JWT",
    words: () => [],
    check: (result) => assert.deepEqual(result, { signedIn: true }),
  },
  {
    operation: "who-am-i",
    shows: "the account",
    words: () => [],
    check: (result) => assert.deepEqual(result, { id: 1, email: "sandbox@example.com" }),
  },
  {
    operation: "create-dataset",
    shows: "its id",
    words: () => ["holy hand grenade"],
    check: (result) => assert.deepEqual(result, { dataset: "515" }),
  },
  {
    operation: "create-category",
    shows: "its id",
    words: () => [dataset, "traffic light"],
    check(result, bench) {
      bench.category = String(bench.sandbox.categories().get("traffic light"));
      assert.deepEqual(result, { category: bench.category });
    },
  },
  {
    operation: "start-uploading",
    shows: "the upload's id",
    words: () => [dataset],
    check(result, bench) {
      bench.upload = bench.sandbox.lockOf() ?? "";
      assert.deepEqual(result, { upload: bench.upload });
    },
  },
  {
    operation: "upload-chunk",
    shows: "a JPEG without an annotation",
    words: async ({ upload, category }, folder) => {
      const file = join(folder, "a.jpg");
      await writeFile(file, sampleJpeg(1));
      return [file, "--dataset", dataset, "--upload", upload, "--category", category];
    },
    check(result, { sandbox, category }) {
      assert.deepEqual(result, { uploaded: "a.jpg", annotated: false });
      const [chunk] = sandbox.chunks();
      assert.deepEqual([chunk?.name, chunk?.categoryId, chunk?.boxes], ["a.jpg", category, undefined]);
    },
  },
  {
    operation: "upload-chunk",
    shows: "a PNG with an annotation",
    words: async ({ upload, category }, folder) => {
      const [file, xml] = [join(folder, "b.png"), join(folder, "b.xml")];
      await writeFile(file, samplePng(64, 48));
      await writeFile(xml, sampleVoc({ name: "b.png", width: 64, height: 48 }));
      return [file, "--dataset", dataset, "--upload", upload, "--category", category, "--annotation", xml];
    },
    check(result, { sandbox }) {
      assert.deepEqual(result, { uploaded: "b.png", annotated: true });
      const box = { left: 4, top: 2, width: 20, height: 9 };
      assert.deepEqual(sandbox.chunks().at(-1)?.boxes, [{ label: "person", box }]);
    },
  },
  {
    operation: "upload-chunk",
    shows: "a file that is no picture, which the platform is to pass over",
    words: async ({ upload, category }, folder) => {
      const file = join(folder, "odd.jpg");
      await writeFile(file, "GIF89a");
      return [file, "--dataset", dataset, "--upload", upload, "--category", category, "--skip-unsupported"];
    },
    check: (_, { sandbox }) => assert.equal(sandbox.chunks().length, 2),
  },
  {
    operation: "finish-uploading",
    shows: "that the dataset is free again",
    words: ({ upload }) => [dataset, upload],
    check: (_, { sandbox }) => assert.equal(sandbox.lockOf(), undefined),
  },
  {
    operation: "upload-folder",
    shows: "pictures of sub-folders, with categories and annotations, in a new dataset",
    words: async (_, folder) => [await tree(folder, "zdj"), "--create", "from a folder"],
    check(result, { sandbox }) {
      assert.deepEqual(result, {
        ...{ dataset: "516", upload: "9032", images: 3, uploaded: 3, failed: 0, notSent: 0, finished: true },
      });
      const sent = sandbox.chunks().slice(-3);
      const names = [...sandbox.categories(516)].map(([name, id]) => [String(id), name] as const);
      const categories = new Map(names);
      assert.deepEqual(
        sent.map(({ name, categoryId, boxes }) => [name, categories.get(categoryId), boxes?.length]),
        [
          ["a.jpg", "zdj", undefined],
          ["b.png", "cats", 1],
          ["c.jpg", "tabby", undefined],
        ],
      );
      assert.equal(sandbox.lockOf(516), undefined);
    },
  },
  {
    operation: "upload-folder",
    shows: "into a dataset that there is, with a category that exists and a file to pass over",
    words: async ({ category }, folder) => {
      const root = join(folder, "traffic light");
      await mkdir(root);
      await writeFile(join(root, "d.jpg"), sampleJpeg(13));
      await writeFile(join(root, "e.png"), "no picture");
      return [root, "--dataset", dataset, "--category", `traffic light=${category}`, "--skip-unsupported"];
    },
    check(result, { sandbox, category }) {
      assert.deepEqual(result, {
        ...{ dataset, upload: "9033", images: 2, uploaded: 2, failed: 0, notSent: 0, finished: true },
      });
      assert.deepEqual([sandbox.chunks().at(-1)?.name, sandbox.chunks().at(-1)?.categoryId], ["d.jpg", category]);
      assert.deepEqual(sandbox.violations(), []);
    },
  },
]);
