import { join } from "node:path";
import { AgentError } from "../src/core/errors.ts";
import { type Sql, takeLock } from "../src/spool/index/database.ts";

/**
 * One export of a spool at a time, also beside the daemon: a second one would go on with what the first has held, and each
 * might remove what the other has written. The kernel drops the lock with the process. Fails with `EXPORT_BUSY`.
 */
export async function exportingAlone<T>(dataFolder: string, action: () => Promise<T>): Promise<T> {
  const lock = takenIn(join(dataFolder, "export.lock"));
  try {
    return await action();
  } finally {
    lock.exec("ROLLBACK");
  }
}

function takenIn(path: string): Sql {
  try {
    return takeLock(path, path, () => "another export");
  } catch (error) {
    if (!(error instanceof AgentError) || error.code !== "SPOOL_LOCKED") throw error;
    throw new AgentError("EXPORT_BUSY", "export: another export of this spool is under way", {
      disposition: "retry",
      cause: error,
    });
  }
}
