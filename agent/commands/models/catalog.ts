import { catalog } from "../../../src/models/catalog.ts";
import type { CommandContext } from "../../context.ts";
import { exitCodes, type ExitCode } from "../../exit-codes.ts";
import { sizeText, textTable } from "../../terminal.ts";

/** With `--json` one line per model, with its manifest, then `{"listed":n}`. */
export function modelsCatalog({ terminal, json }: CommandContext): ExitCode {
  if (json) {
    for (const model of catalog) terminal.data(JSON.stringify(model));
    terminal.data(JSON.stringify({ listed: catalog.length }));
    return exitCodes.ok;
  }
  const rows = catalog.map(({ name, version, bytes, licence, about }) => [
    name,
    version,
    sizeText(bytes),
    licence,
    about,
  ]);
  for (const line of textTable(["name", "version", "size", "licence", "what it finds"], rows)) terminal.data(line);
  terminal.note("install one with: framepost models add NAME; addresses and checksums stand in: models catalog --json");
  terminal.note("a file whose SHA-256 is not the one listed is never used, whatever its address gives");
  return exitCodes.ok;
}
