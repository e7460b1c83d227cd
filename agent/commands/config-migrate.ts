import { copyFile, rename, stat, writeFile } from "node:fs/promises";
import { readDocument } from "../../src/config/document.ts";
import { readConfigText } from "../../src/config/load.ts";
import { currentVersion } from "../../src/config/migrations.ts";
import { formatProblem } from "../../src/config/problem.ts";
import { writeYaml } from "../../src/config/yaml.ts";
import type { CommandContext } from "../context.ts";
import { exitCodes, type ExitCode } from "../exit-codes.ts";
import { configFileOf } from "../settings.ts";

/** Prints the config file in the form of this version, or writes it: the one before is kept beside it. */
export async function configMigrate(
  context: CommandContext,
  { write = false }: { readonly write?: boolean } = {},
): Promise<ExitCode> {
  const { terminal, json } = context;
  const file = await configFileOf(context);
  const text = await readConfigText(file);
  const { value, migratedFrom, warnings } = readDocument(text, file);
  const version = currentVersion();
  if (migratedFrom === undefined) {
    if (json) terminal.data(JSON.stringify({ file, version, migrated: false }));
    else terminal.data(`${file}: version ${version}, which is the latest: nothing to migrate`);
    return exitCodes.ok;
  }
  for (const warning of warnings) terminal.note(formatProblem(warning));
  if (!write) {
    terminal.data(writeYaml(value).trimEnd());
    terminal.note(
      "its comments are not in it; `--write` puts it into the file, and keeps the file as it was beside it",
    );
    return exitCodes.ok;
  }
  const before = `${file}.version-${migratedFrom}`;
  const { mode } = await stat(file);
  await copyFile(file, before);
  await writeFile(`${file}.new`, writeYaml(value), { mode });
  await rename(`${file}.new`, file);
  if (json) terminal.data(JSON.stringify({ file, version, migrated: true, before }));
  else terminal.data(`${file}: version ${version}; as it was, with its comments: ${before}`);
  return exitCodes.ok;
}
