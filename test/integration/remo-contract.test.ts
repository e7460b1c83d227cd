import assert from "node:assert/strict";
import http from "node:http";
import { after, before, describe, it } from "mocha";
import { multipartBody, type FormPart } from "../../src/link/multipart.ts";
import { RemoSandbox } from "../../src/sandbox/remo/server.ts";
import { sampleJpeg } from "../lib/records.ts";

const email = "contract@site.example";
const password = "remo contract/password";
const uploadPath = "/api/dataset/1/upload/";
const csvHeader = "file_name,class_name,xmin,ymin,xmax,ymax";

interface Sent {
  readonly method?: string;
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly json?: unknown;
  readonly parts?: readonly FormPart[];
  readonly body?: string;
}

interface Answered {
  readonly status: number;
  readonly body: unknown;
}

const image = (name = "a.jpg"): FormPart => ({
  name: "files",
  fileName: name,
  contentType: "image/jpeg",
  value: sampleJpeg(),
});
const csv = (text: string): FormPart => ({ name: "files", fileName: "rows.csv", value: text });
const value = (name: string, text: string): FormPart => ({ name, value: text });

describe("remo sandbox", () => {
  let sandbox: RemoSandbox;
  let url: string;
  let token = "";
  let setId: number;
  let folderId: number;
  let otherSession: string;

  before(async () => {
    sandbox = new RemoSandbox({ email, password });
    ({ url } = await sandbox.start());
    setId = sandbox.world.addSet(1, "boxes", "Object detection", ["Person"]).id;
    folderId = sandbox.world.addFolder(1, "night").id;
    otherSession = sandbox.sessions.open(sandbox.world.addDataset("other")).id;
    const form = `email=${encodeURIComponent(email)}&password=${encodeURIComponent(password)}`;
    const { body } = await send({ path: "/api/rest-auth/login/", headers: formType, body: form });
    token = (body as { key: string }).key;
  });
  after(() => sandbox.stop());

  const formType = { "Content-Type": "application/x-www-form-urlencoded", Authorization: "" };

  function send({ method, path, headers = {}, json, parts, body }: Sent): Promise<Answered> {
    const form = parts === undefined ? undefined : multipartBody(parts);
    const content = (form && Buffer.concat(form.body)) ?? (json === undefined ? body : JSON.stringify(json));
    const type = form?.contentType ?? (json === undefined ? undefined : "application/json");
    const sent = {
      ...(token === "" ? {} : { Authorization: `Token ${token}` }),
      ...(type === undefined ? {} : { "Content-Type": type }),
      ...headers,
    };
    const given = Object.fromEntries(Object.entries(sent).filter(([, text]) => text !== ""));
    return new Promise((resolve, reject) => {
      const verb = method ?? (content === undefined ? "GET" : "POST");
      const request = http.request(url + path, { method: verb, headers: given }, (response) => {
        const chunks: Buffer[] = [];
        response.on("data", (chunk: Buffer) => chunks.push(chunk));
        response.on("end", () => {
          const text = Buffer.concat(chunks).toString();
          resolve({ status: response.statusCode ?? 0, body: text.startsWith("{") ? JSON.parse(text) : text });
        });
      });
      request.on("error", reject);
      request.end(content);
    });
  }

  const openSession = async (): Promise<string> =>
    ((await send({ path: "/api/v1/ui/uploads/", json: { dataset_id: 1 } })).body as { session_id: string }).session_id;

  it("takes what the vendor's client sends, and moves from state to state as it is looked at", async () => {
    const session = await openSession();
    const task = value("annotation_task", "Object detection");
    const path = `${uploadPath}?annotation_set_id=${setId}`;
    const images = [task, value("session_id", session), image("one.jpg"), image("two.jpg")];
    assert.deepEqual((await send({ path, parts: images })).body, { session_id: session });
    const rows = csv(`${csvHeader}\r\none.jpg,"a, b;c",1,2,30,40\r\n`);
    assert.equal((await send({ path, parts: [task, value("session_id", session), rows] })).status, 200);
    const states: string[] = [];
    const status = async (): Promise<void> => {
      const { body } = await send({ path: `/api/v1/ui/uploads/${session}/status/` });
      states.push((body as { status: string }).status);
    };
    await status();
    assert.equal((await send({ method: "POST", path: `/api/v1/ui/uploads/${session}/complete/` })).status, 200);
    assert.equal((await send({ method: "POST", path: `/api/v1/ui/uploads/${session}/complete/` })).status, 404);
    while (states.at(-1) !== "done" && states.length < 9) await status();
    assert.deepEqual([...new Set(states)], ["not complete", "pending", "in progress", "done"]);
    const picture = sandbox.world.pictureNamed(1, "one.jpg");
    assert.ok(picture !== undefined);
    assert.deepEqual(sandbox.labelsOf(picture)[0]?.classes, ["A, b", "C"]);
    assert.deepEqual(sandbox.violations(), []);
  });

  const outline = (points: string) => [
    value("annotation_task", "Instance segmentation"),
    csv(`file_name,class_name,coordinates\r\na.jpg,x,${points}\r\n`),
  ];

  const refused: readonly (readonly [string, number, () => Sent | Promise<Sent>])[] = [
    ["a login as JSON", 400, () => ({ path: "/api/rest-auth/login/", json: { email, password } })],
    ["a login without a password", 400, () => ({ path: "/api/rest-auth/login/", headers: formType, body: "email=a" })],
    [
      "Bearer instead of Token",
      401,
      () => ({ path: "/api/v1/ui/datasets/", headers: { Authorization: `Bearer ${token}` } }),
    ],
    ["no token", 401, () => ({ path: "/api/v1/ui/datasets/", headers: { Authorization: "" } })],
    ["another token", 401, () => ({ path: "/api/v1/ui/datasets/", headers: { Authorization: "Token x" } })],
    ["a path without its last slash", 404, () => ({ path: "/api/v1/ui/datasets" })],
    ["the same before a query", 404, () => ({ path: "/api/v1/ui/datasets?limit=1" })],
    ["a page of none", 400, () => ({ path: "/api/v1/ui/datasets/?limit=0" })],
    [
      "an upload without a file",
      400,
      () => ({ path: uploadPath, parts: [value("annotation_task", "Object detection")] }),
    ],
    ["files[]", 400, () => ({ path: uploadPath, parts: [{ ...image(), name: "files[]" }] })],
    ["file", 400, () => ({ path: uploadPath, parts: [{ ...image(), name: "file" }] })],
    ["a file without its name", 400, () => ({ path: uploadPath, parts: [value("files", "x")] })],
    [
      "a task in other words",
      400,
      () => ({ path: uploadPath, parts: [value("annotation_task", "object_detection"), image()] }),
    ],
    ["a set that is not there", 404, () => ({ path: `${uploadPath}?annotation_set_id=99`, parts: [image()] })],
    [
      "a set of another task",
      400,
      () => ({
        path: `${uploadPath}?annotation_set_id=${setId}`,
        parts: [value("annotation_task", "Image classification"), image()],
      }),
    ],
    ["a session that is not there", 404, () => ({ path: uploadPath, parts: [value("session_id", "s-1"), image()] })],
    [
      "a session of another dataset",
      400,
      () => ({ path: uploadPath, parts: [value("session_id", otherSession), image()] }),
    ],
    [
      "a session that was completed",
      400,
      async () => {
        const session = await openSession();
        await send({ method: "POST", path: `/api/v1/ui/uploads/${session}/complete/` });
        return { path: uploadPath, parts: [value("session_id", session), image()] };
      },
    ],
    [
      "two folders",
      400,
      () => ({ path: `${uploadPath}?folder_id=${folderId}`, parts: [value("folder_id", "77"), image()] }),
    ],
    ["a folder that is not there", 400, () => ({ path: `${uploadPath}?folder_id=77`, parts: [image()] })],
    [
      "two sessions in an upload",
      400,
      () => ({ path: uploadPath, parts: [value("session_id", "a"), value("session_id", "b"), image()] }),
    ],
    [
      "two sets in the query",
      400,
      () => ({ path: `${uploadPath}?annotation_set_id=${setId}&annotation_set_id=${setId}`, parts: [image()] }),
    ],
    ["a part that nobody knows", 400, () => ({ path: uploadPath, parts: [value("label", "x"), image()] })],
    ["a key that nobody knows", 400, () => ({ path: `${uploadPath}?session=1`, parts: [image()] })],
    [
      "a folder in words",
      400,
      () => ({ path: uploadPath, json: { urls: ["http://x.example/a.jpg"], folder_id: String(folderId) } }),
    ],
    ["a completion with a body", 400, () => ({ path: `/api/v1/ui/uploads/${otherSession}/complete/`, json: {} })],
    ["a key that the list of datasets has not", 400, () => ({ path: "/api/v1/ui/datasets/?archived=true" })],
    [
      "a login with a query",
      400,
      () => ({
        path: "/api/rest-auth/login/?next=x",
        headers: formType,
        body: `email=${encodeURIComponent(email)}&password=${password}`,
      }),
    ],
    ["a flag in other words", 400, () => ({ path: "/api/v1/ui/datasets/?is_public=1" })],
    ["an outline of two points", 400, () => ({ path: uploadPath, parts: [...outline('"10; 6; 40; 7"'), image()] })],
    [
      "an outline that ends in half a point",
      400,
      () => ({ path: uploadPath, parts: [...outline('"10; 6; 40; 7; 12; 30; 5"'), image()] }),
    ],
    ["links that are no list", 400, () => ({ path: uploadPath, json: { urls: "http://x.example/a.jpg" } })],
    ["a link that is no address", 400, () => ({ path: uploadPath, json: { urls: ["a.jpg"] } })],
    ["nothing to link", 400, () => ({ path: uploadPath, json: {} })],
    [
      "a quoted export format",
      400,
      () => ({ path: `/api/v1/ui/annotation-sets/${setId}/export/?annotation_format='json'` }),
    ],
    [
      "a set of no task",
      400,
      () => ({
        path: "/api/v1/ui/annotation-sets/",
        json: { annotation_task: "", classes: [], dataset_id: 1, name: "x" },
      }),
    ],
    [
      "a class that is not there",
      404,
      () => ({ method: "DELETE", path: `/api/v1/ui/annotation-sets/${setId}/classes/999/` }),
    ],
  ];
  const rows: readonly (readonly [string, string])[] = [
    ["another header", "file,class_name,xmin,ymin,xmax,ymax\r\na.jpg,x,1,2,3,4\r\n"],
    ["no row", `${csvHeader}\r\n`],
    ["an image that nobody knows", `${csvHeader}\r\nnobody.jpg,x,1,2,3,4\r\n`],
    ["no number", `${csvHeader}\r\na.jpg,x,1,2,3,four\r\n`],
    ["fractions", `${csvHeader}\r\na.jpg,x,0.1,0.2,0.3,0.4\r\n`],
    ["what could be fractions", `${csvHeader}\r\na.jpg,x,0,0,1,1\r\n`],
    ["a box turned over", `${csvHeader}\r\na.jpg,x,30,2,3,40\r\n`],
    ["a box outside", `${csvHeader}\r\na.jpg,x,1,2,65,40\r\n`],
    ["two boxes in a row", `${csvHeader}\r\na.jpg,x,1,2,3,4,5,6,7,8\r\n`],
    ["an empty class", `${csvHeader}\r\na.jpg,a;,1,2,3,4\r\n`],
    ["a stray quote", `${csvHeader}\r\na.jpg,a"b,1,2,3,4\r\n`],
  ];
  const csvSent = (text: string): Sent => ({
    path: `${uploadPath}?annotation_set_id=${setId}`,
    parts: [image(), csv(text)],
  });
  const refusedRows = rows.map(([name, text]) => [`a CSV with ${name}`, 400, () => csvSent(text)] as const);

  for (const [name, status, make] of [...refused, ...refusedRows]) {
    it(`refuses ${name} with ${status} and remembers it`, async () => {
      const sent = await make();
      const before = sandbox.counts();
      assert.equal((await send(sent)).status, status);
      assert.equal(sandbox.counts().violations, before.violations + 1);
      assert.equal(sandbox.counts().accepted, before.accepted);
      assert.ok(!(sandbox.violations().at(-1) ?? "").includes(password));
    });
  }

  it("refuses paths of this machine when it stands for a server elsewhere", async () => {
    sandbox.switches.remote = true;
    assert.equal((await send({ path: uploadPath, json: { local_files: ["/srv/a.jpg"] } })).status, 400);
    sandbox.switches.remote = false;
  });

  it("says in the status and not over HTTP what is wrong with a file, and does not read annotations without a task", async () => {
    const session = await openSession();
    const parts = [value("session_id", session), image("notes.doc"), image("good.jpg"), csv("anything")];
    assert.equal((await send({ path: uploadPath, parts })).status, 200);
    await send({ method: "POST", path: `/api/v1/ui/uploads/${session}/complete/` });
    const path = `/api/v1/ui/uploads/${session}/status/`;
    let { body } = await send({ path });
    while (["pending", "in progress"].includes((body as { status: string }).status)) ({ body } = await send({ path }));
    const { status, images, annotations } = body as {
      status: string;
      images: { successful: number; failed: number; errors: { filename: string }[] };
      annotations: { warnings: unknown[] };
    };
    assert.deepEqual([status, images.successful, images.failed], ["failed", 1, 1]);
    assert.equal(images.errors[0]?.filename, "notes.doc");
    assert.equal(annotations.warnings.length, 1);
  });

  it("renames a class to another id, and knows the old one no more", async () => {
    const base = `/api/v1/ui/annotation-sets/${setId}/classes/`;
    const { id } = (await send({ path: base, json: { name: "dog" } })).body as { id: number };
    const renamed = (await send({ method: "PUT", path: `${base}${id}/`, json: { name: "cat" } })).body as {
      id: number;
    };
    assert.notEqual(renamed.id, id);
    assert.equal((await send({ method: "PUT", path: `${base}${id}/`, json: { name: "cow" } })).status, 404);
  });

  it("renames a tag to another id, and knows the old one no more", async () => {
    const of = `/api/v1/ui/annotation-sets/${setId}/tags/`;
    const old = sandbox.world.tagId("night");
    sandbox.world.sets.get(setId)?.tags.push({ tagId: old, imageId: 1 });
    const renamed = await send({ method: "PUT", path: `${of}${old}/`, json: { name: "dusk" } });
    assert.equal(renamed.status, 200);
    assert.notEqual((renamed.body as { id: number }).id, old);
    assert.equal((await send({ method: "PUT", path: `${of}${old}/`, json: { name: "dawn" } })).status, 404);
  });

  it("exports a zip unless tags are refused in words", async () => {
    const path = `/api/v1/ui/annotation-sets/${setId}/export/`;
    assert.match(String((await send({ path })).body), /^PK/);
    assert.match(String((await send({ path: `${path}?export_tags=false` })).body), /^\[/);
  });
});
