import { type ChildProcess, spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { once } from "node:events";
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { setTimeout as delay } from "node:timers/promises";
import { controlPathOf } from "../../agent/locations.ts";
import { openSpool } from "../../agent/open-spool.ts";
import { loadSettings } from "../../agent/settings.ts";
import { ControlClient } from "../../src/control/client.ts";
import type { SpoolListing, TargetBacklog } from "../../src/core/ports.ts";
import type { QueueStats } from "../../src/core/queue.ts";
import type { Detection } from "../../src/core/types.ts";
import type { SandboxFault } from "../../src/sandbox/faults.ts";
import { writeConfig } from "./agent.ts";
import { commandContext } from "./command-context.ts";
import { sampleDraft, sampleJpeg } from "./records.ts";
import { HurriedClock } from "./hurried-clock.ts";
import { seededRandom } from "./seams.ts";
import { type StormKind, type StormPicture, type StormPlatform, stormPlatforms } from "./storm-platforms.ts";
import { tempFolder } from "./temp.ts";
import { findingsOf } from "./verify.ts";

/**
 * A daemon that owes every record to every platform, while some of their answers are broken in turn and it is killed
 * again and again. Everything is the product but the clock, on which time passes faster, and the platforms.
 */

export interface StormPlan {
  readonly kinds: readonly StormKind[];
  readonly records: number;
  readonly imageBytes: number;
  /** Of the answers, those that are broken. */
  readonly brokenShare: number;
  readonly kills: number;
  /** The agent's time passes so many times as fast. */
  readonly hurry: number;
  readonly seed: number;
  /** Faults that are left out, by name. */
  readonly without?: readonly string[];
  readonly limitMs: number;
}

export interface StormResult {
  readonly kind: StormKind;
  readonly requests: number;
  /** How often each fault was met. */
  readonly broken: ReadonlyMap<string, number>;
  readonly there: number;
  readonly missing: number;
  /** Pictures that lie there beside one of the same bytes. */
  readonly copies: number;
  /** How many of them lost answers and kills can explain. */
  readonly copiesMax: number;
  /** Pictures that came again and were recognised. */
  readonly recognised: number;
  readonly tellsBy: string;
  /** Records set aside because the platform refused them, by code; a person has them sent again in the end. */
  readonly refused: ReadonlyMap<string, number>;
  /** Those that follow from an untrue success are counted apart. */
  readonly violations: readonly string[];
  readonly misled: number;
  readonly seconds: number;
}

export interface StormOutcome {
  readonly platforms: readonly StormResult[];
  readonly kills: number;
  /** What breaks an invariant of the spool in the end. */
  readonly findings: readonly string[];
}

const agentProgram = new URL("./hurried-agent.js", import.meta.url).pathname;
const device = "storm";

export async function storm(plan: StormPlan): Promise<StormOutcome> {
  await using folder = await tempFolder();
  const random = seededRandom(plan.seed);
  const tents = plan.kinds.map((kind) => new Tent(kind, plan, random));
  const agents: StormAgent[] = [];
  try {
    const urls = await Promise.all(tents.map(({ platform }) => platform.sandbox.start()));
    const dataFolder = join(folder.path, "data");
    const nothing = join(folder.path, "nothing");
    await mkdir(nothing);
    const config = await writeConfig(folder.path, {
      device: { name: device },
      dataDir: dataFolder,
      cameras: [{ id: "none", driver: "folder", path: nothing, mode: "watch" }],
      targets: tents.map(({ kind, platform }, at) => ({ id: kind, ...platform.target(urls[at]?.url ?? "") })),
    });
    await fill(config, plan, tents);
    for (const tent of tents) tent.begin();
    const start = async (): Promise<StormAgent> => {
      const agent = new StormAgent(config, dataFolder, plan);
      agents.push(agent);
      await agent.started();
      return agent;
    };
    let agent = await start();
    for (let kill = 1; kill <= plan.kills; kill += 1) {
      // Spread over the work, each at a random moment of its share of it.
      const share = (kill - 1 + random()) / plan.kills;
      await agent.until(() => tents.reduce((sum, tent) => sum + tent.share(), 0) / tents.length >= share * 0.9);
      await delay(random() * 200);
      await agent.kill();
      agent = await start();
    }
    await agent.until(async () => isDrained(tents, await agent.stats()));
    await sendRefusedAgain(agent, tents);
    await agent.stop();
    const findings = await findingsIn(config);
    return { platforms: tents.map((tent) => tent.result()), kills: plan.kills, findings };
  } finally {
    for (const agent of agents) await agent.kill();
    for (const { platform } of tents) await platform.sandbox.stop();
  }
}

/** One platform in the storm. */
class Tent {
  readonly kind: StormKind;
  readonly platform: StormPlatform;
  readonly refused = new Map<string, number>();
  readonly #plan: StormPlan;
  readonly #random: () => number;
  readonly #wanted: StormPicture[] = [];
  readonly #broken = new Map<string, number>();
  #startedMs = 0;
  #seconds = 0;

  constructor(kind: StormKind, plan: StormPlan, random: () => number) {
    this.kind = kind;
    this.platform = stormPlatforms[kind](new HurriedClock(plan.hurry));
    this.#plan = plan;
    this.#random = random;
  }

  expect(picture: StormPicture, detections: readonly Detection[]): void {
    this.#wanted.push(picture);
    this.platform.sandbox.expect(picture.sha256, { boxes: detections });
  }

  begin(): void {
    const faults = Object.entries(this.platform.faults).filter(([name]) => this.#plan.without?.includes(name) !== true);
    let next = Math.floor(this.#random() * faults.length);
    this.#startedMs = performance.now();
    const breaking = (): SandboxFault | undefined => {
      if (this.#random() >= this.#plan.brokenShare) return undefined;
      const [name, fault] = faults[(next += 1) % faults.length] ?? [];
      if (name !== undefined) this.#broken.set(name, (this.#broken.get(name) ?? 0) + 1);
      return fault;
    };
    this.platform.sandbox.storm(breaking);
    this.platform.storage?.storm(breaking);
  }

  heal(): void {
    this.platform.sandbox.heal();
    this.platform.storage?.heal();
  }

  /** Of the records, those that are there. */
  share(): number {
    const copies = this.platform.copies();
    return this.#wanted.filter((picture) => copies(picture) > 0).length / this.#wanted.length;
  }

  drained(): void {
    if (this.#seconds === 0) this.#seconds = (performance.now() - this.#startedMs) / 1_000;
  }

  result(): StormResult {
    const { sandbox, storage, tellsBy, recordsInFlightMax, misled } = this.platform;
    const all = [...sandbox.violations(), ...(storage?.violations() ?? [])];
    const copiesOf = this.platform.copies();
    const counts = this.#wanted.map(copiesOf);
    const lying = counts.reduce((sum, count) => sum + count, 0);
    const there = counts.filter((count) => count > 0).length;
    const losses = [...this.#broken].map(([name, count]) => {
      const lost = recordsLost(this.platform.faults[name], recordsInFlightMax);
      return count * lost;
    });
    return {
      kind: this.kind,
      requests: sandbox.counts().requests + (storage?.counts().requests ?? 0),
      broken: this.#broken,
      there,
      missing: counts.length - there,
      copies: lying - there,
      copiesMax: losses.reduce((sum, count) => sum + count, this.#plan.kills * recordsInFlightMax),
      recognised: sandbox.counts().accepted - lying,
      tellsBy,
      refused: this.refused,
      violations: all.filter((sentence) => misled?.test(sentence) !== true),
      misled: all.filter((sentence) => misled?.test(sentence) === true).length,
      seconds: this.#seconds,
    };
  }
}

/** The platform has stored what it was sent, and the agent cannot know. */
function recordsLost(fault: StormPlatform["faults"][string] | undefined, recordsInFlightMax: number): number {
  switch (fault?.kind) {
    case "hang":
    case "drip":
    case "late":
      // The call ends by its deadline, and with it what else it has sent.
      return recordsInFlightMax;
    default:
      return fault !== undefined && "stores" in fault && fault.stores ? Math.min(1, recordsInFlightMax) : 0;
  }
}

async function fill(config: string, plan: StormPlan, tents: readonly Tent[]): Promise<void> {
  const context = { ...commandContext(), configFile: config };
  const settings = await loadSettings(context);
  const { spool } = await openSpool(settings.config, settings.dataFolder, { ...context, log: settings.log });
  const random = seededRandom(plan.seed);
  const owedTo = tents.map(({ kind }) => kind);
  await spool.start(context.signal);
  try {
    for (let number = 1; number <= plan.records; number += 1) {
      const jpeg = sampleJpeg(plan.seed + number, plan.imageBytes);
      const detections = Array.from({ length: 1 + (number % 3) }, () => detectionOf(random));
      const { name } = await spool.append(sampleDraft({ detections }), jpeg, owedTo);
      const sha256 = createHash("sha256").update(jpeg).digest("hex");
      for (const tent of tents) tent.expect({ name, sha256 }, detections);
    }
  } finally {
    await spool.stop();
  }
}

/** In a picture of 64 by 48. */
function detectionOf(random: () => number): Detection {
  const box = { left: random() * 40, top: random() * 30, width: 4 + random() * 20, height: 4 + random() * 14 };
  return { label: random() < 0.5 ? "person" : "forklift", score: 0.5 + random() / 2, box };
}

function isDrained(tents: readonly Tent[], stats: QueueStats): boolean {
  const waiting = ({ pending, leased }: TargetBacklog): boolean => pending + leased > 0;
  for (const tent of tents) {
    if (!stats.targets.some((target) => target.targetId === tent.kind && waiting(target))) tent.drained();
  }
  return !stats.targets.some(waiting);
}

/** As a person does once the platforms are well: what they refused was in order. */
async function sendRefusedAgain(agent: StormAgent, tents: readonly Tent[]): Promise<void> {
  for (const tent of tents) tent.heal();
  for (let afterSequence = 0; ;) {
    const page = await agent.queue.list({ afterSequence, recordsMax: 100, state: "quarantined" });
    if (page.length === 0) break;
    for (const { deliveries } of page) for (const delivery of deliveries) noteRefused(delivery, tents);
    afterSequence = page.at(-1)?.record.sequence ?? 0;
  }
  for (let after = 0, done = false; !done;) {
    ({ lastSequence: after, done } = await agent.queue.retry({ state: "quarantined" }, after));
  }
  await agent.until(async () => isDrained(tents, await agent.stats()));
}

function noteRefused(
  { targetId, state, error = "" }: SpoolListing["deliveries"][number],
  tents: readonly Tent[],
): void {
  const tent = tents.find(({ kind }) => kind === targetId);
  if (state !== "quarantined" || tent === undefined) return;
  const code = /^[A-Z0-9_]+/.exec(error)?.[0] ?? error;
  tent.refused.set(code, (tent.refused.get(code) ?? 0) + 1);
}

async function findingsIn(config: string): Promise<readonly string[]> {
  const context = { ...commandContext(), configFile: config };
  const settings = await loadSettings(context);
  const { spool } = await openSpool(settings.config, settings.dataFolder, { ...context, log: settings.log });
  await spool.start(context.signal);
  try {
    return (await findingsOf(spool.queue)).map(({ code, message }) => `${code}: ${message}`);
  } finally {
    await spool.stop();
  }
}

/** The daemon in a process of its own. */
class StormAgent {
  readonly queue: ControlClient;
  readonly #child: ChildProcess;
  readonly #plan: StormPlan;
  readonly #closed: Promise<unknown>;
  readonly #said: string[] = [];
  readonly #endWithUs = (): void => void this.#child.kill("SIGKILL");
  #started = false;

  constructor(config: string, dataFolder: string, plan: StormPlan) {
    this.#plan = plan;
    this.queue = new ControlClient(controlPathOf(dataFolder), new AbortController().signal);
    const words = [agentProgram, plan.hurry, "run", "-c", config, "--log-level", "info"].map(String);
    const child = spawn(process.execPath, words, { stdio: ["ignore", "ignore", "pipe"] });
    this.#child = child;
    this.#closed = once(child, "close");
    process.prependOnceListener("exit", this.#endWithUs);
    createInterface({ input: child.stderr }).on("line", (line) => {
      if (line.includes('"event":"started"')) this.#started = true;
      this.#said.push(line);
      if (this.#said.length > 30) this.#said.shift();
    });
  }

  async started(): Promise<void> {
    await this.until(() => this.#started);
  }

  async stats(): Promise<QueueStats> {
    return this.queue.stats();
  }

  /** Fails when the agent ends by itself, and after the plan's limit. */
  async until(holds: () => boolean | Promise<boolean>): Promise<void> {
    const deadlineMs = performance.now() + this.#plan.limitMs;
    while (!(await holds())) {
      const gone = this.#child.exitCode !== null;
      if (gone || performance.now() > deadlineMs) {
        throw new Error(
          `the agent ${gone ? "ended by itself" : "is too slow"}; it said last:\n${this.#said.join("\n")}`,
        );
      }
      await delay(20);
    }
  }

  async kill(): Promise<void> {
    this.#child.kill("SIGKILL");
    await this.#closed;
    process.removeListener("exit", this.#endWithUs);
  }

  async stop(): Promise<void> {
    this.#child.kill("SIGTERM");
    await this.#closed;
    if (this.#child.exitCode !== 0) throw new Error(`the agent ended badly:\n${this.#said.join("\n")}`);
  }
}
