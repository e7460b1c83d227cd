import assert from "node:assert/strict";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { SandboxBroker } from "../../../src/sandbox/broker.ts";
import { IotownSandbox } from "../../../src/sandbox/iotown/server.ts";
import { type PlatformBench, type PlatformCase, platformSuite } from "../../lib/platform-cases.ts";
import { sampleJpeg } from "../../lib/records.ts";

const token = "iotown-command-canary";
const lorawanNode = "LW70B3D5FFFE000042";
const label = { name: "human", x: 0.3, y: 0.4, w: 0.2, h: 0.5 };

interface Bench extends PlatformBench {
  readonly sandbox: IotownSandbox;
  readonly broker: SandboxBroker;
}

async function make(): Promise<Bench> {
  const sandbox = new IotownSandbox({ token, nodes: ["WF1", lorawanNode], pageRows: 2 });
  const broker = new SandboxBroker({ login: { username: "account", password: token } });
  const [{ url }, { url: brokerUrl }] = [await sandbox.start(), await broker.start()];
  for (const [topic, message] of [
    ["device/WF1/data", '{"device":{"id":"WF1"},"data":{"t":20}}'],
    ["device/WF2/boot", '{"device":{"id":"WF2"}}'],
    ["gateway/gw/keepalive", "alive"],
  ] as const) {
    await broker.send(`iotown/rx/group-1/${topic}`, message, { retain: true });
  }
  return {
    sandbox,
    broker,
    environment: {
      FRAMEPOST_IOTOWN_URL: url,
      FRAMEPOST_IOTOWN_TOKEN: token,
      FRAMEPOST_IOTOWN_CALLBACKS_URL: brokerUrl,
      FRAMEPOST_IOTOWN_CALLBACKS_USERNAME: "account",
      FRAMEPOST_IOTOWN_CALLBACKS_GROUP: "group-1",
    },
    secrets: [token],
    async [Symbol.asyncDispose]() {
      await broker.stop();
      await sandbox.stop();
    },
  };
}

async function written(folder: string, name: string, bytes: Buffer | string): Promise<string> {
  const file = join(folder, name);
  await writeFile(file, bytes);
  return file;
}

type Rows = readonly { readonly _id: string; readonly value: Readonly<Record<string, unknown>> }[];

const images: readonly PlatformCase<Bench>[] = [
  {
    operation: "upload-image",
    shows: "a picture with a label",
    words: async (_, folder) => [await written(folder, "a.jpg", sampleJpeg(1)), "--labels", JSON.stringify([label])],
    check(_, { sandbox }) {
      assert.deepEqual(sandbox.stored()[0]?.labels, [label]);
    },
  },
  {
    operation: "upload-image",
    shows: "a label whose name has to be encoded in an address",
    words: async (_, folder) => {
      const labels = JSON.stringify([{ ...label, name: "traffic light&x" }]);
      return [await written(folder, "b.jpg", sampleJpeg(2)), "--labels", labels];
    },
    check(_, { sandbox }) {
      assert.equal(sandbox.stored()[1]?.labels[0]?.name, "traffic light&x");
    },
  },
  {
    operation: "download-annotations",
    shows: "the pictures of one label",
    words: () => ["traffic light&x"],
    check(result) {
      const [found, ...others] = result as readonly { id: string; labels: unknown }[];
      assert.deepEqual(found?.labels, [{ ...label, name: "traffic light&x" }]);
      assert.deepEqual(others, []);
    },
  },
  {
    operation: "download-image",
    shows: "the bytes that were uploaded",
    words: ({ sandbox }, folder) => [sandbox.stored()[0]?.sha256.slice(0, 24) ?? "", "--output", join(folder, "c.jpg")],
    async check(_, __, folder) {
      assert.deepEqual(await readFile(join(folder, "c.jpg")), sampleJpeg(1));
    },
  },
];

const data: readonly PlatformCase<Bench>[] = [
  ...[1, 2, 3, 4].map((t): PlatformCase<Bench> => ({
    operation: "send-data",
    shows: `row ${t}`,
    words: () => ["WF1", "--values", JSON.stringify({ t })],
    check: (result) => assert.equal((result as { sent: string }).sent, "WF1"),
  })),
  {
    operation: "send-data-with-files",
    shows: "a file that is an image when nothing else is said",
    words: async (_, folder) => ["WF1", "--file", `snap=${await written(folder, "d.jpg", sampleJpeg(3))}`],
    check: (result, { sandbox }) => {
      assert.equal((result as { files: number }).files, 1);
      assert.equal(sandbox.stored().length, 3);
    },
  },
  {
    operation: "send-data-with-files",
    shows: "two files and what they are",
    words: async (_, folder) => {
      const meta = { clip: { type: "video", file: "v0" }, snap: { type: "image", file: "s0", note: "dock" } };
      const film = `v0=${await written(folder, "e.mp4", "film")}`;
      const picture = `s0=${await written(folder, "e.jpg", sampleJpeg(4))}`;
      return [lorawanNode, "--file", film, "--file", picture, "--meta", JSON.stringify(meta)];
    },
    check: (result) => assert.equal((result as { files: number }).files, 2),
  },
  {
    operation: "storage",
    shows: "one page of one node, and the key of the next",
    words: () => [
      "--nid",
      "WF1",
      "--count",
      "1",
      "--sort",
      "asc",
      "--from",
      "2020-01-01",
      "--to",
      "2100-01-01T00:00:00Z",
    ],
    check(result) {
      const { data: rows, lastKey } = result as { data: Rows; lastKey: string };
      assert.deepEqual(
        rows.map(({ value }) => value),
        [{ t: 1 }],
      );
      assert.equal(lastKey, rows[0]?._id);
    },
  },
  {
    operation: "storage",
    shows: "the page behind a key",
    words: () => ["--nid", "WF1", "--sort", "asc", "--last-key", "row-000002"],
    check: (result) =>
      assert.deepEqual(
        (result as { data: Rows }).data.map(({ value }) => value),
        [{ t: 3 }, { t: 4 }],
      ),
  },
  {
    operation: "storage",
    shows: "all pages, the last line being the oldest row",
    words: () => ["--nid", "WF1", "--all"],
    check(result, { sandbox }) {
      assert.deepEqual((result as Rows[number]).value, { t: 1 });
      assert.deepEqual(sandbox.violations(), []);
    },
  },
  {
    operation: "delete-data",
    shows: "one row by its id",
    words: () => ["--id", "row-000001"],
    check: (result) => assert.deepEqual((result as { deleted: unknown }).deleted, { _id: "row-000001" }),
  },
  {
    operation: "delete-data",
    shows: "the rows of a node within a time",
    words: () => ["--nid", "WF1", "--from", "2020-01-01T00:00:00+01:00", "--to", "2021-01-01"],
    check(result) {
      const { deleted } = result as { deleted: unknown };
      assert.deepEqual(deleted, { nid: "WF1", from: "2019-12-31T23:00:00.000Z", to: "2021-01-01T00:00:00.000Z" });
    },
  },
  {
    operation: "storage",
    shows: "what is left: one row went, those of another time stayed",
    words: () => ["--sort", "asc"],
    check: (result) =>
      assert.deepEqual(
        (result as { data: Rows }).data.map(({ value }) => value),
        [{ t: 2 }, { t: 3 }],
      ),
  },
  {
    operation: "upload-file",
    shows: "a file of its own",
    words: async (_, folder) => [await written(folder, "f.bin", "bytes of a file"), "--key", "log"],
    check: (result) => assert.deepEqual(result, { fileId: "file-4", sizeBytes: 15 }),
  },
  {
    operation: "fetch-file",
    shows: "its bytes again",
    words: (_, folder) => ["file-4", "--output", join(folder, "g.bin")],
    check: async (_, __, folder) => assert.equal(await readFile(join(folder, "g.bin"), "utf8"), "bytes of a file"),
  },
];

const nodes: readonly PlatformCase<Bench>[] = [
  {
    operation: "nodes",
    shows: "those of the account",
    words: () => [],
    check: (result) => assert.equal((result as readonly unknown[]).length, 2),
  },
  {
    operation: "nodes",
    shows: "those of the account without their sessions",
    words: () => ["--without-lorawan-session"],
    check: (result) => assert.equal((result as readonly unknown[]).length, 2),
  },
  {
    operation: "node",
    shows: "one of them",
    words: () => ["WF1"],
    check: (result) => assert.equal((result as { node_id: string }).node_id, "WF1"),
  },
  {
    operation: "node",
    shows: "one of them without its session",
    words: () => [lorawanNode, "--without-lorawan-session"],
    check: (result) => assert.equal((result as { node_id: string }).node_id, lorawanNode),
  },
  {
    operation: "command",
    shows: "a text",
    words: () => ["WF1", "reboot", "--type", "string"],
    check: (result) => assert.deepEqual(result, {}),
  },
  {
    operation: "command",
    shows: "bytes over LoRaWAN, to be acknowledged, under a frame counter",
    words: () => [lorawanNode, "01FF", "--type", "hex", "--f-port", "2", "--confirmed"],
    check: (result) => assert.deepEqual(result, { fCnt: 1 }),
  },
  {
    operation: "pending-commands",
    shows: "what waits",
    words: () => [lorawanNode],
    check(result) {
      const [command] = result as readonly Readonly<Record<string, unknown>>[];
      assert.equal(command?.["command"], "01ff");
      assert.deepEqual(command["lorawan"], { f_port: 2, confirmed: true });
    },
  },
  {
    operation: "callbacks",
    shows: "what one device says",
    words: () => ["--device", "WF2", "--count", "1", "--qos", "1"],
    check(result, { broker }) {
      const expected = { topic: "iotown/rx/group-1/device/WF2/boot", source: "device", id: "WF2", kind: "boot" };
      assert.deepEqual(result, { ...expected, message: { device: { id: "WF2" } } });
      assert.equal(broker.counts().published, 0, "nothing is ever published");
    },
  },
];

platformSuite("iotown", make, [...images, ...data, ...nodes]);
