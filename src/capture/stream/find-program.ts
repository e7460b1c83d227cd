import { access, constants } from "node:fs/promises";
import { delimiter, isAbsolute, join } from "node:path";

/** Where a program lies: itself when it is an absolute path, else the first on `searchPath`. Undefined when nowhere. */
export async function findProgram(program: string, searchPath: string): Promise<string | undefined> {
  const places = isAbsolute(program)
    ? [program]
    : searchPath
        .split(delimiter)
        .filter((folder) => folder !== "")
        .map((folder) => join(folder, program));
  for (const place of places) {
    if (await isExecutable(place)) return place;
  }
  return undefined;
}

async function isExecutable(path: string): Promise<boolean> {
  return access(path, constants.X_OK).then(
    () => true,
    () => false,
  );
}
