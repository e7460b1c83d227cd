import assert from "node:assert/strict";
import { describe, it } from "mocha";
import { updatesCheck } from "../../agent/checks/updates.ts";
import { commandContext } from "../lib/command-context.ts";
import { TestSigner } from "../lib/minisign.ts";
import { ReleaseServer } from "../lib/releases.ts";

const files = { "model.onnx": Buffer.from("m"), "golden.jpg": Buffer.from("p"), "golden.json": Buffer.from("g") };
const rest = { every: 60_000, maxBytes: 1_000_000, probation: 60_000 };

describe("doctor on updates", () => {
  it("says whether the release is there, rightly signed and still good, and what to do where not", async () => {
    let url = "";
    let publicKey = "";
    const found = async (model?: string): Promise<string> => {
      const detector = { updates: { ...rest, url, publicKey }, ...(model === undefined ? {} : { model }) };
      const line = await updatesCheck(commandContext(), detector);
      assert.ok(line !== undefined);
      return `${line.result}: ${line.found}; ${line.mend ?? ""}`;
    };
    {
      await using server = await ReleaseServer.open();
      ({ url } = server);
      ({ publicKey } = server.signer);
      assert.match(await found(), /^failed: .*HTTP 404 \(RELEASE_UNAVAILABLE\); put release\.json and release\.json\./);
      server.publish({ files, version: "8", sequence: 8 });
      assert.match(await found(), /^ok: the release there is wasps@8, number 8, rightly signed, good until 2099-/);
      server.publish({ files, expires: "2020-01-01T00:00:00Z" });
      assert.match(await found(), /^warning: .*good until 2020-.*; publish a release with a higher number/);
      server.publish({ files }, new TestSigner(4));
      assert.match(await found(), /^failed: .*\(RELEASE_SIGNATURE\); sign release\.json again/);
      assert.match(await found("yard"), /^warning: detector\.updates has no effect while detector\.model is set/);
      assert.equal(await updatesCheck(commandContext(), {}), undefined);
    }
    assert.match(await found(), /^warning: .*connection refused.*; check detector\.updates\.url/);
  });
});
