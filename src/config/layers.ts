import type { z } from "zod";
import { readDocument, type ConfigDocument } from "./document.ts";
import { checkedConfig, checkedDocument, readConfigText, type LoadedConfig } from "./load.ts";
import { asLists, byId, idOrderOf, idsInOrder, isFields, own, patched, type Fields, type IdOrder } from "./overlay.ts";
import { digestOfFile } from "./overlay-file.ts";
import type { ConfigEnvironment } from "./placeholders.ts";
import { pointerOf } from "./overlay-access.ts";
import { ConfigError, type ConfigProblem } from "./problem.ts";
import { valueAt } from "./schema-walk.ts";
import type { ConfigPath, Position, YamlSource } from "./yaml.ts";

/** Who said what a setting is. */
export type Origin =
  (Position & { readonly layer: "file" | "overlay"; readonly file: string }) | { readonly layer: "default" };

/** The overlay as a layer: where it stands is only needed for messages. */
export interface OverlayLayer {
  readonly changes: Fields;
  readonly file: string;
  readonly source?: YamlSource;
}

export interface LayeredConfig<T> extends LoadedConfig<T> {
  /** Both layers as they were written, placeholders unresolved, cameras and targets as objects by their id. */
  readonly written: Fields;
  /** Of a path in the typed config. */
  readonly originOf: (path: ConfigPath) => Origin;
}

/** JSON pointer of a problem, where the lists by id are objects. */
export function pointerOfProblem({ path }: ConfigProblem, written: Fields, order: IdOrder): string {
  if (path === "") return "";
  const steps = path.split(".").map((step) => (/^\d+$/.test(step) ? Number(step) : step));
  return pointerOf(namedPath(written, order, steps));
}

export interface OperatorText {
  readonly file: string;
  readonly text: string;
  readonly document: ConfigDocument;
}

/** The operator's file, which is right by itself: what a layer above it is tried with. */
export class OperatorFile<S extends z.ZodType> {
  readonly file: string;
  readonly text: string;
  readonly digest: string;
  /** Without any layer above it. */
  readonly alone: LoadedConfig<z.output<S>>;
  /** As it was written, cameras and targets as objects by their id. */
  readonly written: Fields;
  readonly order: IdOrder;
  readonly #source: YamlSource;
  readonly #schema: S;
  readonly #environment: ConfigEnvironment;

  private constructor(
    { file, text, document, alone }: OperatorText & { readonly alone: LoadedConfig<z.output<S>> },
    schema: S,
    environment: ConfigEnvironment,
  ) {
    this.file = file;
    this.text = text;
    this.digest = digestOfFile(text);
    this.alone = alone;
    this.#source = document.source;
    this.#schema = schema;
    this.#environment = environment;
    this.written = byId(withIdsOf(document.value, alone.config));
    this.order = idOrderOf(alone.config);
  }

  /** Fails with a ConfigError. */
  static async read<S extends z.ZodType>(
    file: string,
    schema: S,
    environment: ConfigEnvironment,
  ): Promise<OperatorFile<S>> {
    const text = await readConfigText(file);
    return await OperatorFile.of({ file, text, document: readDocument(text, file) }, schema, environment);
  }

  /** Of a document that has been read; `file` names it, and is what its paths are relative to. Fails with a ConfigError. */
  static async of<S extends z.ZodType>(
    operator: OperatorText,
    schema: S,
    environment: ConfigEnvironment,
  ): Promise<OperatorFile<S>> {
    const alone = await checkedDocument(operator.document, operator.file, schema, environment);
    return new OperatorFile({ ...operator, alone }, schema, environment);
  }

  /** With nothing above it. */
  bare(): LayeredConfig<z.output<S>> {
    const layer = { changes: {}, file: this.file };
    const { written } = this;
    const originOf = (path: ConfigPath) => this.#originOf(path, { at: "value", layer, written });
    return { ...this.alone, written, originOf };
  }

  /** With what is above it. Fails with a ConfigError whose problems are all the overlay's. */
  async with(layer: OverlayLayer): Promise<LayeredConfig<z.output<S>>> {
    const merged = patched(this.written, layer.changes);
    const written = isFields(merged) ? merged : {};
    const value = asLists(written, this.order);
    const originOf = (path: ConfigPath, at: "key" | "value" = "value") => this.#originOf(path, { at, layer, written });
    const placeOf = (path: ConfigPath, at: "key" | "value") => {
      const origin = originOf(path, at);
      return origin.layer === "default" ? { file: layer.file, line: 1, column: 1 } : origin;
    };
    try {
      const loaded = await checkedConfig({ value, placeOf }, this.#schema, this.#environment);
      return { ...loaded, written, originOf };
    } catch (error) {
      throw error instanceof ConfigError ? namedAsOverlay(error) : error;
    }
  }

  #originOf(
    path: ConfigPath,
    { at, layer, written }: { at: "key" | "value"; layer: OverlayLayer; written: Fields },
  ): Origin {
    const named = namedPath(written, this.order, path);
    // An id is the name under which the rest stands, and said by whoever brought the item.
    const isName = named.length === 3 && named[2] === "id" && named !== path;
    const asked = isName ? named.slice(0, 2) : named;
    const isFiles = isSaid(this.written, asked);
    if (isSaid(layer.changes, asked) && !(isName && isFiles)) {
      const position = layer.source?.positionOf(["changes", ...asked], at) ?? { line: 1, column: 1 };
      return { layer: "overlay", file: layer.file, ...position };
    }
    if (!isFiles) return { layer: "default" };
    const [list = "", id = "", ...rest] = named;
    const index = this.order[list]?.indexOf(String(id)) ?? -1;
    const inFile = index === -1 ? named : [list, index, ...rest];
    return { layer: "file", file: this.file, ...this.#source.positionOf(inFile, at) };
  }
}

/** A path in the form of a patch: `["cameras", 0, "interval"]` is that of the first camera. */
export function namedPath(written: Fields, order: IdOrder, path: ConfigPath): ConfigPath {
  const [list, index, ...rest] = path;
  if (typeof list !== "string" || typeof index !== "number") return path;
  const items = own(written, list);
  const id = isFields(items) ? idsInOrder(items, order[list])[index] : undefined;
  return id === undefined ? path : [list, id, ...rest];
}

/** Whether a layer has the path, or something that is no mapping above it. */
function isSaid(layer: Fields, path: ConfigPath): boolean {
  let here: unknown = layer;
  for (const step of path) {
    if (!isFields(here)) return here !== undefined;
    if (!Object.hasOwn(here, step)) return false;
    here = own(here, String(step));
  }
  return true;
}

function namedAsOverlay({ problems, cause }: ConfigError): ConfigError {
  const named = problems.map((problem) => ({ ...problem, message: `with the overlay: ${problem.message}` }));
  return new ConfigError(named, cause);
}

/** An id may be a placeholder in the file; what it stands for is its name. */
function withIdsOf(value: unknown, config: unknown): unknown {
  if (!isFields(value)) return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, items]) => {
      if (!Array.isArray(items)) return [key, items];
      const named = items.map((item: unknown, index) => {
        const id = valueAt(config, [key, index, "id"]);
        return isFields(item) && typeof id === "string" ? { ...item, id } : item;
      });
      return [key, named];
    }),
  );
}
