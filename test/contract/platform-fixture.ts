import type { Target } from "../../src/core/ports.ts";
import type { HttpSandbox } from "../../src/sandbox/http-sandbox.ts";
import type { TargetFixture } from "./target-checks.ts";

type Own = Omit<TargetFixture, "target" | "received" | "freeze" | "vanish" | "restarted" | typeof Symbol.asyncDispose>;

/**
 * A platform over HTTP and its stand-in, which runs already. `make` gives a new target with the same settings and the
 * same memory; `own` is what only this platform knows.
 */
export function platformFixture(
  sandbox: HttpSandbox & { stored(): readonly unknown[] },
  make: () => Target,
  own: Own,
): TargetFixture {
  const targets: Target[] = [];
  const made = (): Target => {
    const target = make();
    targets.push(target);
    return target;
  };
  return {
    ...own,
    target: made(),
    restarted: () => Promise.resolve(made()),
    received: () => Promise.resolve(sandbox.stored().length),
    async freeze() {
      sandbox.fault({ kind: "hang", stores: false }, Infinity);
    },
    vanish: () => sandbox.stop(),
    async [Symbol.asyncDispose]() {
      for (const target of targets) await target.close();
      await sandbox.stop();
    },
  };
}
