import { MemorySpool } from "../lib/memory-spool.ts";
import { spoolContract } from "./spool-contract.ts";

spoolContract("in memory", () => ({
  open: async (seams, recordsMax) =>
    new MemorySpool({ ...seams, device: "gw", spoolId: "abcd", ...(recordsMax === undefined ? {} : { recordsMax }) }),
  close: async () => undefined,
}));
