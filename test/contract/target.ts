import { describe, it } from "mocha";
import { targetChecks, type TargetFixture } from "./target-checks.ts";

/** The conformance suite of the Target port, for one implementation. */
export function targetContract(name: string, make: () => Promise<TargetFixture>): void {
  describe(`target contract: ${name}`, () => {
    for (const check of targetChecks) {
      it(check.name, async () => {
        await using fixture = await make();
        await check.run(fixture);
      });
    }
  });
}
