import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import fc from "fast-check";
import { after, before, describe, it } from "mocha";
import { AgentError } from "../../src/core/errors.ts";
import { loadConfig, parseConfig } from "../../src/config/load.ts";
import { ConfigError, formatProblem } from "../../src/config/problem.ts";
import { nearest } from "../../src/config/suggest.ts";
import { testSchema } from "../lib/config-schema.ts";
import { tempFolder } from "../lib/temp.ts";

const good = `cameras:
  - id: front
    driver: webcam
    device: /dev/video0
targets:
  - id: town
    kind: iotown
    url: https://town.example
    token: \${env:TOWN_TOKEN}
`;

const environment = { variables: { TOWN_TOKEN: "abcdef" } };

async function problemsOf(text: string): Promise<readonly string[]> {
  try {
    await parseConfig(text, "a.yaml", testSchema, environment);
  } catch (error) {
    assert(error instanceof ConfigError, String(error));
    assert(error instanceof AgentError);
    assert.equal(error.code, "CONFIG_INVALID");
    assert.equal(error.disposition, "fatal");
    assert(error.problems.length > 0);
    return error.problems.map(formatProblem);
  }
  return [];
}

/** `good` with a line replaced. */
function changed(from: string, to: string): string {
  assert(good.includes(from));
  return good.replace(from, () => to);
}

describe("a mistake in the config", () => {
  it("is none in a good file", async () => {
    assert.deepEqual(await problemsOf(good), []);
  });

  const cases: readonly (readonly [string, string, readonly string[]])[] = [
    [
      "a duplicate key",
      changed("  - id: front\n", "  - id: front\n    driver: webcam\n"),
      ["a.yaml:4:5: cameras.0.driver: duplicate key, first on line 3"],
    ],
    [
      "bad indentation",
      changed("    driver: webcam", "   driver: webcam"),
      [
        "a.yaml:3:1: cameras.0.id: a `:` after a key, a quote, a bracket or a comma is missing, or the indentation is wrong",
      ],
    ],
    [
      "a tab",
      changed("    driver: webcam", "\tdriver: webcam"),
      ["a.yaml:3:1: cameras.0.id: a tab in the indentation; YAML takes spaces only"],
    ],
    [
      "two keys on one line",
      "cameras: x: 1\n",
      ["a.yaml:1:10: cameras: a second `key:` on one line; put it on its own line, or quote the text"],
    ],
    ["a missing bracket", changed("/dev/video0", "[/dev/video0"), ["a.yaml:5:1: bad indentation"]],
    ["a tag", changed("front", "!!binary aGk="), ["a.yaml:2:9: cameras.0.id: tags (`!name`) are not supported"]],
    [
      "an alias without anchor",
      changed("front", "*nobody"),
      ["a.yaml:2:9: cameras.0.id: an alias without its anchor before it"],
    ],
    [
      "an alias in its own anchor",
      "cameras: &all\n  - *all\n",
      ["a.yaml:1:1: nested too deeply, or an alias inside what it refers to"],
    ],
    [
      "a second document",
      `${good}---\na: 1\n`,
      ["a.yaml:10:1: targets.0.token: a second document (`---`); one file holds one"],
    ],
    ["an empty file", "", ["a.yaml:1:1: the file is empty; expected object"]],
    ["a list instead of a mapping", "- a\n", ["a.yaml:1:1: expected object, received array"]],
    [
      "an unknown key with a near one",
      changed("    device:", "    devcie:"),
      [
        "a.yaml:2:5: cameras.0.device: missing; expected string",
        'a.yaml:4:5: cameras.0.devcie: unknown key "devcie"; did you mean "device"?',
      ],
    ],
    [
      "an unknown key in another style",
      changed("    token:", "    min_score: 1\n    token:"),
      ['a.yaml:9:5: targets.0.min_score: unknown key "min_score"; did you mean "minScore"?'],
    ],
    [
      "an unknown key without a near one",
      changed("    token:", "    colour: red\n    token:"),
      ['a.yaml:9:5: targets.0.colour: unknown key "colour"; known here: id, kind, minScore, tls, token, url'],
    ],
    ["an unknown key at the root", `${good}logs: {}\n`, ['a.yaml:10:1: logs: unknown key "logs"; did you mean "log"?']],
    ["a wrong type", changed("front", "12"), ["a.yaml:2:9: cameras.0.id: expected string, received number"]],
    ["an empty value", changed("/dev/video0", ""), ["a.yaml:4:5: cameras.0.device: missing; expected string"]],
    ["a missing list", "targets: []\n", ["a.yaml:1:1: cameras: missing; expected array"]],
    ["an empty list", "cameras: []\n", ["a.yaml:1:10: cameras: too small: expected array to have >=1 items"]],
    [
      "an unknown driver",
      changed("webcam", "webcan"),
      ['a.yaml:3:13: cameras.0.driver: expected one of webcam, http; did you mean "webcam"?'],
    ],
    [
      "no driver",
      changed("    driver: webcam\n", ""),
      ["a.yaml:2:5: cameras.0.driver: missing; expected one of webcam, http"],
    ],
    [
      "a key of another driver",
      changed("    device: /dev/video0", "    url: http://x"),
      [
        "a.yaml:2:5: cameras.0.device: missing; expected string",
        'a.yaml:4:5: cameras.0.url: unknown key "url"; known here: device, driver, id, interval, keep',
      ],
    ],
    [
      "a duration and a size without a unit",
      `${good}spool: {maxAge: 30, maxBytes: 2000000}\n`,
      [
        "a.yaml:10:17: spool.maxAge: expected a duration such as 500ms, 5s, 2m, 1h or 30d",
        "a.yaml:10:31: spool.maxBytes: expected a size such as 500KB, 64MB or 2GB",
      ],
    ],
    [
      "bounds that would keep nothing",
      `${good}spool: {maxAge: 0s, maxBytes: 0B}\n`,
      ["a.yaml:10:17: spool.maxAge: keeps nothing at 0", "a.yaml:10:31: spool.maxBytes: keeps nothing at 0"],
    ],
    [
      "a wrong duration",
      `${good}    minScore: 2\n`.replace("/dev/video0", "/dev/video0\n    interval: 5 sec"),
      [
        "a.yaml:5:15: cameras.0.interval: expected a duration such as 500ms, 5s, 2m, 1h or 30d",
        "a.yaml:11:15: targets.0.minScore: too big: expected number to be <=1",
      ],
    ],
    [
      "a wrong URL",
      changed("https://town.example", "town"),
      ["a.yaml:8:10: targets.0.url: expected a URL such as https://host"],
    ],
    [
      "a branch of a plain union",
      "cameras: []\ntargets:\n- {id: m, kind: mqtt, url: 'mqtt://h', will: {topic: 5, retain: no}}\n",
      [
        "a.yaml:1:10: cameras: too small: expected array to have >=1 items",
        "a.yaml:3:54: targets.0.will.topic: expected string, received number",
        "a.yaml:3:65: targets.0.will.retain: expected boolean, received string",
      ],
    ],
    [
      "a kind that no branch takes",
      "cameras: []\ntargets:\n- {id: m, kind: mqtt, url: 'mqtt://h', will: 5, qos: 2}\n",
      [
        "a.yaml:1:10: cameras: too small: expected array to have >=1 items",
        "a.yaml:3:46: targets.0.will: expected string or object, received number",
        "a.yaml:3:54: targets.0.qos: expected one of 0, 1",
      ],
    ],
    [
      "equal ids, also beside another mistake",
      `${good}  - id: town\n    kind: iotown\n    url: https://b.example\n    token: 5\n`,
      [
        'a.yaml:10:9: targets.1.id: another target has the id "town"; ids must differ',
        "a.yaml:13:12: targets.1.token: expected string, received number",
      ],
    ],
    [
      "a reserved device name",
      `${good}device: {name: all}\n`,
      ["a.yaml:10:16: device.name: all, group and reply are no device names"],
    ],
    [
      "a variable that is not set",
      changed("TOWN_TOKEN", "NOBODY"),
      ["a.yaml:9:12: targets.0.token: the environment variable NOBODY is not set"],
    ],
    [
      "an unknown placeholder",
      changed("${env:", "${evn:"),
      [
        "a.yaml:9:12: targets.0.token: unknown placeholder; expected ${env:NAME}, ${file:/path} or ${credential:name} (`$${` is a plain `${`)",
      ],
    ],
    [
      "a relative secret file",
      changed("${env:TOWN_TOKEN}", "${file:token}"),
      ["a.yaml:9:12: targets.0.token: ${file:…} takes an absolute path"],
    ],
    [
      "a credential outside its folder",
      changed("${env:TOWN_TOKEN}", "${credential:../x}"),
      ["a.yaml:9:12: targets.0.token: ${credential:…} takes a file name of letters, digits, `.`, `_` and `-`"],
    ],
    [
      "a missing secret file",
      changed("${env:TOWN_TOKEN}", "${file:/nowhere/token}"),
      ["a.yaml:9:12: targets.0.token: /nowhere/token cannot be read: there is no such file"],
    ],
  ];
  for (const [title, text, expected] of cases) {
    it(`is shown at its place: ${title}`, async () => {
      assert.deepEqual(await problemsOf(text), expected);
    });
  }

  it("is shown where a merged mapping was written", async () => {
    const text = `cameras:
  - &base
    id: front
    driver: webcam
    device: /dev/video0
    interval: soon
  - <<: *base
    id: back
`;
    assert.deepEqual(await problemsOf(text), [
      "a.yaml:6:15: cameras.0.interval: expected a duration such as 500ms, 5s, 2m, 1h or 30d",
      "a.yaml:6:15: cameras.1.interval: expected a duration such as 500ms, 5s, 2m, 1h or 30d",
    ]);
  });

  it("leaves the others visible: a duplicate key beside wrong values", async () => {
    const text = `${good}log: {level: loud}\nlog: {level: debgu}\n`;
    assert.deepEqual(await problemsOf(text), [
      "a.yaml:11:1: log: duplicate key, first on line 10",
      'a.yaml:11:14: log.level: expected one of debug, info, warn, error; did you mean "debug"?',
    ]);
  });

  it("is summed up in the error's message", async () => {
    const text = "cameras: []\nlogs: {}\n";
    await assert.rejects(parseConfig(text, "a.yaml", testSchema, environment), {
      message: "a.yaml:1:10: cameras: too small: expected array to have >=1 items (and 1 more)",
    });
  });

  it("is counted beyond fifty, not listed", async () => {
    const text = `${good}${Array.from({ length: 200 }, (_, n) => `key${n}: 1`).join("\n")}\n`;
    assert.equal((await problemsOf(text)).length, 50);
  });
});

describe("a config file that cannot be read", () => {
  const cases: readonly (readonly [string, (path: string) => Promise<void> | void, string])[] = [
    ["is missing", () => undefined, "there is no such file"],
    ["is a FIFO", (path) => void execFileSync("mkfifo", [path]), "it is not a file"],
    ["is too large", (path) => writeFile(path, Buffer.alloc(1024 ** 2 + 1, "#")), "it is larger than 1024 KB"],
    ["is not UTF-8", (path) => writeFile(path, Buffer.from([0x61, 0xff, 0xfe])), "it is not UTF-8 text"],
  ];
  for (const [title, make, reason] of cases) {
    it(`because it ${title}`, async () => {
      await using folder = await tempFolder();
      const file = join(folder.path, "a.yaml");
      await make(file);
      await assert.rejects(loadConfig(file, testSchema, environment), (error: unknown) => {
        assert(error instanceof ConfigError);
        assert.deepEqual(error.problems.map(formatProblem), [`${file}:1:1: cannot be read: ${reason}`]);
        return true;
      });
    });
  }
});

describe("hostile YAML", () => {
  // mocha takes away the bound on the frames of an error's stack. The product has it, and the parser makes thousands of
  // errors thousands of calls deep.
  const { stackTraceLimit } = Error;
  before(() => (Error.stackTraceLimit = 10));
  after(() => (Error.stackTraceLimit = stackTraceLimit));

  const bombs: readonly (readonly [string, string])[] = [
    ["five thousand open brackets", "[".repeat(5_000)],
    ["half a million lists in one line", "- ".repeat(500_000)],
    ["five thousand nested mappings in one line", "{a: ".repeat(5_000)],
    ["a hundred thousand aliases", `a: &x 1\nb: [${"*x,".repeat(100_000)}]`],
    [
      "a billion laughs",
      ["l0: &l0 ha", ...Array.from({ length: 30 }, (_, n) => `l${n + 1}: &l${n + 1} [*l${n}, *l${n}]`)].join("\n"),
    ],
    ["deep block indentation", Array.from({ length: 1_000 }, (_, n) => `${" ".repeat(n)}a:`).join("\n")],
    ["a hundred thousand keys", Array.from({ length: 100_000 }, (_, n) => `k${n}:`).join("\n")],
    ["a megabyte of one key", `${"k".repeat(1_000_000)}: 1`],
  ];
  for (const [title, text] of bombs) {
    it(`is refused in bounded time: ${title}`, async () => {
      assert((await problemsOf(text)).length > 0);
    }).timeout(20_000);
  }

  it("never fails with anything but a ConfigError: random text", async () => {
    const pieces = fc.constantFrom(
      ...Array.from(":-[]{}#&*!|>'\"%@`,?\n \t$~"),
      "<<",
      "cameras",
      "targets",
      "id: a",
      "\n  - ",
      "${env:",
      "${",
      "}",
      "__proto__",
      "kind: mqtt",
      "null",
      "1e99",
      ".nan",
      "\ud800",
      "\0",
    );
    const text = fc.array(fc.oneof(pieces, fc.string()), { maxLength: 60 }).map((parts) => parts.join(""));
    await fc.assert(
      fc.asyncProperty(text, async (yaml) => {
        await problemsOf(yaml);
      }),
      { numRuns: 400 },
    );
  }).timeout(20_000);

  it("never fails with anything but a ConfigError: random values", async () => {
    const key = fc.constantFrom(
      "cameras",
      "targets",
      "id",
      "driver",
      "kind",
      "url",
      "token",
      "keep",
      "webcam",
      "mqtt",
      "__proto__",
      "constructor",
      "will",
      "extra",
    );
    const { value } = fc.letrec((tie) => ({
      value: fc.oneof(
        { depthSize: "medium" },
        fc.jsonValue(),
        key,
        fc.array(tie("value"), { maxLength: 4 }),
        fc.dictionary(key, tie("value"), { maxKeys: 6 }),
      ),
    }));
    await fc.assert(
      fc.asyncProperty(value, async (root) => {
        await problemsOf(JSON.stringify(root));
      }),
      { numRuns: 400 },
    );
  }).timeout(20_000);

  it("damaged at any place of a good file is a ConfigError or still good", async () => {
    const damage = fc.tuple(fc.nat(good.length), fc.nat(5), fc.string({ maxLength: 4 }));
    await fc.assert(
      fc.asyncProperty(damage, async ([start, length, text]) => {
        await problemsOf(good.slice(0, start) + text + good.slice(start + length));
      }),
      { numRuns: 400 },
    );
  });
});

describe("did you mean", () => {
  it("finds slips, swaps and other styles, and nothing far away", () => {
    const keys = ["interval", "device", "minScore", "minInterval", "id"];
    const pairs: readonly (readonly [string, string | undefined])[] = [
      ["intervall", "interval"],
      ["itnerval", "interval"],
      ["min-score", "minScore"],
      ["MININTERVAL", "minInterval"],
      ["di", "id"],
      ["fps", undefined],
      ["x".repeat(10_000), undefined],
    ];
    for (const [word, meant] of pairs) assert.equal(nearest(word, keys), meant, word);
  });
});
