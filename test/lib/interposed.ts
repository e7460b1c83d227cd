import fs from "node:fs/promises";
import { syncBuiltinESMExports } from "node:module";

type Interposable = Pick<typeof fs, "open" | "rename">;

/** Puts a function of `node:fs/promises` before the real one, for everybody, while `body` runs. */
export async function withInterposed<K extends keyof Interposable>(
  name: K,
  make: (real: Interposable[K]) => Interposable[K],
  body: () => Promise<void>,
): Promise<void> {
  const real = fs[name];
  const put = (it: Interposable[K]) => {
    Object.assign(fs, { [name]: it });
    syncBuiltinESMExports();
  };
  put(make(real));
  try {
    await body();
  } finally {
    put(real);
  }
}
