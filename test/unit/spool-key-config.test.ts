import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { inspect } from "node:util";
import { describe, it } from "mocha";
import { configSchema } from "../../agent/config-schema.ts";
import { exitCodeOf, exitCodes } from "../../agent/exit-codes.ts";
import { hintFor } from "../../agent/hints.ts";
import { parseConfig } from "../../src/config/load.ts";
import { ConfigError } from "../../src/config/problem.ts";
import { shownConfig } from "../../src/config/redact.ts";
import { writeYaml } from "../../src/config/yaml.ts";
import { AgentError } from "../../src/core/errors.ts";
import { tempFolder } from "../lib/temp.ts";

const hex = "5ec2e75ec2e75ec2e75ec2e75ec2e75ec2e75ec2e75ec2e75ec2e75ec2e70000";
const yaml = `cameras: [{id: front, driver: webcam}]
targets: [{id: archive, kind: folder, path: /var/lib/framepost/archive}]
spool:
  encryption:
    key: \${credential:spool-key}
`;

async function withKey(text: string): ReturnType<typeof parseConfig<typeof configSchema>> {
  await using folder = await tempFolder();
  await writeFile(join(folder.path, "spool-key"), text, { mode: 0o600 });
  const environment = { variables: {}, credentialsFolder: folder.path };
  return await parseConfig(yaml, "a.yaml", configSchema, environment);
}

describe("the spool's key in the config", () => {
  it("comes from a credential, is hidden wherever the config is shown, and may be left out", async () => {
    const { config, redacted, secrets, warnings } = await withKey(`${hex}\n`);
    assert.equal(config.spool.encryption?.key, hex);
    assert.deepEqual(warnings, []);
    assert.ok(secrets.includes(hex), "the logger masks it");
    const shown = writeYaml(shownConfig(configSchema, config, { redacted, secrets }));
    assert.match(shown, /key: \$\{credential:spool-key\}/);
    for (const text of [shown, inspect(redacted, { depth: 9 })]) assert.ok(!text.includes(hex));
    const without = await parseConfig(yaml.split("spool:")[0] ?? "", "a.yaml", configSchema, { variables: {} });
    assert.equal(without.config.spool.encryption, undefined);
  });

  it("of a wrong form is a problem at its place, which does not show it", async () => {
    for (const text of ["correct horse battery staple", hex.slice(1), `${hex}00`]) {
      await assert.rejects(withKey(text), (error: unknown) => {
        assert.ok(error instanceof ConfigError);
        const [problem, ...others] = error.problems;
        assert.deepEqual(others, []);
        assert.equal(problem?.path, "spool.encryption.key");
        assert.match(problem.message, /64 hexadecimal digits/);
        assert.ok(!inspect(error, { depth: 9 }).includes(text));
        return true;
      });
    }
  });

  it("has a hint for each way in which it can be refused", () => {
    assert.match(hintFor("SPOOL_KEY_INVALID") ?? "", /openssl rand -hex 32/);
    for (const code of ["SPOOL_KEY_WRONG", "SPOOL_KEY_MISSING"]) assert.match(hintFor(code) ?? "", /key/);
  });

  it("refused at the start, like a folder of a later version, is no reason to start again and again", () => {
    for (const code of ["SPOOL_KEY_WRONG", "SPOOL_KEY_MISSING", "SPOOL_FORMAT_UNKNOWN", "STATE_VERSION_UNKNOWN"]) {
      assert.equal(
        exitCodeOf(new AgentError(code, "refused", { disposition: "fatal" })),
        exitCodes.configuration,
        code,
      );
      assert.doesNotMatch(hintFor(code) ?? "", /writable/);
    }
  });
});
