import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, it } from "mocha";
import { asyncApi } from "../../agent/documents/asyncapi.ts";
import { commandsPage } from "../../agent/documents/commands-page.ts";
import { documents } from "../../agent/documents/documents.ts";
import { YamlSource } from "../../src/config/yaml.ts";
import { scopes } from "../../src/remote/command.ts";
import { commandSpecs } from "../../src/remote/commands/specs.ts";
import { eventData } from "../../src/remote/event.ts";
import { replyCodes } from "../../src/remote/reply.ts";
import { remoteLimits } from "../../src/core/remote-limits.ts";
import { parseRequest } from "../../src/remote/request.ts";
import { requestOf } from "../../agent/documents/commands-page.ts";
import { repositoryFolder } from "../lib/shared.ts";

const file = async (name: string) => readFile(join(repositoryFolder, name), "utf8");

type Json = Readonly<Record<string, unknown>>;

/** Every `$ref` of a document, and what it points to. */
function references(root: Json): readonly { readonly ref: string; readonly value: unknown }[] {
  const found: { ref: string; value: unknown }[] = [];
  const walk = (value: unknown): void => {
    if (typeof value !== "object" || value === null) return;
    for (const [key, item] of Object.entries(value)) {
      if (key === "$ref" && typeof item === "string") found.push({ ref: item, value: at(root, item) });
      else walk(item);
    }
  };
  walk(root);
  return found;
}

function at(root: Json, ref: string): unknown {
  return ref
    .slice(2)
    .split("/")
    .reduce<unknown>((value, step) => (value as Json | undefined)?.[step], root);
}

describe("what is made from the code", () => {
  for (const [name, make] of Object.entries(documents)) {
    it(`${name} is fresh (npm run generate)`, async () => {
      assert.equal(await file(name), await make());
    });
  }
});

describe("the specs of commands", () => {
  it("have a name of their own, a scope, and an example that fits their arguments", () => {
    assert.equal(new Set(commandSpecs.map(({ name }) => name)).size, commandSpecs.length);
    for (const spec of commandSpecs) {
      const { name, args, example, summary, answer, scope } = spec;
      assert.match(name, /^[a-z]+(\.[a-z]+)*$/);
      assert.ok(scopes.includes(scope));
      const parsed = args.safeParse(example);
      assert.ok(parsed.success, `${name}: ${parsed.error?.message ?? ""}`);
      assert.ok(/^[A-Z].*\.$/s.test(summary), `${name}: the summary is a sentence`);
      assert.ok(answer.length > 0 && !answer.endsWith("."), `${name}: the answer is no sentence`);
      const request = parseRequest(Buffer.from(JSON.stringify(requestOf(spec, example))));
      assert.equal(request.kind, "request", `${name}: its request in the documents is one`);
    }
  });

  it("refuse arguments that nobody knows", () => {
    for (const { name, args, example } of commandSpecs) {
      const more = { ...(example as object), nobodyKnowsThis: 1 };
      assert.equal(args.safeParse(more).success, false, name);
    }
  });
});

describe("docs/commands.md", () => {
  it("tells of every command, code, event and scope", async () => {
    const text = await file("docs/commands.md");
    for (const { name } of commandSpecs) {
      assert.ok(text.includes(`### ${name}\n`), name);
      assert.ok(text.includes(`-t framepost/gateway-1/cmd/${name} `), `${name}: an example`);
    }
    for (const code of [...Object.keys(replyCodes), ...Object.keys(eventData), ...scopes]) {
      assert.ok(text.includes(`| \`${code}\``), code);
    }
    const links = [...text.matchAll(/\]\(#([^)]*)\)/g)].map(([, anchor = ""]) => anchor);
    const headings = [...text.matchAll(/^#+ (.*)$/gm)].map(([, title = ""]) =>
      title
        .toLowerCase()
        .replaceAll(/[^a-z0-9 -]/g, "")
        .replaceAll(" ", "-"),
    );
    assert.ok(links.length > commandSpecs.length);
    for (const link of links) assert.ok(headings.includes(link), `no heading #${link}`);
  });

  it("says the bounds that hold", async () => {
    const text = (await file("docs/commands.md")).replaceAll("\n", " ");
    const { requestBytesMax, requestsBurst, resultsMax, slowWaitingMax, slowTimeoutMs, commandTimeoutMs } =
      remoteLimits;
    const words = [
      ...[`At most ${requestBytesMax / 1_024} KB`, `last ${resultsMax} such requests`],
      ...[`${slowTimeoutMs / 60_000} minutes each`, `all others ${commandTimeoutMs / 1_000} seconds`],
    ];
    for (const word of words) assert.ok(text.includes(word), word);
    assert.deepEqual([requestsBurst, slowWaitingMax], [10, 8], "written out as ten and eight");
  });

  it("is not made from a template that asks for what there is not", () => {
    assert.throws(() => commandsPage("<!-- generate: nonsense -->", commandSpecs), /nonsense/);
  });
});

describe("docs/asyncapi.yaml", () => {
  const document = new YamlSource(asyncApi(commandSpecs, "1")).value as Json;

  it("has a channel, an operation and a message for every command and event, and no reference into nothing", () => {
    const names = [
      ...commandSpecs.map(({ name }) => `cmd.${name}`),
      ...Object.keys(eventData).map((kind) => `event.${kind}`),
      ...["availability", "info", "status"],
    ];
    for (const place of ["channels", "operations", "components/messages"]) {
      const there = Object.keys(at(document, `#/${place}`) as Json);
      assert.deepEqual(
        names.filter((name) => !there.includes(name)),
        [],
        place,
      );
    }
    const found = references(document);
    assert.ok(found.length > names.length * 3);
    for (const { ref, value } of found) assert.notEqual(value, undefined, ref);
  });

  it("uses every parameter of an address, and no other", () => {
    for (const [name, value] of Object.entries(document["channels"] as Json)) {
      const { address, parameters } = value as { readonly address: string; readonly parameters: Json };
      const used = [...address.matchAll(/\{(\w+)\}/g)].map(([, word]) => word);
      assert.deepEqual(Object.keys(parameters).sort(), used.sort(), name);
    }
  });
});
