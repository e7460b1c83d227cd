import { AgentError } from "../../core/errors.ts";
import type { PerChannel } from "../config.ts";
import type { ModelSpec } from "../model.ts";
import type { Defaults, InputSize, TensorFacts } from "./families/family.ts";
import type { TensorLayout } from "./fill.ts";

/** How a model is fed: from its input's shape, its manifest, its metadata, and its family's habits, in that order. */

/** The one input that takes a picture. Fails with `MODEL_INPUT` when there is none this version can fill. */
export function pictureInput(inputs: readonly TensorFacts[], file: string): TensorFacts {
  const picture = inputs.find(({ shape }) => shape.length === 4);
  if (picture === undefined) throw wrongInput(file, "no input takes a picture");
  const [batch, second] = picture.shape;
  if (typeof batch === "number" && batch !== 1) throw wrongInput(file, `it wants ${batch} pictures at once`);
  const isFloat = picture.type === "float32" && second === 3;
  const isBytes = picture.type === "uint8" && picture.shape[3] === 3;
  if (!isFloat && !isBytes)
    throw wrongInput(file, `its input ${picture.type}[${picture.shape.join(",")}] is no RGB picture`);
  return picture;
}

/** Fails with `MODEL_INPUT` when the model wants something that nobody gives it: its run would fail, frame by frame. */
export function otherInputs(
  inputs: readonly TensorFacts[],
  given: readonly { readonly name: string }[],
  file: string,
): void {
  const missing = inputs.find(({ name }) => !given.some((input) => input.name === name));
  if (missing === undefined) return;
  const { name, type, shape } = missing;
  throw wrongInput(file, `beside the picture it wants ${name.slice(0, 40)} ${type}[${shape.join(",")}]`);
}

/** Undefined when neither the file, nor the manifest, nor the metadata fixes it. */
export function inputSize(
  picture: TensorFacts,
  manifest: ModelSpec["manifest"],
  metadata: ReadonlyMap<string, string>,
  file: string,
): InputSize | undefined {
  const first = isChannelsFirst(picture) ? 2 : 1;
  const trained = /^\[(\d{1,5}), ?(\d{1,5})\]$/.exec(metadata.get("imgsz") ?? "");
  const side = (name: "width" | "height", fixed: number | string | undefined, habit: string | undefined) => {
    const wanted = manifest.input?.[name];
    if (typeof fixed !== "number") return wanted ?? (habit === undefined ? undefined : Number(habit));
    if (wanted === undefined || wanted === fixed) return fixed;
    throw wrongInput(file, `its input has a ${name} of ${fixed}, but the manifest says ${wanted}`);
  };
  const height = side("height", picture.shape[first], trained?.[1]);
  const width = side("width", picture.shape[first + 1], trained?.[2]);
  return width === undefined || height === undefined ? undefined : { width, height };
}

export function tensorLayout(
  picture: TensorFacts,
  size: InputSize,
  manifest: ModelSpec["manifest"],
  defaults: Defaults,
): TensorLayout {
  const { input } = manifest;
  return {
    width: size.width,
    height: size.height,
    layout: isChannelsFirst(picture) ? "nchw" : "nhwc",
    order: input?.order ?? defaults.order,
    mean: perChannel(input?.mean ?? defaults.mean),
    std: perChannel(input?.std ?? defaults.std),
    pad: input?.pad ?? defaults.pad,
  };
}

export function openSize(file: string): AgentError {
  return wrongInput(file, "its input size is open: write input.width and input.height into a manifest");
}

function isChannelsFirst(picture: TensorFacts): boolean {
  return picture.type === "float32";
}

function perChannel(value: PerChannel): readonly [number, number, number] {
  return typeof value === "number" ? [value, value, value] : value;
}

function wrongInput(file: string, why: string): AgentError {
  return new AgentError("MODEL_INPUT", `cannot feed the model ${file}: ${why}`, { disposition: "fatal" });
}
