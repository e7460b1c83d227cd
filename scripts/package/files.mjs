import { readdirSync } from "node:fs";
import { join } from "node:path";

/** Every file below a folder, as paths from it, sorted; a link counts as a file, wherever it leads. */
export function filesBelow(folder, under = "") {
  const entries = readdirSync(join(folder, under), { withFileTypes: true });
  return entries
    .flatMap((entry) => {
      const path = join(under, entry.name);
      return entry.isDirectory() ? filesBelow(folder, path) : [path];
    })
    .sort();
}
