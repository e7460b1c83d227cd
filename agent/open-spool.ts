import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import type { DiskBudget } from "../src/core/disk-budget.ts";
import { AgentError } from "../src/core/errors.ts";
import type { Seams } from "../src/core/ports.ts";
import { spoolFolder } from "../src/spool/format.ts";
import type { StoredRecord } from "../src/core/types.ts";
import { DiskSpool, type SpoolTarget } from "../src/spool/spool.ts";
import { BootClock } from "../src/state/boot-clock.ts";
import { openDeviceState } from "../src/state/device-state.ts";
import type { FramepostConfig } from "./config-schema.ts";
import { fileProblem } from "./files.ts";
import { actAsOwnerOf } from "./owner.ts";

/**
 * The spool of a data folder, not yet started, and the device whose records it holds, for commands that only look: no
 * target counts as new or removed. From here on the process acts as the folder's owner. With `readOnly` the device's
 * state is left as it is: it lies outside of the spool's lock.
 */
export async function openSpool(
  config: Pick<FramepostConfig, "device" | "spool">,
  dataFolder: string,
  seams: Seams,
  { readOnly = false }: { readonly readOnly?: boolean } = {},
): Promise<{ readonly device: string; readonly spool: DiskSpool }> {
  const device = await openData(config, dataFolder, seams, readOnly);
  const bootClock = await BootClock.open(join(dataFolder, "state"), seams);
  return { device, spool: await buildSpool(config, { dataFolder, device, bootClock }, seams) };
}

/** Makes the data folder usable, as its owner from here on. The device whose records it holds. */
export async function openData(
  config: Pick<FramepostConfig, "device">,
  dataFolder: string,
  seams: Seams,
  readOnly = false,
): Promise<string> {
  await makeDataFolder(dataFolder);
  await actAsOwnerOf(dataFolder);
  const { name } = config.device;
  const folder = join(dataFolder, "state");
  const state = await openDeviceState({ folder, readOnly, ...(name === undefined ? {} : { deviceId: name }) }, seams);
  return name ?? state.read().deviceId;
}

export async function buildSpool(
  config: Pick<FramepostConfig, "spool">,
  {
    dataFolder,
    bootClock,
    ...rest
  }: {
    dataFolder: string;
    device: string;
    bootClock: BootClock;
    targets?: readonly SpoolTarget[];
    budget?: DiskBudget;
  },
  seams: Seams,
): Promise<DiskSpool> {
  const bounds = config.spool;
  const { folder, newerFormat } = await spoolFolder(join(dataFolder, "spool"));
  if (newerFormat !== undefined) {
    seams.log.error("spool.newer_format", { format: newerFormat, inUse: folder });
  }
  const options = {
    ...rest,
    folder,
    bytesMax: bounds.maxBytes,
    recordsMax: bounds.maxRecords,
    freeBytesMin: bounds.minFreeBytes,
    removedTargetsAfterMs: bounds.removedTargetsAfter,
    eviction: bounds.eviction,
    quarantine: { share: bounds.quarantine.maxShare, ageMaxMs: bounds.quarantine.maxAge },
    ...(bounds.maxAge === undefined ? {} : { ageMaxMs: bounds.maxAge }),
    onDead,
    corrected: (record: StoredRecord) => bootClock.corrected(record),
    ...(bounds.encryption === undefined ? {} : { encryptionKey: bounds.encryption.key }),
  };
  return new DiskSpool(options, seams);
}

/** Uncaught on purpose: a fresh process is what helps, and the service manager starts it. */
function onDead(error: Error): void {
  setImmediate(() => {
    throw error;
  });
}

async function makeDataFolder(folder: string): Promise<void> {
  try {
    await mkdir(folder, { recursive: true, mode: 0o700 });
  } catch (error) {
    throw new AgentError("DATA_FOLDER", `cannot use the data folder ${folder}: ${fileProblem(error)}`, {
      disposition: "fatal",
      cause: error,
    });
  }
}
