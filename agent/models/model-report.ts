import type { GoldenVerdict } from "../../src/vision/golden.ts";
import type { TensorReport } from "../../src/vision/inspection.ts";
import type { ModelSpec } from "../../src/vision/model.ts";
import type { Proof } from "../../src/vision/proof.ts";
import { counted, sizeText } from "../terminal.ts";

/** What `models verify` says of a model that loads, for a person and for a program. */

const labelsShown = 8;
/** Of the metadata, what tells people apart whose model it is and what it was made for. */
const factsShown = ["description", "author", "version", "date", "task", "stride", "imgsz", "end2end"];

export function proofLines(reference: string, spec: ModelSpec, proof: Proof): readonly string[] {
  const { model, inspection, golden, problems, warnings } = proof;
  const { inputs, outputs, graph } = inspection;
  const rows: readonly (readonly [string, string])[] = [
    ["file", `${spec.file}, sha256 ${spec.sha256.slice(0, 16)}…`],
    ["family", `${model.family}, ${model.inputWidth}×${model.inputHeight}, threshold ${model.threshold}`],
    ...inputs.map((input) => ["input", tensorText(input)] as const),
    ...outputs.map((output) => ["output", tensorText(output)] as const),
    ["labels", labelsText(model.labels)],
    ["precision", graph === undefined ? "unknown" : graphText(graph)],
    ["licence", licenceOf(spec, proof) ?? "not stated"],
    ...factsShown.flatMap((key) => {
      const value = inspection.metadata[key];
      return value === undefined ? [] : [[key, value] as const];
    }),
    ["golden", goldenText(golden)],
    ["time", timeText(proof)],
    ["memory", `${sizeText(proof.rssBytes)} now, ${sizeText(proof.rssPeakBytes)} at most`],
    ...warnings.map((warning) => ["warning", warning] as const),
    ["verdict", problems.length === 0 ? "fit for use" : `NOT fit for use: ${problems.join("; ")}`],
  ];
  return [reference, ...rows.map(([name, value]) => `  ${name.padEnd(12)}${value}`)];
}

/** The form that others rely on: keep it. */
export function proofJson(reference: string, spec: ModelSpec, proof: Proof): object {
  const { model, inspection, golden, problems, warnings, ...figures } = proof;
  const licence = licenceOf(spec, proof);
  return {
    reference,
    verdict: problems.length === 0 ? "fit" : "unfit",
    problems,
    warnings,
    name: model.name,
    file: spec.file,
    sha256: spec.sha256,
    family: model.family,
    inputWidth: model.inputWidth,
    inputHeight: model.inputHeight,
    threshold: model.threshold,
    nmsIou: model.nmsIou,
    runtime: model.runtime,
    labels: model.labels,
    ...(licence === undefined ? {} : { licence }),
    golden,
    ...figures,
    ...inspection,
  };
}

/** The manifest's word goes before the file's. */
function licenceOf({ manifest }: ModelSpec, { inspection }: Proof): string | undefined {
  const { license, licence = license } = inspection.metadata;
  return manifest.licence ?? licence;
}

function tensorText({ name, type, shape }: TensorReport): string {
  return `${name} ${type}[${shape.join(",")}]`;
}

function labelsText(labels: readonly string[]): string {
  const shown = labels.slice(0, labelsShown).join(", ");
  const more = labels.length > labelsShown ? ", …" : "";
  return `${labels.length}: ${shown}${more}`;
}

function graphText({ precision, opset, nodes, parameters }: NonNullable<Proof["inspection"]["graph"]>): string {
  const weights = parameters < 100_000 ? `${parameters}` : `${(parameters / 1e6).toFixed(1)} million`;
  return `${precision}, ${weights} weights, ${counted(nodes, "node")}, opset ${opset}`;
}

function goldenText(golden: GoldenVerdict): string {
  switch (golden.kind) {
    case "none":
      return "none, so whether it finds anything was not tried: take one in with --record PHOTO";
    case "matched": {
      const { expected, found, iouMin, scoreDifferenceMax } = golden;
      if (expected === 0) return `${counted(found, "object")} found; which are right nobody has said`;
      return `all ${expected} found; boxes share ${iouMin.toFixed(3)} or more, scores differ by ${scoreDifferenceMax.toFixed(3)} or less`;
    }
    case "different":
      return `${golden.missing.length} of ${golden.expected} missing, ${golden.extra.length} not expected`;
    case "dead":
      return `DEAD: nothing found, the highest score is ${golden.scoreMax.toFixed(2)}`;
  }
}

function timeText({ loadMs, runMs, runMsP95, inspection }: Proof): string {
  const threads = counted(inspection.threads, "thread");
  return `loaded in ${loadMs.toFixed(0)} ms; a run takes ${runMs.toFixed(1)} ms (p95 ${runMsP95.toFixed(1)}) on ${threads}`;
}
