import { AgentError } from "../../src/core/errors.ts";
import { type Outcome, outcomeOf } from "../../src/core/outcome.ts";
import type { TargetCapacity } from "../../src/core/ports.ts";
import { Gate } from "../../src/deliver/gate.ts";
import { DeliveryLoop, type DeliverySpool } from "../../src/deliver/loop.ts";
import { draftOf, imageOf } from "./drafts.ts";
import { MemorySpool } from "./memory-spool.ts";
import { type Answer, ScriptedTarget } from "./scripted-target.ts";
import { RecordingLogger, seededRandom } from "./seams.ts";
import { VirtualClock } from "./virtual-clock.ts";

export const minute = 60_000;
export const hour = 60 * minute;
export const accepted: Outcome = { kind: "accepted", remoteId: "r" };

/** What a target answers that met this error. */
export function answers(code: string, afterMs?: number): Outcome {
  const asked = afterMs === undefined ? {} : { afterMs };
  return outcomeOf(new AgentError(code, `the platform answered ${code}`, { disposition: "retry", ...asked }));
}

/** Delivery loops over a spool in memory, on virtual time. */
export class DeliverBench {
  readonly clock = new VirtualClock();
  readonly log = new RecordingLogger();
  readonly spool = new MemorySpool({ clock: this.clock });
  readonly loops: DeliveryLoop[] = [];

  target(id: string, answer: Answer, capacity: Partial<TargetCapacity> = {}): ScriptedTarget {
    return new ScriptedTarget(id, answer, capacity, () => this.clock.monotonicMs());
  }

  loop(target: ScriptedTarget, spool: DeliverySpool = this.spool, gate = new Gate(this.clock)): DeliveryLoop {
    const seams = { clock: this.clock, random: seededRandom(11), log: this.log };
    const loop = new DeliveryLoop(target, spool, seams, gate);
    this.loops.push(loop);
    loop.start();
    return loop;
  }

  /** The spool with some of its operations replaced. */
  spoolWith(change: Partial<DeliverySpool>): DeliverySpool {
    return {
      lease: (...args) => this.spool.lease(...args),
      settle: (...args) => this.spool.settle(...args),
      waitForDue: (...args) => this.spool.waitForDue(...args),
      ...change,
    };
  }

  async append(count: number, owedTo: readonly string[]): Promise<readonly string[]> {
    const ids: string[] = [];
    for (let at = 0; at < count; at += 1) ids.push((await this.spool.append(draftOf(), imageOf(200, at), owedTo)).id);
    return ids;
  }

  async backlog(targetId: string) {
    return (await this.spool.stats()).targets.find((target) => target.targetId === targetId);
  }

  /** Attempts charged so far to each record still owed, by sequence. */
  async attempts(targetId: string): Promise<Readonly<Record<number, number>>> {
    const listed = await this.spool.list({ afterSequence: 0, recordsMax: 10_000 });
    const found = listed.flatMap(({ record, deliveries }) =>
      deliveries.filter((one) => one.targetId === targetId).map((one) => [record.sequence, one.attempts] as const),
    );
    return Object.fromEntries(found);
  }

  events(...names: readonly string[]): readonly string[] {
    return this.log.lines.map(({ event }) => event).filter((event) => names.includes(event));
  }

  async [Symbol.asyncDispose]() {
    const stopping = Promise.all(this.loops.map((loop) => loop.stop()));
    await this.clock.run(minute);
    await stopping;
  }
}
