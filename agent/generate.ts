import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { documents } from "./documents/documents.ts";
import { packageFolder } from "./version.ts";

/**
 * Writes what is made from the code: `npm run generate`. With `--check` it writes nothing and exits 1 when a file is
 * not what the code makes of it.
 */
const check = process.argv.includes("--check");
for (const [name, make] of Object.entries(documents)) {
  const file = join(packageFolder, name);
  const fresh = await make();
  const old = await readFile(file, "utf8").catch(() => undefined);
  if (old === fresh) {
    process.stdout.write(`${name} is fresh\n`);
    continue;
  }
  if (check) {
    process.stderr.write(`${name} is not what the code makes of it: npm run generate\n`);
    process.exitCode = 1;
    continue;
  }
  await writeFile(file, fresh);
  process.stdout.write(`${name} written\n`);
}
