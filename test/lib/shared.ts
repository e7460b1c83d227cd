import { existsSync } from "node:fs";
import { join, resolve } from "node:path";
import type { Context } from "mocha";

/** The top folder of the checkout; tests run from `dist/test/lib`. */
export const repositoryFolder = resolve(import.meta.dirname, "..", "..", "..");

/** A folder of third-party models and photos beside the checkout, which most machines do not have. */
export function sharedFolder(): string | undefined {
  const folder = process.env["FRAMEPOST_SHARED"] ?? join(repositoryFolder, "..", "shared");
  return existsSync(folder) ? folder : undefined;
}

/** Skips the test where the folder is absent: it is no program that could be installed. */
export function needsShared(context: Context): string {
  const folder = sharedFolder();
  if (folder !== undefined) return folder;
  process.stdout.write("    skipped below: needs the shared folder of models and photos\n");
  return context.skip();
}
