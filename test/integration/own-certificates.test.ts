import assert from "node:assert/strict";
import { copyFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, it } from "mocha";
import { configSchema } from "../../agent/config-schema.ts";
import { Certificates } from "../../agent/health/certificates.ts";
import { makeAuthority, makeCertificate } from "../lib/certificates.ts";
import { SimulatedClock } from "../lib/seams.ts";
import { tempFolder } from "../lib/temp.ts";

const dayMs = 24 * 60 * 60_000;

describe("the days that this device's own certificates are good for", () => {
  it("are known of the page's and of those shown to others, and read anew every day", async () => {
    await using folder = await tempFolder();
    const authority = await makeAuthority(folder.path, "ca");
    const names = { subjectAltName: "IP:127.0.0.1" };
    const good = await makeCertificate(folder.path, "good", authority, names);
    const over = await makeCertificate(folder.path, "over", authority, { ...names, expired: true });
    const broken = join(folder.path, "broken.pem");
    await writeFile(broken, "not a certificate");
    const broker = (id: string, cert: string) => {
      return { id, kind: "mqtt", url: "mqtts://127.0.0.1", tls: { cert, key: good.key } };
    };
    const config = configSchema.parse({
      cameras: [{ id: "one", driver: "simulated" }],
      targets: [broker("a", over.cert), broker("b", broken), { id: "c", kind: "folder", path: folder.path }],
      web: { tls: good },
    });
    const clock = new SimulatedClock(Date.now());
    const certificates = new Certificates(config, clock);
    const days = async () =>
      (await certificates.daysLeft()).map(({ user, daysLeft }) => [user, Math.round(daysLeft)] as const);
    assert.deepEqual(await days(), [
      ["web", 2],
      ["target a", -1],
    ]);
    await copyFile(good.cert, over.cert);
    clock.advance(dayMs / 2);
    assert.deepEqual((await days())[1]?.[0], "target a");
    assert.ok(((await days())[1]?.[1] ?? 0) < 0);
    clock.advance(dayMs / 2);
    assert.deepEqual(await days(), [
      ["web", 1],
      ["target a", 1],
    ]);
  });

  it("are unknown by a clock that was never set", async () => {
    const config = configSchema.parse({ cameras: [{ id: "one", driver: "simulated" }] });
    assert.deepEqual(await new Certificates(config, new SimulatedClock(0)).daysLeft(), []);
  });
});
