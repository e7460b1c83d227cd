import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** A fresh folder for one test, gone with `await using`. */
export async function tempFolder(): Promise<AsyncDisposable & { readonly path: string }> {
  const path = await mkdtemp(join(tmpdir(), "framepost-test-"));
  return {
    path,
    async [Symbol.asyncDispose]() {
      // Something may just be writing its last file.
      await rm(path, { recursive: true, force: true, maxRetries: 5 });
    },
  };
}
