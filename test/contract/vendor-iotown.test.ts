import assert from "node:assert/strict";

import { describe } from "mocha";

import { IotownClient } from "../../src/targets/iotown/client.ts";
import type { IotownLabel } from "../../src/targets/iotown/encode.ts";
import { describeComparison, type Occasion } from "../vendor-clients/comparison.ts";
import type { StatedDifference } from "../vendor-clients/differences.ts";
import type { Fixture } from "../vendor-clients/fixture.ts";

interface Input {
  readonly argument: string;
  readonly nid?: string;
  readonly group_id?: string;
  readonly data: Readonly<Record<string, never>>;
  readonly file: string;
  readonly files: Readonly<Record<string, string>>;
  readonly key: string;
  readonly labels: readonly IotownLabel[];
  readonly date_from?: string;
  readonly date_to?: string;
  readonly count?: number;
  readonly sort?: string;
  readonly _id: string;
  readonly text: string;
  readonly hex?: string;
  readonly lorawan?: { readonly f_port: number; readonly confirmed: boolean };
  readonly include_lorawan_session?: boolean;
}

async function drive(fixture: Fixture, { url, link, photo, signal }: Occasion): Promise<unknown> {
  const given = fixture.input as unknown as Input;
  const imagePath = "/nn/dataset/img/{id}";
  const client = new IotownClient({ url, token: "test-token", grpid: given.group_id, imagePath }, link);
  const { nid = "" } = given;
  switch (fixture.operation) {
    case "post.uploadImage":
      return client.uploadImage({ jpeg: photo(given.file), labels: given.labels }, signal);
    case "post.data":
      return "files" in given ? sendFiles(client, given, { photo, signal }) : sendData(client, given, signal);
    case "post.command":
      return client.command(commandOf(given), signal);
    case "post.post_files":
      return client.uploadFile(given.key, photo(given.file), signal);
    case "get.downloadAnnotations":
      return client.downloadAnnotations(given.argument, signal);
    case "get.downloadImage":
      return client.downloadImage(given.argument, signal);
    case "get.file":
      return client.fetchFile(given.argument, signal);
    case "get.command":
      return client.pendingCommands(given.argument, signal);
    case "get.storage":
      return readStorage(client, given, signal);
    case "get.node":
      return given.nid === undefined ? client.nodes({}, signal) : client.node(nid, {}, signal);
    case "get.async_node":
      return client.node(nid, { withoutLorawanSession: true }, signal);
    case "delete.data":
      return client.deleteData(selectionOf(given), signal);
    default:
      throw new Error(`unknown operation ${fixture.operation}`);
  }
}

async function sendData(client: IotownClient, { nid = "", data }: Input, signal: AbortSignal): Promise<void> {
  if (Object.keys(data).length > 0) await client.sendData({ nid, data }, signal);
  else
    await assert.rejects(client.sendData({ nid, data }, signal), {
      code: "ENCODE_FAILED",
    });
}

async function sendFiles(
  client: IotownClient,
  { nid = "", data, files }: Input,
  { photo, signal }: Pick<Occasion, "photo" | "signal">,
): Promise<void> {
  const sent = Object.entries(files).map(([part, fileName]) => ({
    part,
    fileName,
    bytes: photo(fileName),
  }));
  await client.sendDataWithFiles({ nid, meta: data, files: sent }, signal);
}

async function readStorage(client: IotownClient, given: Input, signal: AbortSignal): Promise<void> {
  const { nid, count, sort } = given;
  const wanted = { nid, from: given.date_from, to: given.date_to, count, sort };
  const query = Object.fromEntries(Object.entries(wanted).filter(([, value]) => value !== undefined));
  const rows = [];
  for await (const row of client.storage(query, signal)) rows.push(row);
  assert.equal(rows.length, 3);
}

function commandOf({ nid = "", text, hex, lorawan }: Input) {
  const command = hex === undefined ? text : Buffer.from(hex, "hex");
  if (lorawan === undefined) return { nid, command };
  return {
    nid,
    command,
    lorawan: { fPort: lorawan.f_port, confirmed: lorawan.confirmed },
  };
}

function selectionOf({ nid, _id, date_from: from, date_to: to }: Input) {
  const span = {
    ...(from === undefined ? {} : { from }),
    ...(to === undefined ? {} : { to }),
  };
  return nid === undefined ? { _id, ...span } : { nid, ...span };
}

const form = "the client given a dict sends a form under a JSON content type, and every number is lost";

const encodedLabel: readonly StatedDifference[] = [
  {
    where: "download-annotations GET * query.labels",
    ours: "traffic light&x",
    theirs: "traffic light",
    why: "The client does not encode the class: what comes after an & is another parameter.",
  },
  {
    where: "download-annotations GET * query.x",
    ours: undefined,
    theirs: "",
    why: "The rest of that class.",
  },
];

const secondPage: readonly StatedDifference[] = [
  {
    where: "storage-without-filter missing GET /api/v1.0/storage&lastKey=a2",
    why: "The client leaves out the question mark where nothing is before it: a path that does not exist.",
  },
  {
    where: "storage-without-filter extra GET /api/v1.0/storage",
    why: "The same page, asked for in a query.",
  },
];

const emptyData: readonly StatedDifference[] = [
  {
    where: "data-empty missing POST /api/v1.0/data",
    why: "0.6.4 sends data without content; its successor refuses that, as ours does.",
  },
];

describe("IoT.own", () => {
  const kind = "iotown";
  describeComparison({
    kind,
    client: "pyiotown-0.5.6",
    drive,
    stated: [
      ...encodedLabel,
      {
        where: "download-image GET /nn/dataset/img/image-1 headers.accept",
        ours: "*/*",
        theirs: "application/json",
        why: "What is asked for is a picture.",
      },
    ],
    notOurs: { "upload-image-from-dict": form },
  });
  describeComparison({
    kind,
    client: "pyiotown-0.6.4",
    drive,
    stated: [...encodedLabel, ...secondPage, ...emptyData],
    notOurs: { "upload-image-from-dict": form },
  });
  describeComparison({
    kind,
    client: "pyiotown-0.6.5.dev3",
    drive,
    stated: [...encodedLabel, ...secondPage],
    notOurs: {
      "upload-image-from-dict": form,
      node: "the client raises",
      nodes: "the client raises",
    },
  });
});
