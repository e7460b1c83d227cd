// `npm run package [-- amd64 arm64] [--suffix +text] [--out FOLDER]`: Debian packages of this checkout, on any machine that
// has dpkg-deb and reaches the npm registry. The same checkout gives the same bytes.
import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { buildDebian } from "./package/debian.mjs";
import { architectures } from "./package/elf.mjs";
import { compile, sourceDate, stageProgram } from "./package/stage.mjs";

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { suffix: { type: "string", default: "" }, out: { type: "string", default: "packages" } },
});
const wanted = positionals.length === 0 ? Object.keys(architectures) : positionals;
const unknown = wanted.filter((name) => architectures[name] === undefined);
if (unknown.length > 0)
  fail(`no package for ${unknown.join(", ")}: there are ${Object.keys(architectures).join(", ")}`);
// What Debian allows in a version, and nothing that would make it another version of the sources.
if (!/^([+~][a-z0-9.]+)?$/.test(values.suffix)) fail(`the suffix ${values.suffix} is not like +test2 or ~rc1`);
if (spawnSync("dpkg-deb", ["--version"]).status !== 0) {
  fail("dpkg-deb is missing, which makes the packages: on Debian it is there, elsewhere install the package dpkg");
}

const out = resolve(values.out);
const home = mkdtempSync(join(tmpdir(), "framepost-package-"));
process.once("exit", () => rmSync(home, { recursive: true, force: true }));
for (const signal of ["SIGINT", "SIGTERM"]) process.once(signal, () => process.exit(130));
try {
  mkdirSync(out, { recursive: true });
  const date = sourceDate();
  const compiled = join(home, "dist");
  compile(compiled);
  for (const architecture of wanted) {
    const root = join(home, architecture);
    const program = join(root, "usr/lib/framepost");
    stageProgram(program, { compiled, architecture });
    const file = buildDebian(root, { architecture, suffix: values.suffix, date, out });
    process.stdout.write(`${file}  ${(statSync(file).size / 1e6).toFixed(1)} MB\n`);
  }
} catch (error) {
  fail(error instanceof Error ? error.message : String(error));
}

function fail(why) {
  process.stderr.write(`package: ${why}\n`);
  process.exit(1);
}
