import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { buildTinyModels } from "./build.ts";

/** Run from the top folder after a build: `node dist/models/tiny/write.js`. */
for (const { name, bytes } of buildTinyModels()) {
  writeFileSync(join("models", "tiny", name), bytes);
  process.stdout.write(`${name} ${bytes.length} bytes\n`);
}
