import { basename, join } from "node:path";
import { HttpStream } from "../../../src/link/http-stream.ts";
import type { LeftPart } from "../../../src/models/part.ts";
import type { InstalledModel } from "../../../src/models/store.ts";
import { readManifest } from "../../../src/vision/model.ts";
import type { CommandContext } from "../../context.ts";
import { exitCodes, type ExitCode } from "../../exit-codes.ts";
import { downloadsOf, modelsPlace, type ModelsPlace } from "../../models/models-place.ts";
import { sizeText, textTable } from "../../terminal.ts";

interface Row {
  readonly name: string;
  readonly version: string;
  readonly bytes: number;
  readonly sha256: string | undefined;
  readonly licence: string | undefined;
  readonly state: "in use" | "current" | "previous" | "pinned" | "shadow" | "damaged" | undefined;
  readonly file: string;
}

/** With `--json` one line per model, then one with what is in use and what is still being downloaded. */
export async function modelsList(context: CommandContext): Promise<ExitCode> {
  const { terminal, json } = context;
  const place = await modelsPlace(context);
  const rows = await rowsOf(place);
  const unfinished = await downloadsOf(place, new HttpStream()).unfinished();
  if (json) {
    for (const row of rows) terminal.data(JSON.stringify(row));
    const downloads = unfinished.map(({ shown, bytes, totalBytes, state }) => ({ shown, bytes, totalBytes, state }));
    terminal.data(JSON.stringify({ listed: rows.length, pinned: place.pinned ?? null, unfinished: downloads }));
    return exitCodes.ok;
  }
  if (rows.length > 0) for (const line of tableOf(rows)) terminal.data(line);
  for (const part of unfinished) terminal.data(partLine(part));
  for (const note of notesOn(place, rows)) terminal.note(note);
  return exitCodes.ok;
}

async function rowsOf(place: ModelsPlace): Promise<readonly Row[]> {
  const { store, pinned, shadow } = place;
  const [current, previous] = [await store.current(), await store.previous()];
  const named = pinned === undefined ? undefined : await store.find(pinned);
  const compared = shadow === undefined ? undefined : await store.find(shadow);
  const stateOf = (model: InstalledModel): Row["state"] => {
    if (isSame(model, named)) return "pinned";
    if (isSame(model, current)) return pinned === undefined ? "in use" : "current";
    if (isSame(model, compared)) return "shadow";
    return isSame(model, previous) ? "previous" : undefined;
  };
  return await Promise.all(
    (await store.list()).map(async (model) => {
      const manifest = await readManifest(join(model.folder, "model.json")).catch(() => undefined);
      const isDamaged = manifest?.bytes !== undefined && manifest.bytes !== model.bytes;
      const { name, version, bytes, file } = model;
      const { sha256, licence } = manifest ?? {};
      return { name, version, bytes, sha256, licence, state: isDamaged ? "damaged" : stateOf(model), file };
    }),
  );
}

function isSame(model: InstalledModel, other: InstalledModel | undefined): boolean {
  return model.folder === other?.folder;
}

function tableOf(rows: readonly Row[]): readonly string[] {
  const cells = rows.map(({ name, version, bytes, sha256, licence, state }) => [
    name,
    version,
    sizeText(bytes),
    sha256?.slice(0, 16) ?? "-",
    licence ?? "-",
    state ?? "",
  ]);
  return textTable(["name", "version", "size", "sha256", "licence", "state"], cells);
}

function partLine({ shown, bytes, totalBytes, state, folder }: LeftPart): string {
  const of = totalBytes === undefined ? "" : ` of ${sizeText(totalBytes)}`;
  const what =
    state === "under way" ? "being downloaded" : "download interrupted, the next `models add` goes on with it";
  return `${shown === "" ? basename(folder) : shown}  ${sizeText(bytes)}${of}  ${what}`;
}

function notesOn({ pinned }: ModelsPlace, rows: readonly Row[]): readonly string[] {
  const damaged = rows.filter(({ state }) => state === "damaged");
  return [
    ...(rows.length === 0 ? ["no model is installed; see what there is with: framepost models catalog"] : []),
    ...(pinned === undefined ? [] : [`detector.model of the config names ${pinned}: that one is used`]),
    ...(rows.length > 0 && pinned === undefined && rows.every(({ state }) => state !== "in use")
      ? ["none of these is in use, but the one that ships; change that with: framepost models use NAME"]
      : []),
    ...damaged.map(({ name, version }) => `${name}@${version} is damaged: remove it and add it again`),
  ];
}
