import assert from "node:assert/strict";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, it } from "mocha";
import { diskStatus, hardwareName, hostStatus } from "../../agent/remote/host.ts";
import { tempFolder } from "../lib/temp.ts";

async function zones(folder: string, temps: Readonly<Record<string, string>>): Promise<void> {
  for (const [name, text] of Object.entries(temps)) {
    await mkdir(join(folder, name), { recursive: true });
    await writeFile(join(folder, name, "temp"), text);
  }
}

describe("what the machine tells of itself", () => {
  it("is the hottest temperature of those that are none of nonsense", async () => {
    await using folder = await tempFolder();
    await zones(folder.path, { thermal_zone0: "48312\n", thermal_zone1: "51020\n", thermal_zone2: "-273000\n" });
    await zones(folder.path, { thermal_zone3: "", cooling_device0: "99000\n", thermal_zone4: "no number" });
    await mkdir(join(folder.path, "thermal_zone5"));
    assert.equal(hostStatus(folder.path).temperatureC, 51);
  });

  it("has no temperature where there is no sensor", async () => {
    await using folder = await tempFolder();
    assert.equal("temperatureC" in hostStatus(folder.path), false);
    assert.equal("temperatureC" in hostStatus(join(folder.path, "none")), false);
    assert.ok(hostStatus(folder.path).cpus >= 1);
  });

  it("is what the board calls itself, without the zero at its end", async () => {
    await using folder = await tempFolder();
    const [none, model] = [join(folder.path, "none"), join(folder.path, "model")];
    await writeFile(model, "Raspberry Pi 4 Model B Rev 1.4\0");
    assert.equal(hardwareName([none, model]), "Raspberry Pi 4 Model B Rev 1.4");
    assert.equal(hardwareName([none]), undefined);
  });

  it("is how much is free on the disk, where that answers", async () => {
    await using folder = await tempFolder();
    const disk = await diskStatus(folder.path, 7);
    assert.ok(disk !== undefined && disk.freeBytes > 0);
    assert.equal(disk.reserveBytes, 7);
    assert.equal(await diskStatus(join(folder.path, "none"), 7), undefined);
  });
});
