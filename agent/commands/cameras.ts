import { readFile } from "node:fs/promises";
import { discoverCameras } from "../../src/capture/discover/cameras.ts";
import { cameraTable, missingNotes } from "../camera-listing.ts";
import { takeShot } from "../camera-shot.ts";
import type { CommandContext } from "../context.ts";
import { exitCodes, type ExitCode } from "../exit-codes.ts";
import { writeOutput } from "../files.ts";
import { type OnvifOptions, onvif } from "../onvif-listing.ts";

export interface CamerasOptions extends OnvifOptions {
  readonly shot?: string;
  readonly output: string;
  /** True, or the host of one device. */
  readonly onvif?: true | string;
}

export async function cameras(context: CommandContext, options: CamerasOptions): Promise<ExitCode> {
  if (options.shot !== undefined) return shot(context, options.shot, options.output);
  if (options.onvif !== undefined) return onvif(context, options.onvif, options);
  const { terminal, clock, signal } = context;
  const found = await discoverCameras({ formats: true }, clock, signal);
  if (context.json) {
    terminal.data(JSON.stringify(found));
    return exitCodes.ok;
  }
  if (found.cameras.length === 0) {
    // Said, not listed: whoever counts lines of stdout counts cameras.
    terminal.note("no camera found on this machine (nothing like /dev/video0, and no Raspberry Pi camera)");
    terminal.note("for cameras of the network: framepost cameras --onvif; drivers of all kinds: docs/cameras.md");
  } else {
    for (const line of cameraTable(found.cameras)) terminal.data(line);
    terminal.note("try one with: framepost cameras --shot 'STABLE NAME'");
  }
  for (const note of missingNotes(found, await isRaspberryPi())) terminal.note(note);
  return exitCodes.ok;
}

async function shot(context: CommandContext, source: string, output: string): Promise<ExitCode> {
  const { jpeg, width, height } = await takeShot(context, source);
  await writeOutput(output, jpeg);
  const facts = { output, width, height, sizeBytes: jpeg.length };
  if (context.json) context.terminal.data(JSON.stringify(facts));
  else context.terminal.data(`${output}: ${width}×${height}, ${facts.sizeBytes} bytes`);
  return exitCodes.ok;
}

async function isRaspberryPi(): Promise<boolean> {
  const model = await readFile("/proc/device-tree/model", "utf8").catch(() => "");
  return model.startsWith("Raspberry Pi");
}
