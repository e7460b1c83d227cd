import { rm } from "node:fs/promises";
import { diskSpoolOf, PatientClock } from "../lib/disk-spool.ts";
import { MemorySpool } from "../lib/memory-spool.ts";
import { SimulatedClock } from "../lib/seams.ts";
import { tempFolder } from "../lib/temp.ts";
import { spoolContract } from "./spool-contract.ts";

spoolContract("in memory", () => ({
  clock: new SimulatedClock(),
  open: async (seams, recordsMax = Infinity) =>
    new MemorySpool({ ...seams, device: "gw", spoolId: "abcd", recordsMax }),
  close: async () => undefined,
}));

spoolContract("on disk", () => {
  let path = "";
  return {
    clock: new PatientClock(),
    open: async (seams, recordsMax = Infinity) => {
      ({ path } = await tempFolder());
      return diskSpoolOf(path, { ...seams, recordsMax }).spool;
    },
    close: async () => await rm(path, { recursive: true, force: true }),
  };
});
