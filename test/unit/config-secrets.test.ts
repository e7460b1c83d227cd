import assert from "node:assert/strict";
import { chmod, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { inspect } from "node:util";
import fc from "fast-check";
import { describe, it } from "mocha";
import { z } from "zod";
import { parseConfig } from "../../src/config/load.ts";
import { ConfigError, formatProblem } from "../../src/config/problem.ts";
import { redact, secretPaths, secretValues, shownConfig } from "../../src/config/redact.ts";
import { byteSize, duration, secret } from "../../src/config/values.ts";
import { testSchema } from "../lib/config-schema.ts";
import { writeYaml } from "../../src/config/yaml.ts";
import { tempFolder } from "../lib/temp.ts";

const canary = "canary-7f3a91";

const text = `cameras:
  - id: front
    driver: http
    url: http://viewer:${canary}-url@camera.example/shot?key=${canary}-query
targets:
  - id: town
    kind: iotown
    url: https://town.example/
    token: ${canary}-plain
  - id: broker
    kind: mqtt
    url: mqtts://broker.example
    password: \${env:PASSWORD}
    pin: \${env:PIN:-${canary}-default}
    extra: {a: ${canary}-a, b: "x \${credential:b} y"}
    maxBytes: 8MB
`;

async function environmentIn(folder: string) {
  await writeFile(join(folder, "b"), `${canary}-b\n`, { mode: 0o600 });
  return { variables: { PASSWORD: `${canary}-env` }, credentialsFolder: folder };
}

describe("secrets in the config", () => {
  it("are resolved from variables, files and credentials, in any text", async () => {
    await using folder = await tempFolder();
    const file = join(folder.path, "token");
    await writeFile(file, "two\nlines\n\n", { mode: 0o600 });
    const schema = z.strictObject({ a: z.string(), b: z.string(), c: z.array(z.string()) });
    const yaml = `a: "\${file:${file}}"\nb: \${env:A}-\${env:B:-b:-}/\${env:EMPTY:-e}\nc: ["\${credential:token}", "$\${env:A}", $HOME, "{device}"]\n`;
    const variables = { A: "# a: {\n- x", EMPTY: "", CREDENTIALS_DIRECTORY: folder.path };
    const { config } = await parseConfig(yaml, "a.yaml", schema, { variables, credentialsFolder: "/nowhere" });
    assert.deepEqual(config, {
      a: "two\nlines\n",
      b: "# a: {\n- x-b:-/e",
      c: ["two\nlines\n", "${env:A}", "$HOME", "{device}"],
    });
  });

  it("are found by their mark, through unions, lists, records and wrappers", async () => {
    await using folder = await tempFolder();
    const { config } = await parseConfig(text, "a.yaml", testSchema, await environmentIn(folder.path));
    assert.deepEqual(
      secretPaths(testSchema, config).map((path) => path.join(".")),
      ["targets.0.token", "targets.1.password", "targets.1.extra.a", "targets.1.extra.b", "targets.1.pin"],
    );
    const values = secretValues(testSchema, config);
    for (const tail of ["plain", "env", "default", "a", "url", "query"])
      assert(values.includes(`${canary}-${tail}`), tail);
    assert(values.includes(`x ${canary}-b y`));
  });

  it("stay marked through checks, descriptions and wrappers", () => {
    const kinds = [
      secret,
      secret.max(9),
      secret.describe("x"),
      secret.trim().optional(),
      secret.regex(/x/).default("x"),
      z.lazy(() => secret),
      z.string().optional().meta({ secret: true }),
      secret.transform((s) => s.length),
      z.union([z.number(), secret]),
      z.array(z.string()).meta({ secret: true }),
    ];
    for (const [index, kind] of kinds.entries()) {
      assert.deepEqual(secretPaths(z.object({ kind }), { kind: index === 9 ? ["x"] : "x" }), [["kind"]], String(index));
    }
    assert.deepEqual(secretPaths(z.object({ kind: z.string() }), { kind: "x" }), []);
  });

  it("are masked in what is shown, and nothing else is", async () => {
    await using folder = await tempFolder();
    const { config, redacted, secrets } = await parseConfig(
      text,
      "a.yaml",
      testSchema,
      await environmentIn(folder.path),
    );
    const shown = writeYaml(shownConfig(testSchema, config, { redacted, secrets }));
    // The search would find them: they are in the file and in the config.
    assert(text.includes(canary) && JSON.stringify(config).includes(canary));
    for (const output of [shown, JSON.stringify(redacted), inspect(redacted, { depth: 9 })])
      assert(!output.includes(canary), output);
    assert(secrets.includes(`${canary}-b`) && secrets.includes(`${canary}-env`));
    assert.match(shown, /password: \$\{env:PASSWORD\}/);
    assert.match(shown, /token: "\*\*\*"/);
    assert.match(shown, /maxBytes: 8MB/);
    assert.match(shown, /interval: 10s/);
    assert.match(shown, /level: info/);
    assert.match(shown, /http:\/\/\*\*\*@camera\.example\/shot\?\*\*\*/);
    assert.deepEqual(
      redact(testSchema, { targets: [{ kind: "mqtt", password: "${env:PASSWORD}", pin: "${env:PIN:-1234}" }] }),
      {
        targets: [{ kind: "mqtt", password: "${env:PASSWORD}", pin: "${env:PIN:-***}" }],
      },
    );
  });

  it("are masked wherever a placeholder has put them, as text and as a value", async () => {
    await using folder = await tempFolder();
    await writeFile(join(folder.path, "key"), `${canary}-file/\n`, { mode: 0o600 });
    const schema = z.strictObject({
      url: z.url().transform((url) => url.replace(/\/+$/, "")),
      encoded: z.url().transform((url) => new URL(url).href),
      grpid: z.string(),
      names: z.array(z.string().trim()),
      port: z.coerce.number(),
      wait: duration,
      letter: z.string(),
      digit: z.string(),
      level: z.string().default("info"),
      retries: z.int().default(3),
      sizeBytes: z.int().default(1_482_130),
    });
    const yaml = `url: https://h.example/\${env:PATH_TOKEN}/\${credential:key}
encoded: https://h.example/x\${env:SPACED_KEY}
grpid: "\${env:GRP_SECRET}"
names: ["\${env:SPACED_KEY} ", "user-\${file:${folder.path}/key}-x"]
port: "\${env:PORT_KEY}"
wait: \${env:WAIT_KEY}
letter: \${env:LETTER_KEY}
digit: \${env:DIGIT_KEY}
`;
    const variables = {
      PATH_TOKEN: `${canary}-path`,
      GRP_SECRET: `${canary}-group`,
      SPACED_KEY: ` ${canary} ü $& space`,
      PORT_KEY: "48213",
      WAIT_KEY: "7s",
      LETTER_KEY: "h",
      DIGIT_KEY: "3",
    };
    const environment = { variables, credentialsFolder: folder.path };
    const { config, redacted, secrets } = await parseConfig(yaml, "a.yaml", schema, environment);
    assert(JSON.stringify(config).includes(canary));
    assert.deepEqual(shownConfig(schema, config, { redacted: {}, secrets }), {
      url: "https://h.example/***/***",
      encoded: "https://h.example/x***",
      grpid: "***",
      names: ["***", "user-***-x"],
      port: "***",
      wait: "***",
      letter: "***",
      digit: "***",
      level: "info",
      retries: 3,
      sizeBytes: 1_482_130,
    });
    const shown = writeYaml(shownConfig(schema, config, { redacted, secrets }));
    assert(!shown.includes(canary) && !/\b48213\b/.test(shown), shown);
    // The placeholders themselves say where a value comes from, and make what is shown a config again.
    assert.deepEqual((await parseConfig(shown, "b.yaml", schema, environment)).config, config);
  });

  it("never stand in a problem, even where a schema quotes the value", async () => {
    await using folder = await tempFolder();
    const environment = { ...(await environmentIn(folder.path)) };
    const wrong = [
      text.replace("${env:PIN:-", "${env:NOBODY:-long-"),
      text.replace("${env:PIN:-", "long-").replace("-default}", "-default"),
      text.replace(`token: ${canary}-plain`, `token: "${canary} with space"`),
      text.replace(`token: ${canary}-plain`, `token: [${canary}]`),
      text.replace("kind: iotown", `kind: ${canary}`),
      text.replace("http://viewer", "//viewer"),
      text.replace("    token: ", "    token "),
      text.replace("    token: ", "    token: '"),
      text.replace("    token: ", "    token: &"),
      text.replace("    token: ", "    token: *"),
      text.replace("    token: ", "    token: !"),
      text.replace("    token: ", "    token: a: "),
      text.replace("    token: ", "    token: @"),
      text.replace("    token: ", '    token: "\\q'),
    ];
    let quoted = 0;
    for (const yaml of wrong) {
      await assert.rejects(parseConfig(yaml, "a.yaml", testSchema, environment), (error: unknown) => {
        assert(error instanceof ConfigError);
        for (const output of [
          error.message,
          String(error.stack),
          JSON.stringify(error),
          inspect(error, { depth: 9 }),
          ...error.problems.map(formatProblem),
        ]) {
          assert(!output.includes(canary), `${yaml}\n${output}`);
          if (output.includes("bad pin")) quoted += 1;
        }
        return true;
      });
    }
    assert(quoted > 0, "the schema that quotes its value was never asked");
  });

  it("in plain text or in a file that all may read are warned of, at their place", async () => {
    await using folder = await tempFolder();
    const environment = await environmentIn(folder.path);
    await chmod(join(folder.path, "b"), 0o644);
    const { warnings } = await parseConfig(text, "a.yaml", testSchema, environment);
    const plain = "a secret in plain text; better ${credential:name}, ${file:/path} or ${env:NAME}";
    assert.deepEqual(warnings.map(formatProblem), [
      `a.yaml:9:12: targets.0.token: ${plain}`,
      `a.yaml:15:16: targets.1.extra.a: ${plain}`,
      `a.yaml:15:36: targets.1.extra.b: ${folder.path}/b is readable by every user; chmod 0600 ${folder.path}/b`,
    ]);
  });

  it("from a file that is too large, no file, or no text are problems", async () => {
    await using folder = await tempFolder();
    await writeFile(join(folder.path, "large"), Buffer.alloc(64 * 1024 + 1, "x"));
    await writeFile(join(folder.path, "binary"), Buffer.from([0xff, 0xfe]));
    const yaml = `[ "\${credential:large}", "\${credential:binary}", "\${file:${folder.path}}", "\${file:/dev/zero}" ]`;
    const environment = { variables: {}, credentialsFolder: folder.path };
    await assert.rejects(parseConfig(yaml, "a.yaml", z.array(z.string()), environment), (error: unknown) => {
      assert(error instanceof ConfigError);
      assert.deepEqual(
        error.problems.map(({ path, message }) => `${path} ${message.replace(folder.path, "F")}`),
        [
          "0 F/large cannot be read: it is larger than 64 KB",
          "1 F/binary cannot be read: it is not UTF-8 text",
          "2 F cannot be read: it is not a file",
          "3 /dev/zero cannot be read: it is not a file",
        ],
      );
      return true;
    });
  });
});

describe("values that have a form of their own in the file", () => {
  it("read what they say", () => {
    const durations = { "500ms": 500, "1.5s": 1_500, "2m": 120_000, "1h": 3_600_000, "30d": 2_592_000_000, "0s": 0 };
    for (const [written, ms] of Object.entries(durations)) assert.equal(duration.parse(written), ms);
    const sizes = { "0B": 0, "500KB": 512_000, "64MB": 67_108_864, "1.5GB": 1_610_612_736, "2TB": 2_199_023_255_552 };
    for (const [written, bytes] of Object.entries(sizes)) assert.equal(byteSize.parse(written), bytes);
    for (const wrong of ["5", "5 s", "-5s", "5S", "s", "", "1e3s", "9".repeat(400) + "s"])
      assert(!duration.safeParse(wrong).success, wrong);
  });

  it("are the same when written and read again", () => {
    fc.assert(
      fc.property(fc.nat(999_999_999), (amount) => {
        assert.equal(duration.parse(duration.encode(amount)), amount);
        assert.equal(byteSize.parse(byteSize.encode(amount)), amount);
      }),
    );
  });
});
