import assert from "node:assert/strict";
import fc from "fast-check";
import { describe, it } from "mocha";
import { z } from "zod";
import { configSchema } from "../../agent/config-schema.ts";
import { changeRules } from "../../agent/remote/config-rules.ts";
import { AgentError } from "../../src/core/errors.ts";
import { asLists, byId, difference, isFields, patched, shownPatch, type Fields } from "../../src/config/overlay.ts";
import { changedPaths, checkAccess, checkPatch } from "../../src/config/overlay-access.ts";

describe("merge patches", () => {
  it("does what the table of RFC 7396 says", () => {
    const cases: readonly (readonly [unknown, unknown, unknown])[] = [
      [{ a: "b" }, { a: "c" }, { a: "c" }],
      [{ a: "b" }, { b: "c" }, { a: "b", b: "c" }],
      [{ a: "b" }, { a: null }, {}],
      [{ a: "b", b: "c" }, { a: null }, { b: "c" }],
      [{ a: ["b"] }, { a: "c" }, { a: "c" }],
      [{ a: "c" }, { a: ["b"] }, { a: ["b"] }],
      [{ a: { b: "c" } }, { a: { b: "d", c: null } }, { a: { b: "d" } }],
      [{ a: [{ b: "c" }] }, { a: [1] }, { a: [1] }],
      [{ a: "foo" }, { b: { c: null } }, { a: "foo", b: {} }],
      [{}, { a: { bb: { ccc: null } } }, { a: { bb: {} } }],
    ];
    for (const [target, patch, result] of cases) assert.deepEqual(patched(target, patch), result);
  });

  it("finds the patch that leads from one config to another", () => {
    const leaf = fc.oneof(fc.integer(), fc.string(), fc.boolean(), fc.array(fc.integer(), { maxLength: 2 }));
    const { tree } = fc.letrec((tie) => ({
      tree: fc.dictionary(fc.constantFrom("a", "b", "7", "__proto__"), fc.oneof({ maxDepth: 4 }, leaf, tie("tree")), {
        noNullPrototype: true,
      }),
    }));
    fc.assert(
      fc.property(tree, tree, (from, to) => {
        assert.deepEqual(patched(from, difference(from, to) ?? {}), to);
        assert.equal(difference(to, to), undefined);
      }),
      { seed: 7, numRuns: 200 },
    );
  });

  it("addresses cameras by their id and keeps their order, also where ids are numbers", () => {
    const config = { cameras: [{ id: "9", x: 1 }, { id: "front" }, { id: "1" }], log: {} };
    const order = { cameras: ["9", "front", "1"] };
    assert.deepEqual(asLists(byId(config), order), config);
    const added = patched(byId(config), { cameras: { front: null, yard: { x: 2 }, 9: { x: 3 } } });
    assert.ok(isFields(added));
    assert.deepEqual(asLists(added, order)["cameras"], [{ id: "9", x: 3 }, { id: "1" }, { id: "yard", x: 2 }]);
  });

  it("shows a patch without its secrets", () => {
    const patch = {
      remote: { username: "gw", password: "s3cret-a" },
      cameras: { front: { url: "http://u:s3cret-b@cam/?t=s3cret-c", headers: { "X-Key": "s3cret-d" } }, back: null },
      targets: { town: { token: "s3cret-e" }, odd: "s3cret-f" },
    };
    const shown = shownPatch(configSchema, patch);
    assert.doesNotMatch(JSON.stringify(shown), /s3cret/);
    assert.equal((shown["cameras"] as Fields)["back"], null);
    assert.equal((shown["remote"] as Fields)["username"], "gw");
  });
});

/** Every setting that holds no others, as `*` stands in the rules. */
function settingPaths(schema: z.core.$ZodType, path: readonly string[] = [], secret = false): readonly Setting[] {
  const definition = (schema as z.core.$ZodTypes)._zod.def;
  const isSecret = secret || z.globalRegistry.get(schema)?.["secret"] === true;
  const below = (inner: z.core.$ZodType, step?: string) =>
    settingPaths(inner, step === undefined ? path : [...path, step], isSecret);
  switch (definition.type) {
    case "optional":
    case "default":
    case "prefault":
    case "nullable":
    case "readonly":
      return below(definition.innerType);
    case "pipe":
      return below(definition.in);
    case "union":
      return definition.options.flatMap((option) => below(option));
    case "object":
      return Object.entries(definition.shape).flatMap(([key, inner]) => below(inner, key));
    case "array":
      return below(definition.element, "*");
    case "tuple":
      return definition.items.flatMap((item) => below(item, "*"));
    case "record":
      return below(definition.valueType, "*");
    default:
      return [{ path: path.join("."), isSecret, type: definition.type }];
  }
}

interface Setting {
  readonly path: string;
  readonly isSecret: boolean;
  readonly type: string;
}

describe("what a command may change", () => {
  const settings = settingPaths(configSchema);
  const classes = Object.entries(changeRules).flatMap(([kind, paths]) => paths.map((path) => [path, kind] as const));
  const classOf = new Map(classes);

  it("is decided for every setting of the schema, once, and for no other", () => {
    const known = [...new Set(settings.map(({ path }) => path))];
    assert.ok(known.length > 200, `only ${known.length} settings were found`);
    assert.deepEqual(
      known.filter((path) => !classOf.has(path)),
      [],
      "new settings: put them into agent/remote/config-rules.ts",
    );
    assert.deepEqual(
      classes.map(([path]) => path).filter((path) => !known.includes(path)),
      [],
      "these are no settings any more",
    );
    assert.equal(classes.length, classOf.size, "a setting stands there twice");
  });

  it("is nothing that names a file, a device or a program, and no secret without admin", () => {
    const forbidden = /(^|\.)(path|dataDir|manifest|ca|cert|command\.\*|arguments\.\*|program|environment\.\*|device)$/;
    const isKey = /(tls|storageTls|encryption)\.key$/;
    for (const { path, isSecret } of settings) {
      if ((forbidden.test(path) && !path.startsWith("device")) || isKey.test(path)) {
        assert.equal(classOf.get(path), "never", path);
      }
      if (isSecret || path.startsWith("remote.")) assert.notEqual(classOf.get(path), "config", path);
      if (/(^|\.)url$|\.proxy$/.test(path)) assert.equal(classOf.get(path), "address", path);
    }
  });

  const before: Fields = {
    cameras: {
      front: { driver: "exec", command: ["/opt/shot"], interval: "5s" },
      yard: { driver: "http-snapshot", url: "http://cam/a.jpg", interval: "5s" },
    },
    remote: { url: "mqtt://localhost" },
  };
  const attempt = (patch: Fields, isAdmin: boolean) => () => {
    checkPatch(patch);
    const after = patched(before, patch) as Fields;
    checkAccess(changeRules, { before, after, patch, isAdmin });
  };
  const refusedWith = (code: string, path?: string) => (error: unknown) => {
    assert.ok(error instanceof AgentError);
    assert.equal(error.code, code, error.message);
    if (path !== undefined) assert.equal(error.facts["path"], path);
    return true;
  };

  it("keeps a patch to that", () => {
    attempt({ cameras: { front: { interval: "1s", keep: { labels: ["cat"] }, schedule: null } } }, false)();
    attempt({ cameras: { yard: { url: "https://cam/b.jpg" } }, remote: { url: "mqtts://broker" } }, true)();
    attempt({ cameras: { yard: null } }, true)();
    const refusals: readonly (readonly [Fields, boolean, string, string?])[] = [
      [{ cameras: { yard: { url: "https://cam/b.jpg" } } }, false, "COMMAND_FORBIDDEN", "/cameras/yard/url"],
      [{ remote: { statusEvery: "5s" } }, false, "COMMAND_FORBIDDEN", "/remote/statusEvery"],
      [{ cameras: { yard: { url: "file:///etc/passwd" } } }, true, "CONFIG_PATCH_ADDRESS", "/cameras/yard/url"],
      [{ cameras: { yard: { input: "/dev/sda" } } }, true, "CONFIG_PATCH_ADDRESS", "/cameras/yard/input"],
      [{ cameras: { front: { command: ["/bin/sh", "-c", "x"] } } }, true, "CONFIG_PATCH_NEVER"],
      // The very same words: whoever may not touch it need not name it.
      [{ cameras: { front: { command: ["/opt/shot"] } } }, true, "CONFIG_PATCH_NEVER", "/cameras/front/command/0"],
      [{ cameras: { front: null } }, true, "CONFIG_PATCH_NEVER", "/cameras/front/command/0"],
      [{ cameras: null }, true, "CONFIG_PATCH_NEVER"],
      [{ cameras: { front: { environment: {} } } }, true, "CONFIG_PATCH_NEVER", "/cameras/front/environment"],
      [{ cameras: { front: { id: "x" } } }, true, "CONFIG_PATCH_NEVER", "/cameras/front/id"],
      [{ cameras: { new: { driver: "webcam", device: "/dev/video0" } } }, true, "CONFIG_PATCH_NEVER"],
      [{ dataDir: "/tmp" }, true, "CONFIG_PATCH_NEVER", "/dataDir"],
      [{ detector: { model: "../x.onnx" } }, true, "CONFIG_PATCH_NEVER", "/detector/model"],
      [{ remote: { tls: { key: "/k" } } }, true, "CONFIG_PATCH_NEVER", "/remote/tls/key"],
      [{ remote: { tls: {} } }, true, "CONFIG_PATCH_NEVER", "/remote/tls"],
      [{ nonsense: 1 }, true, "CONFIG_PATCH_NEVER", "/nonsense"],
      [{ remote: { password: "${file:/etc/shadow}" } }, true, "CONFIG_PATCH_PLACEHOLDER", "/remote/password"],
      [{ detector: { allow: ["$${x"] } }, false, "CONFIG_PATCH_PLACEHOLDER", "/detector/allow/0"],
      [{ remote: { password: "***" } }, true, "CONFIG_PATCH_MASK", "/remote/password"],
      [{ remote: { url: "mqtt://***@host" } }, true, "CONFIG_PATCH_MASK", "/remote/url"],
      [{ cameras: [{ id: "a", driver: "simulated" }] }, true, "CONFIG_PATCH_LIST", "/cameras"],
    ];
    for (const [patch, isAdmin, code, path] of refusals) {
      assert.throws(attempt(patch, isAdmin), refusedWith(code, path), JSON.stringify(patch));
    }
  });

  it("refuses a patch as deep as a request can be, at once", () => {
    const deep = JSON.parse(`${'{"a":'.repeat(10_000)}1${"}".repeat(10_000)}`) as Fields;
    assert.throws(() => checkPatch(deep), refusedWith("CONFIG_PATCH_DEPTH"));
  });

  it("names what differs by JSON pointers, items of lists one by one", () => {
    const paths = changedPaths({ a: { b: [1, 2], c: 1 }, d: {} }, { a: { b: [1, 3, 4], c: 1 }, e: { f: {} } });
    assert.deepEqual(
      paths.map((path) => path.join("/")),
      ["a/b/0", "a/b/1", "a/b/2", "d", "e/f"],
    );
  });
});
