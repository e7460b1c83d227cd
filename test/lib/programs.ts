import { accessSync, constants } from "node:fs";
import { delimiter, join } from "node:path";
import type { Context } from "mocha";

/** True when PATH leads to a program of this name. */
export function isInstalled(program: string): boolean {
  return (process.env["PATH"] ?? "").split(delimiter).some((folder) => {
    try {
      accessSync(join(folder, program), constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}

/**
 * Call first in a test or a `before` hook that runs `program`. Where it is missing the test is skipped, naming the
 * Debian package; with FRAMEPOST_REQUIRE_ALL=1 it fails instead.
 */
export function needsProgram(context: Context, program: string, debianPackage: string): void {
  if (!isInstalled(program)) missing(context, `${program} (Debian package ${debianPackage})`);
}

/** The same for anything else a test needs of its machine, for example root or a kernel feature. */
export function missing(context: Context, what: string): void {
  if (process.env["FRAMEPOST_REQUIRE_ALL"] === "1") throw new Error(`this test needs ${what}`);
  process.stdout.write(`    skipped below: needs ${what}\n`);
  context.skip();
}
