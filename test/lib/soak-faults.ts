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
  /** How often beside the others, and in the first third, where memory is not judged yet. */
  readonly weight: number;
  readonly earlyWeight?: number;
  /** False when it could not be seen to happen. */
  happen(site: SoakSite, random: Random): Promise<boolean>;
  signsOfLife(site: SoakSite): readonly SignOfLife[];
}

/** What grows while a part works; one that rests shows none however well it is. */
export interface SignOfLife {
  readonly grown: number;
  readonly rests?: boolean;
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
      let met = 0;
      platform.storm(() => {
        met += 1;
        return fault;
      });
      await seconds(random, 2, 6);
      platform.heal();
      return met > 0;
    },
    signsOfLife: (site) => [sentTo("town", site)],
  };
}

type Happening = (site: SoakSite, random: Random) => Promise<unknown>;

/** It happens unless it says otherwise. */
function surely(happen: Happening): SoakFault["happen"] {
  return async (site, random) => (await happen(site, random)) !== false;
}

function ofCamera(id: string, name: string, happen: Happening): SoakFault {
  const signsOfLife = ({ ledger }: SoakSite) => [{ grown: ledger.keptBy(id) }];
  return { name: `camera: ${name}`, part: id, weight: 0.5, happen: surely(happen), signsOfLife };
}

/** Remote control, too, has to answer again. */
function ofBroker(name: string, happen: Happening): SoakFault {
  const signsOfLife = (site: SoakSite) => [sentTo("bus", site), { grown: site.caller.answered }];
  return { name: `broker: ${name}`, part: "bus", weight: 0.7, happen: surely(happen), signsOfLife };
}

function ofAll(part: string, name: string, weight: number, happen: Happening): SoakFault {
  return {
    name: `${part}: ${name}`,
    part,
    weight,
    happen: surely(happen),
    signsOfLife: ({ ledger }) => [{ grown: ledger.kept.size }],
  };
}

/** Late in a run this is rare: memory is judged then, of processes that have lived for a while. */
const lateShare = 0.02;

/** The daemon, or its parts, have been started anew; and frames come. */
function ofAgent(name: string, earlyWeight: number, happen: Happening): SoakFault {
  const signsOfLife = ({ ledger }: SoakSite) => [
    { grown: ledger.events.get("started") ?? 0 },
    { grown: ledger.kept.size },
  ];
  return { ...ofAll("agent", name, earlyWeight * lateShare, happen), earlyWeight, signsOfLife };
}

/** It is replaced, and frames are labelled again. */
function ofVision(name: string, signal: NodeJS.Signals): SoakFault {
  const happen = async ({ daemon }: SoakSite) => signalChild(daemon.pid, "/vision/process/", signal);
  const signsOfLife = ({ ledger }: SoakSite) => [
    { grown: ledger.events.get("vision.ready") ?? 0 },
    { grown: ledger.keptBy("scene") },
  ];
  return { ...ofAll("vision", name, lateShare, happen), earlyWeight: 1, signsOfLife };
}

function filled(part: string, folderOf: (site: SoakSite) => string, signsOfLife: SoakFault["signsOfLife"]): SoakFault {
  const happen: Happening = async (site, random) => {
    await using full = await fillUp(join(folderOf(site), "another"));
    await seconds(random, 2, 6);
    return full.path !== "";
  };
  return { ...ofAll(part, "filled by another program", 1, happen), signsOfLife };
}

/** Outside of its hours, or with its budget used up, a target is sent nothing. */
function sentTo(targetId: string, { stats, ledger }: SoakSite): SignOfLife {
  const state = stats?.deliveries?.find((delivery) => delivery.targetId === targetId)?.state;
  return { grown: ledger.accepted(targetId), rests: state === "window" || state === "budget" };
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
      return true;
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
  filled(
    "disk",
    ({ folders }) => folders.disk,
    ({ ledger }) => [{ grown: ledger.kept.size }],
  ),
  filled(
    "archive",
    ({ folders }) => folders.out,
    (site) => [sentTo("archive", site)],
  ),
  ofVision("killed", "SIGKILL"),
  ofVision("stopped", "SIGSTOP"),
  ofAgent("killed", 1, async ({ daemon }) => {
    await daemon.end("SIGKILL");
    daemon.start();
  }),
  ofAgent("stopped and started", 0.3, async ({ daemon }) => {
    await daemon.end("SIGTERM");
    daemon.start();
  }),
  ofAgent("SIGHUP", 0.4, async ({ daemon }) => daemon.signal("SIGHUP")),
  ofAgent("command restart", 0.4, async ({ caller }) => (await caller.ask("restart")) === "ok"),
  {
    // Its answer comes when all parts have been started anew and the broker was reached.
    ...ofAll("agent", "config changed by command", 0.6 * lateShare, async ({ caller }, random) => {
      const scene = { seed: Math.floor(random() * 1e6), interval: `${10 + Math.floor(random() * 15)}s` };
      return (await caller.ask("config.patch", { patch: { cameras: { scene } } }, 15_000)) === "ok";
    }),
    earlyWeight: 0.6,
  },
  ofAll("clock", "set forward or back", 0.8, async ({ daemon, folders }, random) => {
    const before = Number(await readFile(folders.offset, "utf8").catch(() => "0"));
    const byMs = (random() < 0.5 ? -1 : 1.5) * random() * 2 * 60 * 60_000;
    await writeFile(folders.offset, String(Math.round(before + byMs)));
    daemon.signal("SIGUSR2");
  }),
];

async function signalProgram(pid: number | undefined, signal: NodeJS.Signals): Promise<boolean> {
  return signalChild(pid, "soak-camera-child", signal);
}

/** False where none is running: it has just died, or its back-off lasts. */
async function signalChild(parent: number | undefined, commandLine: string, signal: NodeJS.Signals): Promise<boolean> {
  let signalled = false;
  for (const pid of (await readdir("/proc")).filter((name) => /^\d+$/.test(name))) {
    const stat = await readFile(`/proc/${pid}/stat`, "latin1").catch(() => "");
    if (Number(/\) \S (\d+)/.exec(stat)?.[1]) !== parent) continue;
    const words = await readFile(`/proc/${pid}/cmdline`, "latin1").catch(() => "");
    if (!words.includes(commandLine)) continue;
    try {
      process.kill(Number(pid), signal);
      signalled = true;
    } catch {
      // It has just ended.
    }
  }
  return signalled;
}
