import assert from "node:assert/strict";

import { describe, it } from "mocha";

import { differencesOf, judge } from "../vendor-clients/differences.ts";
import type { Exchange, RecordedRequest } from "../vendor-clients/fixture.ts";
import { normaliseRequest } from "../vendor-clients/normalise.ts";

const request: RecordedRequest = {
  method: "POST",
  path: "/upload",
  query: [
    ["a", "1"],
    ["b", "2"],
  ],
  headers: { token: "test-token" },
  body: { kind: "json", value: { boxes: [{ x: 1 }, { x: 2 }] } },
};
const check: RecordedRequest = { method: "GET", path: "/check", query: [], headers: {}, body: { kind: "none" } };

function recorded(...requests: readonly RecordedRequest[]): readonly Exchange[] {
  return requests.map((each) => ({ request: each, answer: { status: 200, body: { kind: "none" } } }));
}

describe("comparison with a vendor's client", () => {
  it("finds nothing between equal requests, whatever the order of the query", () => {
    const turned = { ...request, query: request.query.toReversed() };
    assert.deepEqual(differencesOf("case", [turned], recorded(request)), []);
  });

  it("names the place of what is different, absent or too much", () => {
    const body = { kind: "json", value: { boxes: [{ x: 1 }, { x: 3 }, { x: 4 }] } } as const;
    const ours: RecordedRequest = { ...request, headers: {}, body };
    assert.deepEqual(differencesOf("case", [ours], recorded(request)), [
      { where: "case POST /upload headers.token", ours: undefined, theirs: "test-token" },
      { where: "case POST /upload body.value.boxes.1.x", ours: 3, theirs: 2 },
      { where: "case POST /upload body.value.boxes.2", ours: { x: 4 }, theirs: undefined },
    ]);
  });

  it("says which requests are missing or extra and compares the others", () => {
    const other = { ...check, path: "/other" };
    assert.deepEqual(differencesOf("case", [request, other], recorded(check, request)), [
      { where: "case missing GET /check" },
      { where: "case extra GET /other" },
    ]);
  });

  it("tells a further part of a form from parts that differ", () => {
    const form = (...names: readonly string[]): RecordedRequest => ({
      ...request,
      body: { kind: "multipart", parts: names.map((name) => ({ name, text: name })) },
    });
    assert.deepEqual(differencesOf("case", [form("id", "folder", "file")], recorded(form("id", "file"))), [
      { where: "case POST /upload body.order", ours: "id, folder, file", theirs: "id, file" },
      { where: "case POST /upload body.parts.folder", ours: { name: "folder", text: "folder" }, theirs: undefined },
    ]);
  });

  it("takes a stated difference only with the values that it states", () => {
    const found = [{ where: "case GET /check headers.accept", ours: "a", theirs: "b" }];
    const stated = { where: "* headers.accept", ours: "a", theirs: "b", why: "known" };
    assert.deepEqual(judge(found, [stated]), { unexplained: [], used: [stated] });
    assert.deepEqual(judge(found, [{ ...stated, ours: "c" }]), { unexplained: found, used: [] });
    assert.deepEqual(judge(found, [{ ...stated, where: "* headers.token" }]).unexplained, found);
  });

  it("reads pictures, JSON and random ids out of a body", () => {
    const picture = Buffer.from("ffd8ffe000104a464946000101", "hex").toString("base64");
    const id = "shape_0f8fad5b-d9cb-469f-a165-70867728950e";
    const text = JSON.stringify({ picture, list: JSON.stringify([{ id }]), at: "1772705700.104211" });
    const seen = { method: "POST", url: "/a%20b?c=d%20e", headers: { host: "x" }, body: Buffer.from(text) };
    const { path, query, headers, body } = normaliseRequest(seen, "http://127.0.0.1:1");
    assert.deepEqual({ path, query, headers }, { path: "/a%20b", query: [["c", "d e"]], headers: {} });
    const value = body.kind === "json" ? (body.value as Readonly<Record<string, unknown>>) : {};
    assert.deepEqual(value["list"], { jsonText: [{ id: "shape_<uuid>" }] });
    assert.equal(value["at"], "<epoch-seconds>");
    assert.deepEqual(Object.keys(value["picture"] as object), ["base64"]);
  });
});
