import type { CommandContext } from "../context.ts";
import { exitCodes, type ExitCode } from "../exit-codes.ts";
import { exportDataset } from "../../src/targets/folder/dataset.ts";

export async function datasetExport(
  context: CommandContext,
  options: { readonly from: string; readonly to: string; readonly format: "coco" | "yolo" | "voc" },
): Promise<ExitCode> {
  const { terminal, signal } = context;
  const done = await exportDataset(
    { ...options, onProgress: ({ done, total }) => terminal.status(`exporting ${done}/${total}`) },
    signal,
  );
  if (context.json) terminal.data(JSON.stringify({ ...options, ...done }));
  else
    terminal.data(`${done.images} images with ${done.boxes} boxes of ${done.classes.length} labels in ${options.to}`);
  return exitCodes.ok;
}
