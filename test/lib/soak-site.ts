import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import type { QueueStats } from "../../src/core/queue.ts";
import { IotownSandbox } from "../../src/sandbox/iotown/server.ts";
import { writeConfig } from "./agent.ts";
import { freePort, Mosquitto } from "./mosquitto.ts";
import { mountSmallDisk, unmount, unmountInUse } from "./small-disk.ts";
import { SoakCaller } from "./soak-caller.ts";
import { FolderFeeder, MoodyHttpCamera } from "./soak-cameras.ts";
import { soakOrigin } from "./soak-clock.ts";
import { SoakDaemon } from "./soak-daemon.ts";
import { SoakLedger } from "./soak-ledger.ts";
import { MqttTap } from "./soak-tap.ts";

const device = "soak";
const diskMb = 64;
/** For all that is kept in an hour. */
const archiveMb = 256;
/** By the agent's clock: some 64 s, for a call of the vision process may hang for 30 s by a clock that nobody hurries. */
const watchdogMs = 12 * 60 * 60_000;
const cameraProgram = new URL("./soak-camera-child.js", import.meta.url).pathname;

/** A device with all that is around it: cameras, platforms, a broker, a small disk, and somebody who steers it. */
export class SoakSite {
  readonly ledger: SoakLedger;
  readonly broker: Mosquitto;
  readonly platform: IotownSandbox;
  readonly daemon: SoakDaemon;
  readonly camera: MoodyHttpCamera;
  readonly feeder: FolderFeeder;
  readonly tap: MqttTap;
  readonly caller: SoakCaller;
  readonly folders: Folders;
  readonly webPort: number;
  readonly #endWithUs = (): void => disksOf(this.folders).forEach(unmountInUse);
  /** As it was told last. */
  stats: QueueStats | undefined;

  private constructor(parts: Parts) {
    ({ folders: this.folders, webPort: this.webPort, platform: this.platform, camera: this.camera } = parts);
    ({ feeder: this.feeder, tap: this.tap, caller: this.caller, daemon: this.daemon } = parts);
    ({ broker: this.broker, ledger: this.ledger } = parts);
    process.prependOnceListener("exit", this.#endWithUs);
  }

  /** All of it runs but the daemon. */
  static async build(root: string, hurry: number): Promise<SoakSite> {
    const folders = await makeFolders(root);
    mountSmallDisk(folders.disk, diskMb);
    mountSmallDisk(folders.out, archiveMb);
    const ledger = new SoakLedger();
    const broker = await new Mosquitto({ lines: ["allow_anonymous true"] }).start();
    const tap = await new MqttTap(broker.port, (payload) => ledger.publish(payload)).start();
    const platform = new IotownSandbox({ token: "soak-secret", port: await freePort() });
    const { url: platformUrl } = await platform.start();
    const camera = new MoodyHttpCamera();
    const webPort = await freePort();
    const urls = { platform: platformUrl, broker: broker.url, tap: tap.url, camera: await camera.start(), webPort };
    const configFile = await writeConfig(root, configOf(folders, urls));
    // A Monday morning.
    const origin = soakOrigin(Date.UTC(2026, 5, 1, 6));
    const { offset: offsetFile, data: dataFolder } = folders;
    const onLine = ledger.take.bind(ledger);
    const daemon = new SoakDaemon({ hurry, origin, offsetFile, configFile, dataFolder, watchdogMs, onLine });
    const feeder = new FolderFeeder(folders.drop, 550);
    const caller = new SoakCaller(broker.url, device);
    return new SoakSite({ ledger, broker, tap, platform, camera, webPort, daemon, feeder, caller, folders });
  }

  async dispose(): Promise<void> {
    this.feeder.stop();
    await this.daemon.dispose();
    await this.caller.stop();
    await this.tap.stop();
    await this.broker.stop();
    await this.platform.stop();
    await this.camera.stop();
    process.removeListener("exit", this.#endWithUs);
    for (const disk of disksOf(this.folders)) unmount(disk);
  }
}

interface Parts extends Pick<SoakSite, "ledger" | "broker" | "tap" | "platform" | "camera" | "webPort"> {
  readonly daemon: SoakDaemon;
  readonly feeder: FolderFeeder;
  readonly caller: SoakCaller;
  readonly folders: Folders;
}

interface Folders {
  readonly disk: string;
  readonly data: string;
  readonly drop: string;
  readonly out: string;
  readonly offset: string;
}

function disksOf({ disk, out }: Folders): readonly string[] {
  return [disk, out];
}

async function makeFolders(root: string): Promise<Folders> {
  const [disk, out, drop] = [join(root, "disk"), join(root, "out"), join(root, "drop")];
  for (const folder of [disk, out, drop]) await mkdir(folder);
  return { disk, out, drop, data: join(disk, "data"), offset: join(root, "clock-offset") };
}

interface Urls {
  readonly platform: string;
  readonly broker: string;
  readonly tap: string;
  readonly camera: string;
  readonly webPort: number;
}

/** Durations are the agent's: a tenth of them pass, and of long ones less. */
function configOf({ drop, out }: Folders, { platform, broker, tap, camera, webPort }: Urls): object {
  const all = { includeEmpty: true, includeUnlabelled: true };
  const whole = { reduce: { enabled: false } };
  const keep = { negativesEvery: 1 };
  const scene = { driver: "simulated", width: 160, height: 120, interval: "20s", keep };
  const command = [process.execPath, cameraProgram, "550"];
  const timeZone = "Europe/Berlin";
  const shift = { timeZone, windows: [{ days: ["mon", "tue", "wed", "thu", "fri"], from: "06:00", to: "20:00" }] };
  const nights = { timeZone, windows: [{ from: "04:00", to: "23:00" }] };
  return {
    device: { name: device },
    cameras: [
      { id: "scene", ...scene },
      { id: "shift", ...scene, seed: 2, schedule: shift },
      { id: "program", driver: "exec", command, interval: "0s", stallAfter: "30s", keep },
      { id: "snapshot", driver: "http-snapshot", url: camera, interval: "20s", stallAfter: "50s", keep },
      { id: "drop", driver: "folder", path: drop, mode: "watch", keep },
    ],
    // A night's pictures are more.
    spool: { maxBytes: "40MB", maxRecords: 150, minFreeBytes: "5MB", quarantine: { maxShare: 0.5, maxAge: "365d" } },
    targets: [
      { id: "town", kind: "iotown", url: platform, token: "soak-secret", ...all, ...whole },
      { id: "bus", kind: "mqtt", url: tap, protocol: "3.1.1", ...all, ...whole },
      { id: "archive", kind: "folder", path: out, ...all },
    ],
    upload: { schedule: nights, bytesPerDay: "24MB", timeZone },
    remote: { url: broker, homeAssistant: { enabled: false } },
    web: { listen: `127.0.0.1:${webPort}` },
  };
}
