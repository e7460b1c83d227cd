import { join, resolve } from "node:path";
import { AgentError } from "../../src/core/errors.ts";
import { defaultModel } from "../../src/config/sections.ts";
import { ModelStore } from "../../src/models/store.ts";
import { type ModelSpec, resolveModel } from "../../src/vision/model.ts";
import { packageFolder } from "../version.ts";

/** The models that an operator installed. */
export function modelStoreOf(dataFolder: string): ModelStore {
  return new ModelStore(join(dataFolder, "models"));
}

/**
 * What a name or a path stands for: an installed model (`NAME`, `NAME@VERSION`), one that ships with the program, or an
 * ONNX file. Without one: the model in use, else the one that ships. Fails as `resolveModel` does.
 */
export async function findModel(
  reference: string | undefined,
  { dataFolder, manifest }: { readonly dataFolder: string | undefined; readonly manifest?: string },
): Promise<ModelSpec> {
  const store = dataFolder === undefined ? undefined : modelStoreOf(dataFolder);
  const installed = reference === undefined ? await store?.current() : await store?.find(reference);
  const folders = [
    ...(dataFolder === undefined ? [] : [join(dataFolder, "models")]),
    join(packageFolder, "models/tiny"),
  ];
  const options = { modelsFolders: folders, ...(manifest === undefined ? {} : { manifest }) };
  if (installed === undefined) {
    try {
      return await resolveModel(reference ?? defaultModel, options);
    } catch (error) {
      throw dataFolder === undefined ? error : notInstalledEither(error, reference);
    }
  }
  const spec = await resolveModel(resolve(installed.file), options);
  return spec.manifest.name === undefined ? { ...spec, name: `${installed.name}@${installed.version}` } : spec;
}

/** Only what could be the name of an installed one was looked for among them. */
function notInstalledEither(error: unknown, reference = ""): unknown {
  if (!(error instanceof AgentError) || error.code !== "MODEL_NOT_FOUND" || !/^[\w.-]+(@[\w.-]+)?$/.test(reference)) {
    return error;
  }
  const { code, disposition, message } = error;
  return new AgentError(code, `${message}; and none of that name is installed`, { disposition, cause: error });
}
