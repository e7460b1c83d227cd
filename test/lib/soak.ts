import { setTimeout as delay } from "node:timers/promises";
import { controlPathOf } from "../../agent/locations.ts";
import { ControlClient } from "../../src/control/client.ts";
import { type SoakFault, soakFaults } from "./soak-faults.ts";
import type { TargetTally } from "./soak-ledger.ts";
import { lookAt, type ProcessLook, type Slope, slopeOf, straysOf } from "./soak-samples.ts";
import { type PlannedFault, soakSchedule } from "./soak-schedule.ts";
import { SoakSite } from "./soak-site.ts";
import { tempFolder } from "./temp.ts";

/** The daemon with several cameras, targets, a broker and a small disk, all of which fail in turn, for a long time. */

export interface SoakPlan {
  readonly minutes: number;
  readonly hurry: number;
  readonly seed: number;
  /** Between the begins of two faults. */
  readonly faultEveryMs: number;
  readonly faults?: readonly SoakFault[];
}

export interface SoakOutcome {
  readonly days: number;
  readonly kept: number;
  readonly keptText: string;
  readonly framesPerSecond: number;
  readonly lives: number;
  readonly kills: number;
  readonly faults: ReadonlyMap<string, Happened>;
  readonly secondsBetweenFaults: number;
  readonly targets: readonly TargetAccount[];
  readonly unsettled: number;
  /** Pictures of the watched folder that are in no record. */
  readonly neverKept: number;
  /** Records with a picture that their camera did not give. */
  readonly notGiven: number;
  /** What the spool finds wrong with itself, and records that it still holds. */
  readonly findings: readonly string[];
  readonly main: Slope;
  readonly vision: Slope;
  /** While nothing is broken: after a third of the time, and at the end. */
  readonly third: Rest;
  readonly end: Rest;
  readonly zombies: number;
  readonly strays: readonly string[];
  readonly livenessAsked: number;
  /** Of the looks at a running daemon. */
  readonly livenessShare: number;
  readonly notAlive: number;
  readonly unexpected: readonly string[];
  readonly events: ReadonlyMap<string, number>;
  readonly drainSeconds: number;
  readonly quarantined: number;
}

export interface TargetAccount extends TargetTally {
  readonly id: string;
  /** By what the agent counts, of all reasons. */
  readonly countedLost: number;
  /** Of these, by damage or because they were gone: none of it is a policy. */
  readonly damaged: number;
  readonly reasons: string;
}

export interface Rest {
  readonly descriptors: number;
  readonly children: number;
}

export interface Happened {
  times: number;
  readonly backMs: number[];
  notBack: number;
}

/** A part that takes longer has not come back. */
const backWithinMs = 90_000;
const lookEveryMs = 1_000;
const restMs = 15_000;
const drainWithinMs = 8 * 60_000;

export async function soak(plan: SoakPlan): Promise<SoakOutcome> {
  await using root = await tempFolder();
  const site = await SoakSite.build(root.path, plan.hurry);
  try {
    return await new Soak(plan, site).run();
  } finally {
    await site.dispose();
  }
}

class Soak {
  readonly #plan: SoakPlan;
  readonly #site: SoakSite;
  readonly #queue: ControlClient;
  readonly #looks: (ProcessLook & { readonly life: number })[] = [];
  readonly #happened = new Map<string, Happened>();
  readonly #busy = new Set<string>();
  readonly #running = new Set<Promise<void>>();
  readonly #zombies = new Map<number, number>();
  #notAlive = 0;
  #asked = 0;
  #isOver = false;
  #mayFail = true;

  constructor(plan: SoakPlan, site: SoakSite) {
    this.#plan = plan;
    this.#site = site;
    this.#queue = new ControlClient(controlPathOf(site.folders.data), new AbortController().signal);
  }

  async run(): Promise<SoakOutcome> {
    const { daemon, ledger, feeder, camera } = this.#site;
    daemon.start();
    await this.#until("the first records", () => ledger.kept.size > 20, 60_000);
    const looking = this.#lookAgainAndAgain();
    const [startedMs, keptBefore] = [performance.now(), ledger.kept.size];
    const totalMs = this.#plan.minutes * 60_000;
    const failing = this.#failAgainAndAgain(totalMs / 3);
    await delay(totalMs / 3);
    const third = await this.#rest();
    this.#mayFail = true;
    await delay(Math.max(0, startedMs + totalMs - performance.now()));
    const endedMs = performance.now();
    const framesPerSecond = (ledger.kept.size - keptBefore) / ((endedMs - startedMs) / 1_000);
    const end = await this.#rest();
    this.#isOver = true;
    await Promise.all([failing, looking]);
    const strays = await straysOf(daemon.pid);
    const drainSeconds = await this.#drain();
    const quarantined = await this.#sendAgain();
    const findings = await this.#findings();
    const targets = await this.#accounts();
    const days = ((performance.now() - startedMs) * this.#plan.hurry) / 86_400_000;
    const stopped = await daemon.end("SIGTERM");
    if (stopped !== 0) daemon.troubles.push(`the last stop ended with ${stopped}`);
    const [fromMs, toMs] = [startedMs + totalMs / 3, endedMs];
    return {
      ...{ days, kept: ledger.kept.size, keptText: ledger.keptText(), framesPerSecond, targets, findings },
      ...{ lives: daemon.lives, kills: this.#timesOf("agent: killed"), faults: this.#happened },
      secondsBetweenFaults: (endedMs - startedMs) / 1_000 / Math.max(1, this.#faultsHappened()),
      unsettled: ledger.unsettled,
      neverKept: ledger.neverKept(await feeder.taken(), "drop"),
      notGiven: ledger.notGiven(new Set(feeder.given.keys()), "drop") + ledger.notGiven(camera.given, "snapshot"),
      ...this.#slopes(fromMs, toMs),
      ...{ third, end, strays: [...strays, ...(await straysOf(undefined))] },
      zombies: [...this.#zombies.values()].filter((times) => times >= 3).length,
      ...{ livenessAsked: this.#asked, livenessShare: this.#asked / Math.max(1, this.#looks.length) },
      ...{ notAlive: this.#notAlive, unexpected: [...daemon.troubles, ...ledger.unexpected] },
      ...{ events: ledger.events, drainSeconds, quarantined },
    };
  }

  #slopes(fromMs: number, toMs: number): Pick<SoakOutcome, "main" | "vision"> {
    const main = this.#looks.map(({ life, atMs, mainMb: mb }) => ({ life, atMs, mb }));
    const vision = this.#looks.flatMap(({ visionPid: life, atMs, visionMb: mb }) =>
      life === undefined || mb === undefined ? [] : [{ life, atMs, mb }],
    );
    return { main: slopeOf(main, fromMs, toMs), vision: slopeOf(vision, fromMs, toMs) };
  }

  #timesOf(name: string): number {
    return this.#happened.get(name)?.times ?? 0;
  }

  #faultsHappened(): number {
    return [...this.#happened.values()].reduce((sum, { times }) => sum + times, 0);
  }

  async #failAgainAndAgain(earlyMs: number): Promise<void> {
    const { seed, faults = soakFaults, faultEveryMs } = this.#plan;
    for (const planned of soakSchedule(seed, faults, faultEveryMs, earlyMs)) {
      await delay(planned.afterMs);
      if (this.#isOver) return;
      // One that finds its part broken, or a rest, is left out, so that those after it stay what they are.
      if (!this.#mayFail || this.#busy.has(planned.fault.part)) continue;
      const happening = this.#happen(planned);
      this.#running.add(happening);
      void happening.finally(() => this.#running.delete(happening));
    }
  }

  async #happen({ fault, random }: PlannedFault): Promise<void> {
    const noted = this.#happened.get(fault.name) ?? { times: 0, backMs: [], notBack: 0 };
    this.#happened.set(fault.name, noted);
    this.#busy.add(fault.part);
    try {
      if (!(await fault.happen(this.#site, random))) return;
      noted.times += 1;
      const endedMs = performance.now();
      const before = fault.signsOfLife(this.#site);
      const isBack = () =>
        fault
          .signsOfLife(this.#site)
          .every(({ grown, rests }, at) => rests === true || grown > (before[at]?.grown ?? 0));
      await this.#until(fault.name, isBack, backWithinMs);
      noted.backMs.push(performance.now() - endedMs);
    } catch (error) {
      noted.notBack += 1;
      process.stdout.write(`${fault.name}: ${String(error)}\n${this.#site.daemon.said.slice(-10).join("\n")}\n`);
    } finally {
      this.#busy.delete(fault.part);
    }
  }

  async #lookAgainAndAgain(): Promise<void> {
    const { daemon, webPort } = this.#site;
    while (!this.#isOver) {
      await delay(lookEveryMs);
      const look = daemon.pid === undefined ? undefined : await lookAt(daemon.pid);
      if (look !== undefined) {
        this.#looks.push({ ...look, life: daemon.lives });
        for (const pid of look.zombies) this.#zombies.set(pid, (this.#zombies.get(pid) ?? 0) + 1);
      }
      this.#site.stats = await this.#queue.stats().catch(() => undefined);
      void this.#site.caller.ask("ping");
      const signal = AbortSignal.timeout(5_000);
      const answer = await fetch(`http://127.0.0.1:${webPort}/livez`, { signal }).catch(() => undefined);
      if (answer === undefined) continue;
      this.#asked += 1;
      if (answer.status !== 200) this.#notAlive += 1;
      await answer.arrayBuffer().catch(() => undefined);
    }
  }

  /** Faults end, all comes back, and the least of some looks is what the daemon needs at rest. */
  async #rest(): Promise<Rest> {
    this.#mayFail = false;
    await Promise.all(this.#running);
    await delay(restMs);
    const looks = this.#looks.slice(-Math.floor(restMs / lookEveryMs / 2));
    return {
      descriptors: Math.min(...looks.map(({ descriptors }) => descriptors)),
      children: Math.min(...looks.map(({ children }) => children)),
    };
  }

  async #drain(): Promise<number> {
    const { caller, feeder } = this.#site;
    feeder.stop();
    await caller.insist("capture.pause", {}, 60_000);
    const beganMs = performance.now();
    await this.#drained();
    const drainSeconds = (performance.now() - beganMs) / 1_000;
    await delay(1_000);
    return drainSeconds;
  }

  async #drained(): Promise<void> {
    await this.#until(
      "the drain",
      async () => {
        this.#site.stats = await this.#queue.stats();
        return this.#site.stats.targets.every(({ pending, leased }) => pending + leased === 0);
      },
      drainWithinMs,
    );
  }

  /** As a person does once the platforms are well. */
  async #sendAgain(): Promise<number> {
    let changed = 0;
    for (let after = 0, done = false; !done;) {
      const step = await this.#queue.retry({ state: "quarantined" }, after);
      ({ lastSequence: after, done } = step);
      changed += step.changed;
    }
    await this.#drained();
    return changed;
  }

  async #findings(): Promise<readonly string[]> {
    const findings: string[] = [];
    for (let after = 0, done = false; !done;) {
      const page = await this.#queue.verify(after, false);
      ({ lastSequence: after, done } = page);
      findings.push(...page.findings.map(({ code, message }) => `${code}: ${message}`));
    }
    const { records } = await this.#queue.stats();
    return records === 0 ? findings : [...findings, `${records} records are still in the spool`];
  }

  async #accounts(): Promise<SoakOutcome["targets"]> {
    const { ledger, platform, folders } = this.#site;
    const lost = (await this.#queue.stats()).lost;
    const archived = await ledger.readFolder(folders.out);
    const tallies = {
      town: ledger.platform(platform.stored()),
      bus: ledger.broker(),
      archive: ledger.folder(archived),
    };
    return Object.entries(tallies).map(([id, tally]) => {
      const losses = lost.filter(({ targetId }) => targetId === id);
      const sumOf = (some: typeof losses) => some.reduce((sum, { deliveries }) => sum + deliveries, 0);
      const damaged = sumOf(losses.filter(({ reason }) => reason === "damaged" || reason === "missing"));
      const reasons = [...new Set(losses.map(({ reason }) => reason))]
        .map((wanted) => `${wanted} ${sumOf(losses.filter(({ reason }) => reason === wanted))}`)
        .join(", ");
      return { ...tally, id, countedLost: sumOf(losses), damaged, reasons };
    });
  }

  async #until(what: string, holds: () => boolean | Promise<boolean>, withinMs: number): Promise<void> {
    const endMs = performance.now() + withinMs;
    while (!(await holds())) {
      if (performance.now() > endMs) {
        const stats = JSON.stringify(this.#site.stats?.deliveries ?? this.#site.stats?.targets);
        throw new Error(`waited ${withinMs} ms in vain for ${what}; ${stats}`);
      }
      await delay(50);
    }
  }
}
