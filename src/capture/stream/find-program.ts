import { access, constants, stat } from "node:fs/promises";
import { delimiter, isAbsolute, join } from "node:path";
import { AgentError } from "../../core/errors.ts";

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

/** Of programs that do the same, the first that is there, by its path. */
export async function firstInstalled(names: readonly string[], searchPath: string): Promise<string | undefined> {
  for (const name of names) {
    const path = await findProgram(name, searchPath);
    if (path !== undefined) return path;
  }
  return undefined;
}

/** The first of `names` that is installed, by its path. Fails with `CAMERA_PROGRAM_MISSING`, giving the `hint`. */
export async function installedProgram(names: readonly string[], hint = ""): Promise<string> {
  const path = await firstInstalled(names, process.env["PATH"] ?? "");
  if (path !== undefined) return path;
  const what =
    names.length === 1 ? `the program ${names.join()} is not` : `none of the programs ${names.join(", ")} is`;
  const message = `${what} installed, or may not be run${hint}`;
  throw new AgentError("CAMERA_PROGRAM_MISSING", message, { disposition: "retry" });
}

async function isExecutable(path: string): Promise<boolean> {
  try {
    await access(path, constants.X_OK);
    return (await stat(path)).isFile();
  } catch {
    return false;
  }
}
