import { z } from "zod";
import { byteSize, identifier } from "../../config/values.ts";
import { filterFields, queueFields } from "../config.ts";

/** One target of kind `folder`, as written in the config file. */
export const folderTargetConfig = z.strictObject({
  id: identifier,
  kind: z.literal("folder"),
  path: z.string().min(1).describe("Folder of the data set; made when it does not exist"),
  maxBytes: byteSize
    .prefault("1GB")
    .describe(
      "The data set never grows above this, nor, on the disk of the data folder, above what spool.maxBytes leaves it. Nothing is deleted: records wait in the spool instead",
    ),
  ...filterFields,
  ...queueFields,
});

export type FolderTargetConfig = z.infer<typeof folderTargetConfig>;
