import { readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import type { Random } from "../../src/core/ports.ts";
import type { SandboxFault } from "../../src/sandbox/faults.ts";
import { iotownFaults } from "../../src/sandbox/iotown/faults.ts";
import { fillUp } from "./small-disk.ts";
import type { SoakSite } from "./soak-site.ts";

/** One thing that goes wrong, and is right again when it resolves. */
export interface SoakFault {
  readonly name: string;
  /** Faults of one part come one after the other. */
  readonly part: string;
  /** How often beside the others; 1 when absent. */
  readonly weight?: number;
  happen(site: SoakSite, random: Random): Promise<void>;
  /** Grows while the part works. */
  signOfLife(site: SoakSite): number;
}

const seconds = (random: Random, from: number, to: number) => delay(1_000 * (from + random() * (to - from)));

const platformFaults = [
  ...(["server-error-500", "unavailable-503", "too-many-429", "unauthorized-401", "html", "reset-early"] as const),
  ...(["reset-after-store", "reset-answer", "hang", "hang-after-store", "drip", "not-json"] as const),
];

function ofPlatform(name: (typeof platformFaults)[number]): SoakFault {
  const fault: SandboxFault = iotownFaults[name];
  return {
    ...{ name: `platform: ${name}`, part: "town", weight: 0.25 },
    async happen({ platform }, random) {
      platform.storm(() => fault);
      await seconds(random, 2, 6);
      platform.heal();
    },
    signOfLife: ({ platform }) => platform.counts().accepted,
  };
}

function ofCamera(id: string, name: string, happen: SoakFault["happen"]): SoakFault {
  return { name: `camera: ${name}`, part: id, weight: 0.5, happen, signOfLife: ({ ledger }) => ledger.keptBy(id) };
}

function ofBroker(name: string, happen: SoakFault["happen"]): SoakFault {
  const signOfLife = ({ ledger }: SoakSite) => ledger.published;
  return { name: `broker: ${name}`, part: "bus", weight: 0.7, happen, signOfLife };
}

function ofAll(part: string, name: string, weight: number, happen: SoakFault["happen"]): SoakFault {
  return { name: `${part}: ${name}`, part, weight, happen, signOfLife: ({ ledger }) => ledger.kept.size };
}

const moods = ["refuses", "hangs", "rubbish", "resets"] as const;

export const soakFaults: readonly SoakFault[] = [
  ofCamera("program", "program killed", async ({ daemon }) => signalProgram(daemon.pid, "SIGKILL")),
  ofCamera("program", "program stopped", async ({ daemon }) => signalProgram(daemon.pid, "SIGSTOP")),
  ofCamera("program", "program writes rubbish", async ({ daemon }) => signalProgram(daemon.pid, "SIGUSR1")),
  ...moods.map((mood) =>
    ofCamera("snapshot", `network camera ${mood}`, async ({ camera }, random) => {
      camera.mood = mood;
      await seconds(random, 2, 6);
      camera.mood = "well";
    }),
  ),
  ofCamera("drop", "folder stays empty", async ({ feeder }, random) => {
    feeder.isSilent = true;
    await seconds(random, 2, 6);
    feeder.isSilent = false;
  }),
  ofCamera("drop", "folder gets rubbish", async ({ feeder }) => feeder.spoil(3)),
  ...platformFaults.map(ofPlatform),
  {
    ...ofPlatform("html"),
    name: "platform: refuses connections",
    async happen({ platform }, random) {
      await platform.stop();
      await seconds(random, 2, 6);
      await platform.start();
    },
  },
  ofBroker("killed", async ({ broker }, random) => {
    await broker.kill("SIGKILL");
    await seconds(random, 1, 5);
    await broker.launch();
  }),
  ofBroker("restarted", async ({ broker }) => {
    await broker.kill("SIGTERM");
    await broker.launch();
  }),
  ofBroker("frozen", async ({ broker }, random) => {
    broker.freeze();
    await seconds(random, 2, 6);
    broker.thaw();
  }),
  ofBroker("connections reset", async ({ tap }) => tap.cut()),
  ofAll("disk", "filled by another program", 1.5, async ({ folders }, random) => {
    await using _full = await fillUp(join(folders.disk, "another"));
    await seconds(random, 2, 6);
  }),
  {
    ...ofAll("vision", "killed", 1, async ({ daemon }) => signalChild(daemon.pid, "/vision/process/", "SIGKILL")),
    signOfLife: ({ ledger }) => ledger.keptBy("scene"),
  },
  ofAll("agent", "killed", 0.3, async ({ daemon }) => {
    await daemon.end("SIGKILL");
    daemon.start();
  }),
  ofAll("agent", "stopped and started", 0.15, async ({ daemon }) => {
    await daemon.end("SIGTERM");
    daemon.start();
  }),
  ofAll("agent", "SIGHUP", 0.4, async ({ daemon }) => daemon.signal("SIGHUP")),
  ofAll("agent", "command restart", 0.4, async ({ caller }) => void (await caller.ask("restart"))),
  ofAll("agent", "config changed by command", 0.8, async ({ caller }, random) => {
    const scene = { seed: Math.floor(random() * 1e6), interval: `${10 + Math.floor(random() * 15)}s` };
    await caller.ask("config.patch", { patch: { cameras: { scene } } }, 15_000);
  }),
  ofAll("clock", "set forward or back", 0.8, async ({ daemon, folders }, random) => {
    const before = Number(await readFile(folders.offset, "utf8").catch(() => "0"));
    const byMs = (random() < 0.5 ? -1 : 1.5) * random() * 2 * 60 * 60_000;
    await writeFile(folders.offset, String(Math.round(before + byMs)));
    daemon.signal("SIGUSR2");
  }),
];

async function signalProgram(pid: number | undefined, signal: NodeJS.Signals): Promise<void> {
  await signalChild(pid, "soak-camera-child", signal);
}

/** None is running where it has just died, or its back-off lasts. */
async function signalChild(parent: number | undefined, commandLine: string, signal: NodeJS.Signals): Promise<void> {
  for (const pid of (await readdir("/proc")).filter((name) => /^\d+$/.test(name))) {
    const stat = await readFile(`/proc/${pid}/stat`, "latin1").catch(() => "");
    if (Number(/\) \S (\d+)/.exec(stat)?.[1]) !== parent) continue;
    const words = await readFile(`/proc/${pid}/cmdline`, "latin1").catch(() => "");
    if (!words.includes(commandLine)) continue;
    try {
      process.kill(Number(pid), signal);
    } catch {
      // It has just ended.
    }
  }
}
